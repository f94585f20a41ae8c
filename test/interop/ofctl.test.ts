/**
 * The same command lines through Debian's ovs-ofctl and ours, each on a bridge of its own of one
 * Open vSwitch: output, errors and exit status must be the same but for times, hardware addresses
 * of dummy devices and logged warnings.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../support/command.js';
import { runOurOfctl } from '../support/ofctl-io.js';
import { FLOW_FILES, normalise, OFCTL_STEPS, words } from '../support/ofctl-steps.js';
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
    const same = (text: string): string => text.replaceAll(OURS, THEIRS);
    const seen = { ...ours, stdout: same(ours.stdout), stderr: same(ours.stderr) };
    expect(normalise(seen)).toEqual(normalise(theirs));
  });
});
