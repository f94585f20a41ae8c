/**
 * `time/stop` and `time/warp`: a daemon under test lets time pass on demand.
 *
 * As in Open vSwitch they exist only where dummy devices were asked for, as a stopped clock is the
 * end of every time-out of a switch at work.
 */
import type { WarpClock } from '../common/clock.js';
import type { PollLoop } from '../common/poll-loop.js';
import { UnixctlError, type UnixctlServer } from './server.js';

/** Adds the `time/` commands to `server`. */
export function registerTimeCommands(
  server: UnixctlServer,
  clock: WarpClock,
  loop: PollLoop,
): void {
  let warping = false;
  server.register('time/stop', '', 0, 0, () => {
    clock.stop();
    loop.wake();
    return '';
  });
  server.register('time/warp', '[large_msecs] msecs', 1, 2, async (_command, args) => {
    const stepMs = parseMs(args[args.length - 1]);
    const totalMs = args.length === 2 ? parseMs(args[0]) : 0;
    if (!(stepMs > 0) || !(totalMs >= 0)) throw new UnixctlError('invalid MSECS');
    if (warping) throw new UnixctlError('A previous warp in progress');
    warping = true;
    try {
      await warp(clock, loop, totalMs === 0 ? stepMs : totalMs, stepMs);
    } finally {
      warping = false;
    }
    return 'warped';
  });
}

/** Lets `totalMs` pass in steps, with a turn of the loop and of Node's event loop after each. */
async function warp(
  clock: WarpClock,
  loop: PollLoop,
  totalMs: number,
  stepMs: number,
): Promise<void> {
  for (let leftMs = totalMs; leftMs > 0; leftMs -= stepMs) {
    clock.advance(Math.min(stepMs, leftMs));
    loop.runNow();
    // Workers and sockets get their say between two steps.
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** As atoll(3): leading digits count, anything else is 0. */
function parseMs(text: string): number {
  const match = /^\s*([+-]?\d+)/.exec(text);
  return match ? Number(match[1]) : 0;
}
