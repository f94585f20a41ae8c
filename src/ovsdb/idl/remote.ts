/**
 * Opens the stream that a database remote names: `unix:FILE`, `tcp:HOST:PORT`, `ssl:HOST:PORT`.
 *
 * Not for: passive remotes (`ptcp:`...), retrying, or what is said over the stream.
 */

import { readFileSync } from 'node:fs';
import { connect as connectNet, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { TapswitchError } from '../../common/errors.js';

/** Key, certificate and CA certificate of `ssl:` remotes, as PEM files. */
export interface TlsFiles {
  readonly privateKey?: string;
  readonly certificate?: string;
  readonly caCert?: string;
}

/** OVSDB's port (IANA), where a remote names none. */
const DEFAULT_PORT = 6640;

function hostAndPort(target: string): { host: string; port: number } {
  const match = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d+))?$/.exec(target);
  const port = match?.[3] === undefined ? DEFAULT_PORT : Number(match[3]);
  if (!match || port < 1 || port > 65535) {
    throw new TapswitchError('E_OVSDB_REMOTE', `${target}: not HOST:PORT`);
  }
  return { host: match[1] ?? match[2], port };
}

function open(remote: string, tls: TlsFiles): Socket {
  const colon = remote.indexOf(':');
  const target = remote.slice(colon + 1);
  switch (remote.slice(0, Math.max(colon, 0))) {
    case 'unix':
      return connectNet({ path: target });
    case 'tcp':
      return connectNet({ ...hostAndPort(target), noDelay: true });
    case 'ssl':
      return connectTls({
        ...hostAndPort(target),
        key: tls.privateKey && readFileSync(tls.privateKey),
        cert: tls.certificate && readFileSync(tls.certificate),
        ca: tls.caCert && readFileSync(tls.caCert),
        // As Open vSwitch: the peer's CA is checked, its name is not.
        checkServerIdentity: () => undefined,
      });
    default:
      throw new TapswitchError('E_OVSDB_REMOTE', `${remote}: not a database remote`, USE_REMOTES);
  }
}

const USE_REMOTES = 'use unix:FILE, tcp:HOST:PORT or ssl:HOST:PORT';

/**
 * Connects. Rejects with the system's error (its `code` is ECONNREFUSED and so on), or with
 * E_OVSDB_REMOTE for a name that is none. `abort` gives up and closes.
 */
export function openRemote(
  remote: string,
  tls: TlsFiles = {},
  abort?: AbortSignal,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = open(remote, tls);
    const giveUp = () => socket.destroy(new TapswitchError('E_OVSDB_REMOTE', 'given up'));
    abort?.addEventListener('abort', giveUp, { once: true });
    const done = () => {
      abort?.removeEventListener('abort', giveUp);
      socket.off('error', failed);
      resolve(socket);
    };
    const failed = (error: Error) => {
      abort?.removeEventListener('abort', giveUp);
      reject(error);
    };
    socket.once('error', failed);
    socket.once(remote.startsWith('ssl:') ? 'secureConnect' : 'connect', done);
  });
}
