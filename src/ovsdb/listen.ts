/**
 * Listening sockets for stream protocols.
 *
 * Not for: what is spoken on them (session.ts).
 */
import * as fs from 'node:fs';
import * as net from 'node:net';
import * as path from 'node:path';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { errorMessage, TapswitchError } from '../common/errors.js';
import { getLogger } from '../common/log.js';
import { requireFiles, secureContextOptions, type TlsFiles, trustsAnybody } from './tls.js';

const log = getLogger('stream_ssl');

export interface Listener {
  /** TCP port; 0 for unix sockets. */
  readonly port: number;
  close(): Promise<void>;
}

/** The longest path of a unix socket, bytes. */
const UNIX_PATH_BYTES_MAX = 107;

/** Listens on a unix socket that its owner and group may use. */
export async function listenUnix(
  name: string,
  onSocket: (socket: net.Socket) => void,
): Promise<Listener> {
  const directory = openIfTooLong(name);
  try {
    const address = directory === null ? name : shortPath(directory, name);
    await removeStale(name, address);
    const server = await listen({ path: address }, name, onSocket);
    fs.chmodSync(name, 0o770);
    const { ino } = fs.statSync(name);
    return {
      port: 0,
      async close() {
        // Another server may have taken the name since.
        const mine = fs.statSync(name, { throwIfNoEntry: false })?.ino === ino;
        if (mine) fs.rmSync(name, { force: true });
        await closeServer(server);
      },
    };
  } finally {
    if (directory !== null) fs.closeSync(directory);
  }
}

/** Listens on a TCP port. */
export async function listenTcp(
  host: string,
  port: number,
  onSocket: (socket: net.Socket) => void,
): Promise<Listener> {
  const server = await listen({ host, port }, `${host}:${port}`, (socket) => {
    socket.setNoDelay(true);
    onSocket(socket);
  });
  const bound = server.address() as net.AddressInfo;
  return { port: bound.port, close: () => closeServer(server) };
}

/** A listener whose keys can be changed while it listens. */
export interface TlsListener extends Listener {
  /** New connections use these. Throws TapswitchError E_TLS. */
  setFiles(files: TlsFiles): void;
}

/**
 * Listens on a TCP port for TLS; who cannot prove himself is left to `warn`. Peers must show a
 * certificate that the CA signed, unless the files say that anybody is trusted.
 * Throws E_OVSDB_LISTEN, E_TLS.
 */
export async function listenTls(
  host: string,
  port: number,
  files: TlsFiles,
  onSocket: (socket: TLSSocket) => void,
  warn: (message: string) => void = (message) => log.warn(message),
): Promise<TlsListener> {
  requireFiles(files);
  const checked = !trustsAnybody(files);
  const server = createTlsServer({
    ...secureContextOptions(files),
    requestCert: checked,
    // Refused below, where the reason is known.
    rejectUnauthorized: false,
  });
  server.on('secureConnection', (socket) => {
    if (checked && !socket.authorized) {
      const reason = refusal(socket);
      warn(`${socket.remoteAddress ?? host}: SSL_accept: certificate verify failed (${reason})`);
      socket.destroy();
      return;
    }
    socket.setNoDelay(true);
    onSocket(socket);
  });
  server.on('tlsClientError', (error, socket) => {
    warn(`${socket.remoteAddress ?? host}: SSL_accept: ${error.message}`);
    socket.destroy();
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(listenError(`${host}:${port}`, error)));
    server.listen({ host, port }, () => resolve());
  });
  return {
    port: (server.address() as net.AddressInfo).port,
    setFiles: (next) => server.setSecureContext(secureContextOptions(next)),
    close: () => closeServer(server),
  };
}

/** Why a peer's certificate is refused, in words. */
function refusal(socket: TLSSocket): string {
  if (Object.keys(socket.getPeerCertificate()).length === 0) return 'the peer showed none';
  const code = String(socket.authorizationError);
  return REFUSALS[code] ?? code;
}

const REFUSALS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'it has expired',
  CERT_NOT_YET_VALID: 'it is not valid yet',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'signed by another CA',
  UNABLE_TO_GET_ISSUER_CERT: 'signed by another CA',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'signed by another CA',
  SELF_SIGNED_CERT_IN_CHAIN: 'signed by another CA',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'it is self-signed',
};

function listen(
  options: net.ListenOptions,
  name: string,
  onSocket: (socket: net.Socket) => void,
): Promise<net.Server> {
  const server = net.createServer(onSocket);
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(listenError(name, error)));
    server.listen(options, () => resolve(server));
  });
}

function closeServer(server: net.Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

/** Removes a socket that nobody listens on. */
async function removeStale(name: string, address: string): Promise<void> {
  const stat = fs.lstatSync(name, { throwIfNoEntry: false });
  if (!stat) return;
  if (!stat.isSocket()) throw listenError(name, new Error('file exists and is not a socket'));
  if (await answers(address)) {
    throw new TapswitchError(
      'E_SOCKET_IN_USE',
      `another process listens on ${name}`,
      'Stop it, or use another run directory.',
    );
  }
  fs.rmSync(name, { force: true });
}

function answers(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ path: address });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** A descriptor of the directory of a name that is too long for a socket address, else null. */
function openIfTooLong(name: string): number | null {
  if (Buffer.byteLength(name) <= UNIX_PATH_BYTES_MAX) return null;
  try {
    return fs.openSync(path.dirname(name), 'r');
  } catch (error) {
    throw listenError(name, error);
  }
}

/** The same file by a name that is short enough, while the descriptor is open. */
function shortPath(directory: number, name: string): string {
  return `/proc/self/fd/${directory}/${path.basename(name)}`;
}

function listenError(name: string, error: unknown): TapswitchError {
  return new TapswitchError(
    'E_OVSDB_LISTEN',
    `cannot listen on ${name}: ${errorMessage(error)}`,
    'Check that the directory exists and may be written to.',
    { cause: error },
  );
}
