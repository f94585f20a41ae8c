/**
 * Debian's ovs-ofctl on a bridge of Open vSwitch and on one of ours, both with dummy ports: every
 * command must print the same, but for times, addresses of dummy devices and logged warnings.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../support/command.js';
import { FLOW_FILES, normalise, OFCTL_STEPS, sortQueues, words } from '../support/ofctl-steps.js';
import { DummyOvs } from '../support/ovs-dummy.js';
import { tapswitchBin } from '../support/switch.js';

const BRIDGE = 'bra';

let theirs: DummyOvs;
let ours: DummyOvs;
let files: string;

beforeAll(async () => {
  theirs = await DummyOvs.start();
  ours = await DummyOvs.start([tapswitchBin, 'vswitchd']);
  for (const ovs of [theirs, ours]) await ovs.addBridge(BRIDGE);
  files = await mkdtemp(join(tmpdir(), 'tapswitch-ofctl-'));
  for (const [name, text] of Object.entries(FLOW_FILES)) await writeFile(join(files, name), text);
}, 60_000);

afterAll(async () => {
  await theirs?.stop();
  await ours?.stop();
  if (files !== undefined) await rm(files, { recursive: true, force: true });
});

function argv(step: string): string[] {
  return words(step).map((word) =>
    word.replaceAll('BR', BRIDGE).replace(/^FILE\d$/, (name) => join(files, name)),
  );
}

/**
 * Commands that talk to no switch compare nothing here. Open vSwitch's meters cannot remark, ours
 * can; its table features of 1.4 and 1.5 leave out that tables can evict, and some instructions.
 */
const ELSEWHERE = /meter-features|dscp_remark|OpenFlow1[45] dump-table-features/;
const STEPS = OFCTL_STEPS.filter((step) => step.includes('BR') && !ELSEWHERE.test(step));

describe('a bridge of ours answers ovs-ofctl as one of Open vSwitch', () => {
  it.each(STEPS.map((step, i) => [`${i} ${step}`, step] as const))('%s', async (_, step) => {
    const [expected, got] = await Promise.all(
      [theirs, ours].map((ovs) => run(['ovs-ofctl', ...argv(step)], { env: ovs.env })),
    );
    const same = (text: string): string => text.replaceAll(ours.directory, theirs.directory);
    const seen = { ...got, stdout: same(got.stdout), stderr: same(got.stderr) };
    expect(sortQueues(normalise(seen))).toEqual(sortQueues(normalise(expected)));
  });
});
