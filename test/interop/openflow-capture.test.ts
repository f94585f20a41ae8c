/**
 * tshark's OpenFlow dissector reads what Open vSwitch, ovs-ofctl, our switch and our ofctl say, at
 * four versions. The dissector has faults of its own: it calls some messages of Open vSwitch
 * malformed. Ours may have no more: of each kind of message only what it says of Open vSwitch's.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { BackgroundProcess, must, run } from '../support/command.js';
import { runOurOfctl } from '../support/ofctl-io.js';
import { words } from '../support/ofctl-steps.js';
import {
  OpenFlowRecorder,
  type RecordedMessage,
  writeCapture,
} from '../support/openflow-recorder.js';
import { captureSession } from '../support/openflow-session.js';
import { DummyOvs } from '../support/ovs-dummy.js';
import { tapswitchBin } from '../support/switch.js';

const VERSIONS = ['OpenFlow10', 'OpenFlow13', 'OpenFlow14', 'OpenFlow15'];
const BRIDGE = 'bra';

let theirs: DummyOvs;
let ours: DummyOvs;
let files: string;

beforeAll(async () => {
  theirs = await DummyOvs.start();
  ours = await DummyOvs.start([tapswitchBin, 'vswitchd']);
  for (const ovs of [theirs, ours]) {
    await ovs.addBridge(BRIDGE);
    const all = 'protocols=OpenFlow10,OpenFlow11,OpenFlow12,OpenFlow13,OpenFlow14,OpenFlow15';
    await must(['ovs-vsctl', 'set', 'bridge', BRIDGE, all], { env: ovs.env });
  }
  files = await mkdtemp(join(tmpdir(), 'tapswitch-capture-'));
}, 60_000);

afterAll(async () => {
  await theirs?.stop();
  await ours?.stop();
  if (files !== undefined) await rm(files, { recursive: true, force: true });
});

type Ofctl = (argv: string[], env: NodeJS.ProcessEnv) => Promise<unknown>;

const debian: Ofctl = (argv, env) => run(['ovs-ofctl', '-t', '10', ...argv], { env });
const own: Ofctl = (argv, env) => runOurOfctl(argv, env);

/** Records a session of every version; a monitor of Debian's listens to what comes unasked. */
async function record(name: string, ovs: DummyOvs, ofctl: Ofctl): Promise<RecordedMessage[]> {
  const path = join(files, name);
  const recorder = await OpenFlowRecorder.start(path, join(ovs.directory, `${BRIDGE}.mgmt`));
  const target = `unix:${path}`;
  for (const version of VERSIONS) {
    const argv = ['ovs-ofctl', '-O', version, 'monitor', target, '65535'];
    const monitor = BackgroundProcess.start(argv, { env: ovs.env });
    for (const step of captureSession()) {
      await ofctl(['-O', version, ...words(step.replaceAll('BR', target))], ovs.env);
    }
    await monitor.stop();
  }
  await recorder.stop();
  return recorder.messages;
}

/** A message's kind: what it is, and from which side. */
function kindOf({ fromSwitch, frame }: RecordedMessage): string {
  const [version, type] = frame;
  const isMultipart = version === 1 ? type === 16 || type === 17 : type === 18 || type === 19;
  const part = isMultipart ? `/${frame.readUInt16BE(8)}` : '';
  const vendor = type === 4 ? `/${frame.readUInt32BE(12)}` : '';
  return `version ${version} ${fromSwitch ? 'switch' : 'client'} type ${type}${part}${vendor}`;
}

/** What the dissector finds amiss, by kind of message. */
async function findFaults(name: string, messages: RecordedMessage[]): Promise<Set<string>> {
  // Each kind once is enough, and each of its lengths: they differ by what is in them.
  const seen = new Map<string, RecordedMessage>();
  for (const m of messages) seen.set(`${kindOf(m)} ${m.frame.length}`, m);
  const chosen = [...seen.values()].filter(({ frame }) => frame.length < 60_000);
  const capture = join(files, `${name}.pcap`);
  await writeCapture(capture, chosen);
  const filter = '_ws.malformed or _ws.expert.severity == "Error"';
  const text = await must(
    ['tshark', '-n', '-r', capture, '-Y', filter, '-T', 'fields', '-e', 'frame.number'],
    { timeoutMs: 60_000 },
  );
  const numbers = text.split('\n').filter((line) => line !== '');
  return new Set(numbers.map((n) => kindOf(chosen[Number(n) - 1])));
}

it('finds no fault in ours that it does not find in Open vSwitch', {
  timeout: 120_000,
}, async () => {
  const [reference, ourSwitch] = await Promise.all([
    record('a', theirs, debian),
    record('b', ours, debian),
  ]);
  const ourClient = await record('c', theirs, own);
  const kinds = new Set(reference.map(kindOf));
  expect(kinds.size).toBeGreaterThan(150);
  const known = await findFaults('a', reference);
  for (const [name, messages] of [
    ['our switch', ourSwitch],
    ['our ofctl', ourClient],
  ] as const) {
    expect(new Set(messages.map(kindOf)).size, name).toBeGreaterThan(150);
    const faults = [...(await findFaults(name, messages))].filter((kind) => !known.has(kind));
    expect(faults, name).toEqual([]);
  }
});
