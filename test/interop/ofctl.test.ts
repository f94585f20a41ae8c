/**
 * The same command lines through Debian's ovs-ofctl and ours, each on a bridge of its own of one
 * Open vSwitch: output, errors and exit status must be the same but for times, hardware addresses
 * of dummy devices and logged warnings.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Finished, run } from '../support/command.js';
import { runOurOfctl } from '../support/ofctl-io.js';
import { FLOW_FILES, OFCTL_STEPS, words } from '../support/ofctl-steps.js';
import { DummyOvs } from '../support/ovs-dummy.js';

const THEIRS = 'bra';
const OURS = 'brb';

let ovs: DummyOvs;
let files: string;

beforeAll(async () => {
  ovs = await DummyOvs.start();
  await ovs.addBridge(THEIRS);
  await ovs.addBridge(OURS);
  files = await mkdtemp(join(tmpdir(), 'tapswitch-ofctl-'));
  for (const [name, text] of Object.entries(FLOW_FILES)) await writeFile(join(files, name), text);
});

afterAll(async () => {
  await ovs?.stop();
  if (files !== undefined) await rm(files, { recursive: true, force: true });
});

function argv(step: string, bridge: string): string[] {
  return words(step).map((word) =>
    word.replaceAll('BR', bridge).replace(/^FILE\d$/, (name) => join(files, name)),
  );
}

/** Open vSwitch lists groups in the order of a hash. */
function sortGroups(text: string): string {
  if (!/^ group_id=/m.test(text)) return text;
  const [head, ...lines] = text.split('\n');
  return [head, ...lines.sort()].join('\n');
}

/** Without what differs from run to run and between the two bridges. */
function normalise({ status, stdout, stderr }: Finished): Finished {
  const same = (text: string): string =>
    text
      .replaceAll(OURS, THEIRS)
      .replace(/duration=[\d.]+s/g, 'duration=Ns')
      .replace(/(idle|hard)_age=\d+(, )?/g, '')
      .replace(/time=[\d.]+ ms/g, 'time=N ms')
      .replace(/addr:aa:55:aa:55:..:../g, 'addr:<dummy>')
      .replace(/^\d{4}-\d\d-\d\dT[\d:]+Z\|\d+\|\w+\|WARN\|.*\n/gm, '');
  return { status, stdout: sortGroups(same(stdout)), stderr: same(stderr) };
}

describe('the same commands give the same answers', () => {
  it('and they are real ones: the bridges answer', async () => {
    expect(OFCTL_STEPS.length).toBeGreaterThanOrEqual(150);
    const ours = await runOurOfctl(['show', OURS], ovs.env);
    expect(ours.status).toBe(0);
    expect(ours.stdout).toContain('OFPT_FEATURES_REPLY (xid=0x2): dpid:0000000000000002');
  });

  it.each(OFCTL_STEPS.map((step, i) => [`${i} ${step}`, step] as const))('%s', async (_, step) => {
    const { env } = ovs;
    const theirs = await run(['ovs-ofctl', ...argv(step, THEIRS)], { env });
    const ours = await runOurOfctl(argv(step, OURS), env);
    expect(normalise(ours)).toEqual(normalise(theirs));
  });
});
