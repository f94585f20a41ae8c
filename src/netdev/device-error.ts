/**
 * Errors of devices, with the text that Open vSwitch's users know from Interface.error.
 *
 * Not for: errors of single packets, which are counted.
 */
import { TapswitchError } from '../common/errors.js';

/** strerror(3) of what opening or changing a device can give. Node's own texts differ. */
const STRERROR: Readonly<Record<string, string>> = {
  EACCES: 'Permission denied',
  EADDRNOTAVAIL: 'Cannot assign requested address',
  EAFNOSUPPORT: 'Address family not supported by protocol',
  EBUSY: 'Device or resource busy',
  EEXIST: 'File exists',
  EINVAL: 'Invalid argument',
  EIO: 'Input/output error',
  EMFILE: 'Too many open files',
  ENAMETOOLONG: 'File name too long',
  ENETDOWN: 'Network is down',
  ENFILE: 'Too many open files in system',
  ENOBUFS: 'No buffer space available',
  ENODEV: 'No such device',
  ENOENT: 'No such file or directory',
  ENOMEM: 'Cannot allocate memory',
  ENOSYS: 'Function not implemented',
  ENXIO: 'No such device or address',
  ENOTSUP: 'Operation not supported',
  EOPNOTSUPP: 'Operation not supported',
  EPERM: 'Operation not permitted',
  ERANGE: 'Numerical result out of range',
};

/** Stable code and hint by errno name; others are E_DEVICE. */
const CODES: Readonly<Record<string, [code: string, hint: string]>> = {
  ENODEV: ['E_NO_DEVICE', 'make the interface, or take it out of the bridge with del-port'],
  ENXIO: ['E_NO_DEVICE', 'make the interface, or take it out of the bridge with del-port'],
  EPERM: ['E_NO_CAPABILITY', 'run as root, or with CAP_NET_ADMIN and CAP_NET_RAW'],
  EACCES: ['E_NO_CAPABILITY', 'run as root, or with CAP_NET_ADMIN and CAP_NET_RAW'],
  EBUSY: ['E_DEVICE_BUSY', 'another program holds the device: stop it, or use another name'],
  EEXIST: ['E_DEVICE_BUSY', 'the name is taken: remove the other device, or use another name'],
  EAFNOSUPPORT: ['E_DEVICE_TYPE', 'use system, afxdp, internal, tap or patch'],
};

/** The errno name of what a system call threw; '' when it is not that. */
export function errnoName(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
}

/** The C library's text of an errno name. */
export function strerror(errno: string): string {
  return STRERROR[errno] ?? errno;
}

/** `PREFIX (No such device)` with the code that goes with `errno`. */
export function deviceError(prefix: string, errno: string, cause?: unknown): TapswitchError {
  const [code, hint] = CODES[errno] ?? ['E_DEVICE', undefined];
  return new TapswitchError(code, `${prefix} (${strerror(errno)})`, hint, { cause });
}

/** `could not open network device NAME (No such device)`. */
export function openError(name: string, errno: string, cause?: unknown): TapswitchError {
  return deviceError(`could not open network device ${name}`, errno, cause);
}
