/**
 * Snooping: a connection to BRIDGE.snoop gets a copy of what a controller and the bridge say to
 * each other, from then on.
 *
 *     controller <== OfConn ==> bridge
 *                      `-- every frame, either way --> Snooper
 *
 * The controller in charge is chosen: the primary one, else the first; it need not be connected
 * yet, and may come and go. A snooper that does not read misses frames; it ends with the
 * configuration of the controller that it listens to.
 */
import type { Socket } from 'node:net';
import { OfConnection } from '../../openflow/vconn.js';
import type { Controller } from './controller.js';

/** Bytes waiting for a snooper beyond which it misses frames. */
const BACKLOG_MAX = 1024 * 1024;
const VERSIONS: readonly number[] = [1, 2, 3, 4, 5, 6];
const PREFERENCE = { primary: 3, equal: 2, secondary: 1 } as const;

/** The controller to listen to, or null when none is configured. */
export function chooseController(controllers: Iterable<Controller>): Controller | null {
  let best: Controller | null = null;
  let most = 0;
  for (const controller of controllers) {
    const preference = PREFERENCE[controller.conn?.role ?? 'equal'];
    if (preference > most) {
      best = controller;
      most = preference;
    }
  }
  return best;
}

/** Passes copies on until either side ends. @returns how to end it */
export function snoop(socket: Socket, from: Controller, onEnd: () => void): () => void {
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
      from.removeTap(tap);
      onEnd();
    },
  });
  from.addTap(tap, sourceEnded);
  return sourceEnded;
}
