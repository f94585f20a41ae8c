/**
 * Flow syntax against Debian's ovs-ofctl: what `parse-flow` prints for some 1,500 flows, right and
 * wrong, in the formats of OpenFlow 1.0, Nicira's NXM and OpenFlow 1.3. Where a flow cannot be
 * decoded again the frame is printed, so that its bytes are compared as well.
 */
import { describe, expect, it } from 'vitest';
import { type Finished, run } from '../support/command.js';
import { flowLines } from '../support/flow-lines.js';
import { runOurOfctl } from '../support/ofctl-io.js';

/** ovs-ofctl 3.1 writes a priority for tags that it asks to be absent, and cannot read it back. */
const BROKEN_IN_OXM = /^vlan_tci=(1|0xa),/;

async function compare(options: string[], lines: readonly string[]): Promise<string[]> {
  const different: string[] = [];
  for (const line of lines) {
    // Notices carry the time.
    const argv = ['-vconsole:off', ...options, 'parse-flow', '--', line];
    const theirs = await run(['ovs-ofctl', ...argv]);
    const ours: Finished = await runOurOfctl(argv, process.env);
    const same =
      ours.status === theirs.status &&
      ours.stdout === theirs.stdout &&
      ours.stderr === theirs.stderr;
    if (!same) {
      const text = (f: Finished): string => `${f.status} ${f.stdout}${f.stderr}`;
      different.push(`${line}\n  theirs: ${text(theirs)}\n  ours:   ${text(ours)}`);
    }
  }
  return different;
}

/** Every nth line, so that the slower passes take a share each. */
const every = (n: number, start: number): string[] =>
  flowLines().filter((_line, i) => i % n === start);

describe('parse-flow prints what ovs-ofctl prints', () => {
  it('in the first usable format', { timeout: 300_000 }, async () => {
    expect(await compare([], flowLines())).toEqual([]);
  });

  it('in NXM', { timeout: 180_000 }, async () => {
    expect(await compare(['-F', 'NXM'], every(3, 0))).toEqual([]);
  });

  it('in OpenFlow 1.3', { timeout: 180_000 }, async () => {
    const lines = every(2, 1).filter((line) => !BROKEN_IN_OXM.test(line));
    expect(await compare(['-O', 'OpenFlow13'], lines)).toEqual([]);
  });

  it('in OpenFlow 1.4', { timeout: 180_000 }, async () => {
    const lines = every(3, 2).filter((line) => !BROKEN_IN_OXM.test(line));
    expect(await compare(['-O', 'OpenFlow14'], lines)).toEqual([]);
  });
});
