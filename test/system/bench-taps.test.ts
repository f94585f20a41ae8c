/**
 * The benchmark's own counting: frames that the kernel forwards into a TAP, which the TAP's
 * counters do not see, and bursts, which are to be frames before a TAP's programs see them; and
 * TAPs of virtual machines, which the generator writes to.
 */
import { expect, it } from 'vitest';
import { must } from '../support/command.js';
import { tapswitchBin } from '../support/switch.js';

/** More than one CPU can send one by one, less than it sends in bursts. */
const MPPS_MAX = 4;

/** Where the machine has no time for a whole second, it is measured again. */
const ATTEMPTS = 3;

async function mppsOf(topology: string): Promise<number> {
  const only = ['--only', 'tapswitch-offload', '--rounds', '1', '--seconds', '1'];
  const argv = [tapswitchBin, 'bench', '--topology', topology, ...only, '--json'];
  const { columns, results } = JSON.parse(await must(argv, { timeoutMs: 60_000 }));
  const [{ medians }] = results;
  return medians[columns.findIndex((title: string) => title.startsWith('Mpps'))];
}

it.each(['taps', 'guests'])(
  'counts what goes from TAP to TAP, frame by frame (%s)',
  async (topology) => {
    let mpps = 0;
    for (let n = 0; n < ATTEMPTS && mpps === 0; n++) mpps = await mppsOf(topology);
    expect(mpps).toBeGreaterThan(0);
    expect(mpps).toBeLessThan(MPPS_MAX);
  },
  200_000,
);
