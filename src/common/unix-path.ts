/**
 * Unix sockets whose path is longer than their address takes: the same file by a shorter name.
 *
 *     /a/very/long/directory/db.sock  ->  /proc/self/fd/N/db.sock       N: the directory, open
 *
 * Node.js cuts a path that is too long: another socket, and mostly the same one for all.
 *
 * Not for: what is spoken on sockets, or whose they are.
 */
import { closeSync, openSync, rmSync, statSync } from 'node:fs';
import { connect, type Server, Socket } from 'node:net';
import { basename, dirname } from 'node:path';

/** The longest path of a unix socket, bytes (unix(7)). */
export const UNIX_PATH_BYTES_MAX = 107;

const isLong = (path: string): boolean => Buffer.byteLength(path) > UNIX_PATH_BYTES_MAX;

/**
 * Calls `use` with a name of the socket that fits. The name is valid during the call alone: there
 * the system calls of connect() and listen() take place.
 * @throws Error when there is no directory, or the name alone does not fit
 */
export function withUnixPath<T>(path: string, use: (address: string) => T): T {
  if (!isLong(path)) return use(path);
  const directory = openSync(dirname(path), 'r');
  try {
    const address = `/proc/self/fd/${directory}/${basename(path)}`;
    if (isLong(address))
      throw new Error(`ENAMETOOLONG: ${basename(path)} is too long for a socket`);
    return use(address);
  } finally {
    closeSync(directory);
  }
}

/** A socket that connects to `path`; what fails is its 'error'. */
export function connectUnix(path: string): Socket {
  try {
    return withUnixPath(path, (address) => connect({ path: address }));
  } catch (error) {
    return new Socket().destroy(error as Error);
  }
}

/**
 * Makes `server` listen at `path`; the file goes when the server closes.
 * @throws Error as withUnixPath; what the system refuses is the server's 'error'
 */
export function listenUnix(server: Server, path: string): void {
  withUnixPath(path, (address) => server.listen(address));
  // Node.js removes what it knows by the short name, which is no more.
  if (isLong(path)) server.once('listening', () => removeWhenClosed(server, path));
}

/** Another server may have taken the name by then. */
function removeWhenClosed(server: Server, path: string): void {
  const ino = statSync(path, { throwIfNoEntry: false })?.ino;
  server.once('close', () => {
    if (statSync(path, { throwIfNoEntry: false })?.ino === ino) rmSync(path, { force: true });
  });
}
