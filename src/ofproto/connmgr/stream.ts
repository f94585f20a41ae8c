/**
 * Streams to controllers: `unix:FILE`, `tcp:HOST[:PORT]`, `ssl:HOST[:PORT]`.
 *
 * Over TLS both sides show certificates and check the other's against the CA; names are not looked
 * at, as in Open vSwitch. Keys are read again for each connection: new ones need no restart.
 */
import { connect, type Socket } from 'node:net';
import { connect as connectTls, TLSSocket } from 'node:tls';
import { getLogger } from '../../common/log.js';
import {
  checkHostNames,
  needsBootstrap,
  requireFiles,
  saveCaCert,
  secureContextOptions,
  type TlsFiles,
  trustsAnybody,
} from '../../common/tls.js';
import { connectUnix } from '../../common/unix-path.js';

const log = getLogger('stream_ssl');

/** OpenFlow's port (IANA), where a target names none. */
export const OF_PORT = 6653;

/** Where a target leads, or null when it is of a kind that cannot be connected to. */
export function parseTarget(
  target: string,
  defaultPort = OF_PORT,
): { path: string } | { host: string; port: number; tls: boolean } | null {
  const unix = /^unix:(.+)$/.exec(target);
  if (unix !== null) return { path: unix[1] };
  const ip = /^(tcp|ssl):(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(target);
  if (ip === null) return null;
  const port = ip[4] === undefined ? defaultPort : Number(ip[4]);
  if (port < 1 || port > 0xffff) return null;
  return { host: ip[2] ?? ip[3], port, tls: ip[1] === 'ssl' };
}

/**
 * Begins to connect.
 * @returns the socket, and the event that says that it can be used
 * @throws Error for a target that is none, TapswitchError E_TLS
 */
export function openStream(
  target: string,
  files: TlsFiles,
): { socket: Socket; ready: 'connect' | 'secureConnect' } {
  const to = parseTarget(target);
  if (to === null) throw new Error('Address family not supported by protocol');
  if ('path' in to) return { socket: connectUnix(to.path), ready: 'connect' };
  const { host, port } = to;
  if (!to.tls) return { socket: connect({ host, port, noDelay: true }), ready: 'connect' };
  requireFiles(files);
  const bootstrap = needsBootstrap(files);
  const socket = connectTls({
    ...{ host, port },
    ...secureContextOptions(bootstrap ? { ...files, caCert: undefined } : files),
    rejectUnauthorized: !bootstrap && !trustsAnybody(files),
    checkServerIdentity: checkHostNames,
  });
  socket.setNoDelay(true);
  return { socket, ready: 'secureConnect' };
}

/**
 * Takes the CA certificate from a first peer where it is to be taken from there; the connection is
 * ended then, so that the next one is checked by it. Throws TapswitchError E_TLS.
 */
export function bootstrapDone(socket: Socket, files: TlsFiles): boolean {
  if (!(socket instanceof TLSSocket) || !needsBootstrap(files)) return false;
  saveCaCert(socket, files.caCert as string);
  return true;
}

const ERRNO_TEXTS: Record<string, string> = {
  ECONNREFUSED: 'Connection refused',
  ENOENT: 'No such file or directory',
  EHOSTUNREACH: 'No route to host',
  ENETUNREACH: 'Network is unreachable',
  ETIMEDOUT: 'Connection timed out',
  ECONNRESET: 'Connection reset by peer',
};

/** What went wrong, for the log and the database; about certificates a line of its own as well. */
export function streamErrorText(target: string, error: NodeJS.ErrnoException): string {
  const known = ERRNO_TEXTS[error.code ?? ''];
  if (known !== undefined) return known;
  if (!target.startsWith('ssl:')) return error.message;
  const text = `SSL_connect: ${tlsErrorText(error)}`;
  log.warn(`${target}: ${text}`);
  return text;
}

/** Codes with which the peer's certificate is refused. */
const VERIFY_FAILED =
  /^(CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|INVALID_CA|PATH_LENGTH|HOSTNAME)/;

/** OpenSSL's reason without its internal numbers. */
export function tlsErrorText(error: NodeJS.ErrnoException & { reason?: string }): string {
  if (VERIFY_FAILED.test(error.code ?? '')) {
    return `certificate verify failed (${error.message.split(';')[0]})`;
  }
  return error.reason ?? error.message;
}
