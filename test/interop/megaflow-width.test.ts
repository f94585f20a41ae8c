/**
 * Megaflows are as wide as Open vSwitch's: one case of each kind of scripts/megaflow-width.mjs, on
 * dummy devices. The script alone, with more cases, is the measure.
 */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { run } from '../support/command.js';
import { projectRoot } from '../support/switch.js';

it("of each kind of tables compare no more bits than Open vSwitch's", async () => {
  const script = join(projectRoot, 'scripts', 'megaflow-width.mjs');
  const argv = [process.execPath, script, '--cases=1'];
  const { stdout: text } = await run(argv, { timeoutMs: 240_000 });
  const row = /\| all \| 9 \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|/.exec(text);
  const [ours, theirs, bits, theirBits] = (row ?? []).slice(1).map(Number);
  expect(ours).toBeGreaterThan(100);
  expect(ours).toBeLessThanOrEqual(theirs);
  // In so few cases a field may stand out that others make up for.
  expect(bits).toBeLessThanOrEqual(1.005 * theirBits);
}, 300_000);
