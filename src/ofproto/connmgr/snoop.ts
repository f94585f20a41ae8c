/**
 * Snooping: a connection to BRIDGE.snoop gets a copy of what a controller and the bridge say to
 * each other, from then on.
 *
 *     controller <== OfConn ==> bridge
 *                      `-- every frame, either way --> Snooper
 *
 * The controller in charge is chosen: the primary one, else the first. A snooper that does not read
 * misses frames; it ends with the connection that it listens to.
 */
import type { Socket } from 'node:net';
import { OfConnection } from '../../openflow/vconn.js';
import type { OfConn } from './ofconn.js';

/** Bytes waiting for a snooper beyond which it misses frames. */
const BACKLOG_MAX = 1024 * 1024;
const VERSIONS: readonly number[] = [1, 2, 3, 4, 5, 6];

/** The connection to listen to, or null when no controller is connected. */
export function chooseConnection(conns: Iterable<OfConn>): OfConn | null {
  let best: OfConn | null = null;
  for (const conn of conns) {
    if (!conn.open) continue;
    if (conn.role === 'primary') return conn;
    best ??= conn;
  }
  return best;
}

/** Passes copies on until either side ends. @returns how to end it */
export function snoop(socket: Socket, from: OfConn, onEnd: () => void): () => void {
  const { connection } = from;
  let open = false;
  const tap = (frame: Uint8Array): void => {
    if (open && snooper.queuedBytes < BACKLOG_MAX) snooper.sendFrame(frame);
  };
  const sourceEnded = (): void => snooper.close();
  const snooper: OfConnection = new OfConnection(socket, {
    versions: VERSIONS,
    onOpen: () => {
      open = true;
    },
    onClose: () => {
      connection.taps.delete(tap);
      connection.socket.off('close', sourceEnded);
      onEnd();
    },
  });
  connection.taps.add(tap);
  connection.socket.once('close', sourceEnded);
  return sourceEnded;
}
