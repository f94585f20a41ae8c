/**
 * The benchmark's own counting: frames that the kernel forwards into a TAP, which the TAP's
 * counters do not see, and bursts, which are to be frames before a TAP's programs see them.
 */
import { expect, it } from 'vitest';
import { must } from '../support/command.js';
import { tapswitchBin } from '../support/switch.js';

/** More than one CPU can send one by one, less than it sends in bursts. */
const MPPS_MAX = 4;

it('counts what the kernel forwards between TAPs, frame by frame', async () => {
  const only = ['--only', 'tapswitch-offload', '--rounds', '1', '--seconds', '1'];
  const argv = [tapswitchBin, 'bench', '--topology', 'taps', ...only, '--json'];
  const { columns, results } = JSON.parse(await must(argv, { timeoutMs: 60_000 }));
  const [{ medians }] = results;
  const mpps = medians[columns.findIndex((title: string) => title.startsWith('Mpps'))];
  expect(mpps).toBeGreaterThan(0);
  expect(mpps).toBeLessThan(MPPS_MAX);
}, 90_000);
