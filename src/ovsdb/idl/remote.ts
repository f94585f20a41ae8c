/**
 * Opens the stream that a database remote names: `unix:FILE`, `tcp:HOST:PORT`, `ssl:HOST:PORT`; or
 * waits for one on `punix:FILE`, `ptcp:[PORT][:IP]`, `pssl:[PORT][:IP]`.
 *
 * Not for: serving (../remotes), retrying, or what is said over the stream.
 */

import { connect as connectNet, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { TapswitchError } from '../../common/errors.js';
import { connectUnix } from '../../common/unix-path.js';
import { type Listener, listenTcp, listenTls, listenUnix } from '../listen.js';
import {
  checkHostNames,
  needsBootstrap,
  saveCaCert,
  secureContextOptions,
  type TlsFiles,
  trustsAnybody,
} from '../tls.js';

export type { TlsFiles } from '../tls.js';

/** OVSDB's port (IANA), where a remote names none. */
const DEFAULT_PORT = 6640;
const USE_REMOTES = 'use unix:FILE, tcp:HOST:PORT or ssl:HOST:PORT';

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
      return connectUnix(target);
    case 'tcp':
      return connectNet({ ...hostAndPort(target), noDelay: true });
    case 'ssl':
      return openTls(target, tls);
    default:
      throw new TapswitchError('E_OVSDB_REMOTE', `${remote}: not a database remote`, USE_REMOTES);
  }
}

function openTls(target: string, tls: TlsFiles): TLSSocket {
  const bootstrap = needsBootstrap(tls);
  const socket = connectTls({
    ...hostAndPort(target),
    ...secureContextOptions(bootstrap ? { ...tls, caCert: undefined } : tls),
    rejectUnauthorized: !bootstrap && !trustsAnybody(tls),
    checkServerIdentity: checkHostNames,
  });
  socket.setNoDelay(true);
  return socket;
}

/**
 * Connects. Rejects with the system's error (its `code` is ECONNREFUSED and so on), with
 * E_OVSDB_REMOTE for a name that is none, or with E_TLS. `abort` gives up and closes.
 */
export async function openRemote(
  remote: string,
  tls: TlsFiles = {},
  abort?: AbortSignal,
): Promise<Socket> {
  if (remote.startsWith('ssl:') && needsBootstrap(tls)) {
    const socket = (await openOnce(remote, tls, abort)) as TLSSocket;
    saveCaCert(socket, tls.caCert as string);
    // As Open vSwitch has it: whoever tries again checks the peer by what has been learned.
    throw Object.assign(new Error('Protocol error'), { code: 'EPROTO' });
  }
  return openOnce(remote, tls, abort);
}

function openOnce(remote: string, tls: TlsFiles, abort?: AbortSignal): Promise<Socket> {
  if (/^p(?:unix|tcp|ssl):/.test(remote)) return acceptOne(remote, tls, abort);
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

/** Listens until somebody connects, for a server that is told to come here. */
function acceptOne(remote: string, tls: TlsFiles, abort?: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    let listener: Listener | null = null;
    const stop = () => void listener?.close();
    const accept = (socket: Socket) => {
      abort?.removeEventListener('abort', stop);
      stop();
      resolve(socket);
    };
    listenOn(remote, tls, accept).then((made) => {
      listener = made;
      if (abort?.aborted) stop();
      else abort?.addEventListener('abort', stop, { once: true });
    }, reject);
  });
}

function listenOn(
  remote: string,
  tls: TlsFiles,
  accept: (socket: Socket) => void,
): Promise<Listener> {
  const target = remote.slice(remote.indexOf(':') + 1);
  if (remote.startsWith('punix:')) return listenUnix(target, accept);
  const match = /^(\d*)(?::(.+))?$/.exec(target);
  if (!match) throw new TapswitchError('E_OVSDB_REMOTE', `${target}: not [PORT][:IP]`);
  const host = (match[2] ?? '0.0.0.0').replace(/^\[(.*)\]$/, '$1');
  const port = match[1] === '' ? DEFAULT_PORT : Number(match[1]);
  if (remote.startsWith('pssl:')) return listenTls(host, port, tls, accept);
  return listenTcp(host, port, accept);
}
