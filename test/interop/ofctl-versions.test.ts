/**
 * Every command of ovs-ofctl that talks to a switch, at OpenFlow 1.0, 1.3, 1.4 and 1.5: Debian's
 * ovs-ofctl prints of a bridge of ours what it prints of one of Open vSwitch, and ours prints of
 * Open vSwitch what Debian's does. Also what a version lacks: the refusals are the same.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Finished, must, run } from '../support/command.js';
import { runOurOfctl } from '../support/ofctl-io.js';
import { normalise, sortQueues, words } from '../support/ofctl-steps.js';
import {
  COMPARED_VERSIONS,
  SWITCHES_DIFFER,
  VERSION_FILES,
  VERSION_STEPS,
} from '../support/ofctl-steps-versions.js';
import { DummyOvs } from '../support/ovs-dummy.js';
import { tapswitchBin } from '../support/switch.js';

/** Debian's ovs-ofctl on `bra` of both switches; on `brb` of Open vSwitch there is our ofctl. */
const BRIDGE = 'bra';
const OURS = 'brb';

let theirs: DummyOvs;
let ours: DummyOvs;
let files: string;

beforeAll(async () => {
  theirs = await DummyOvs.start();
  ours = await DummyOvs.start([tapswitchBin, 'vswitchd']);
  for (const ovs of [theirs, ours]) await ovs.addBridge(BRIDGE);
  await theirs.addBridge(OURS);
  files = await mkdtemp(join(tmpdir(), 'tapswitch-ofctl-'));
  for (const [name, text] of Object.entries(VERSION_FILES)) {
    await writeFile(join(files, name), text);
  }
}, 60_000);

afterAll(async () => {
  await theirs?.stop();
  await ours?.stop();
  if (files !== undefined) await rm(files, { recursive: true, force: true });
});

function argv(version: string, step: string, bridge: string): string[] {
  const args = words(step).map((word) =>
    word.replaceAll('BR', bridge).replace(/^FILE\d$/, (name) => join(files, name)),
  );
  return ['-O', version, ...args];
}

/** Without what differs from run to run: the order of a hash, the age of a meter, rates. */
function comparable(finished: Finished): Finished {
  const { stdout, ...rest } = normalise(finished);
  const lines = stdout
    .replace(/duration:[\d.]+s/g, 'duration:Ns')
    .replace(/Finished in .*/, 'Finished')
    .split('\n');
  if (lines.some((line) => /^[-+].* actions=/.test(line))) lines.sort();
  return { ...rest, stdout: lines.join('\n') };
}

describe.each(COMPARED_VERSIONS)('%s', (version) => {
  it.each(VERSION_STEPS.map((step, i) => [`${i} ${step}`, step] as const))(
    '%s',
    async (_, step) => {
      const debian = (ovs: DummyOvs) =>
        run(['ovs-ofctl', ...argv(version, step, BRIDGE)], { env: ovs.env });
      const [expected, seen, printed] = await Promise.all([
        debian(theirs),
        debian(ours),
        runOurOfctl(argv(version, step, OURS), theirs.env),
      ]);
      const same = (text: string): string =>
        text.replaceAll(ours.directory, theirs.directory).replaceAll(OURS, BRIDGE);
      const moved = (got: Finished): Finished =>
        comparable({ ...got, stdout: same(got.stdout), stderr: same(got.stderr) });
      const wanted = comparable(expected);
      expect(moved(printed), 'our ofctl').toEqual(wanted);
      if (SWITCHES_DIFFER.test(`${version} ${step}`)) return;
      expect(sortQueues(moved(seen)), 'our switch').toEqual(sortQueues(wanted));
    },
  );
});

it('no command that ovs-ofctl has for switches is left out', async () => {
  const listed = await must(['ovs-ofctl', 'list-commands']);
  const commands = [...listed.matchAll(/^ {2}(\S+) +(?:switch|target)/gm)].map(([, name]) => name);
  expect(commands.length).toBeGreaterThan(45);
  const said = new Set(VERSION_STEPS.flatMap((step) => step.split(' ')));
  expect(commands.filter((name) => !said.has(name))).toEqual([]);
});
