/**
 * Listening sockets for stream protocols.
 *
 * Not for: what is spoken on them (session.ts).
 */
import * as fs from 'node:fs';
import * as net from 'node:net';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { errorMessage, TapswitchError } from '../common/errors.js';
import { getLogger } from '../common/log.js';
import { connectUnix, listenUnix as listenAt } from '../common/unix-path.js';
import { requireFiles, secureContextOptions, type TlsFiles, trustsAnybody } from './tls.js';

const log = getLogger('stream_ssl');

export interface Listener {
  /** TCP port; 0 for unix sockets. */
  readonly port: number;
  close(): Promise<void>;
}

/** Listens on a unix socket that its owner and group may use. */
export async function listenUnix(
  name: string,
  onSocket: (socket: net.Socket) => void,
): Promise<Listener> {
  await removeStale(name);
  const server = await listen(name, onSocket, (made) => listenAt(made, name));
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
}

/** Listens on a TCP port. */
export async function listenTcp(
  host: string,
  port: number,
  onSocket: (socket: net.Socket) => void,
): Promise<Listener> {
  const server = await listen(
    `${host}:${port}`,
    (socket) => {
      socket.setNoDelay(true);
      onSocket(socket);
    },
    (made) => made.listen({ host, port }),
  );
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
  name: string,
  onSocket: (socket: net.Socket) => void,
  begin: (server: net.Server) => void,
): Promise<net.Server> {
  const server = net.createServer(onSocket);
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(listenError(name, error)));
    server.once('listening', () => resolve(server));
    try {
      begin(server);
    } catch (error) {
      reject(listenError(name, error));
    }
  });
}

function closeServer(server: net.Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

/** Removes a socket that nobody listens on. */
async function removeStale(name: string): Promise<void> {
  const stat = fs.lstatSync(name, { throwIfNoEntry: false });
  if (!stat) return;
  if (!stat.isSocket()) throw listenError(name, new Error('file exists and is not a socket'));
  if (await answers(name)) {
    throw new TapswitchError(
      'E_SOCKET_IN_USE',
      `another process listens on ${name}`,
      'Stop it, or use another run directory.',
    );
  }
  fs.rmSync(name, { force: true });
}

function answers(name: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectUnix(name);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

function listenError(name: string, error: unknown): TapswitchError {
  return new TapswitchError(
    'E_OVSDB_LISTEN',
    `cannot listen on ${name}: ${errorMessage(error)}`,
    'Check that the directory exists and may be written to.',
    { cause: error },
  );
}
