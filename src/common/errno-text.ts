/**
 * The C library's texts for system errors, as Open vSwitch's programs print them.
 *
 * Not for: errors that are not the system's.
 */

const TEXTS: Readonly<Record<string, string>> = {
  EACCES: 'Permission denied',
  EADDRINUSE: 'Address already in use',
  EADDRNOTAVAIL: 'Cannot assign requested address',
  EAFNOSUPPORT: 'Address family not supported by protocol',
  ECONNREFUSED: 'Connection refused',
  ECONNRESET: 'Connection reset by peer',
  EHOSTUNREACH: 'No route to host',
  EFBIG: 'File too large',
  EDQUOT: 'Disk quota exceeded',
  EINVAL: 'Invalid argument',
  EIO: 'Input/output error',
  ENAMETOOLONG: 'File name too long',
  ENETUNREACH: 'Network is unreachable',
  ENOENT: 'No such file or directory',
  ENOSPC: 'No space left on device',
  ENOTDIR: 'Not a directory',
  ENOTSOCK: 'Socket operation on non-socket',
  EPIPE: 'Broken pipe',
  EPROTO: 'Protocol error',
  EROFS: 'Read-only file system',
  ETIMEDOUT: 'Connection timed out',
};

/** The text for an error code such as `ENOENT`; undefined for one that is not known. */
export function errnoText(code: string | undefined): string | undefined {
  return code === undefined ? undefined : TEXTS[code];
}
