/**
 * `ovs-ofctl monitor` and `snoop`, which print what comes by itself, at OpenFlow 1.0, 1.3, 1.4 and
 * 1.5: of a bridge of ours as of one of Open vSwitch, and our ofctl as Debian's.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeMessage } from '../../src/openflow/codec/index.js';
import type { OfMessage } from '../../src/openflow/messages.js';
import { parseFlow, parseFlowStatsRequest } from '../../src/openflow/syntax/flow-parse.js';
import { NO_NAMES } from '../../src/openflow/syntax/names.js';
import { BackgroundProcess, eventually, must, run } from '../support/command.js';
import { normalise, words } from '../support/ofctl-steps.js';
import { COMPARED_VERSIONS } from '../support/ofctl-steps-versions.js';
import { DummyOvs } from '../support/ovs-dummy.js';
import { tapswitchBin } from '../support/switch.js';

const THEIRS = ['ovs-ofctl'];
const OURS = [tapswitchBin, 'ofctl'];
const WIRE = { OpenFlow10: 1, OpenFlow13: 4, OpenFlow14: 5, OpenFlow15: 6 } as const;
const FRAME = 'ffffffffffff50540000000908060001080006040001505400000009010203040000000000000506';

let theirs: DummyOvs;
let ours: DummyOvs;
let files: string;

beforeAll(async () => {
  theirs = await DummyOvs.start();
  ours = await DummyOvs.start([tapswitchBin, 'vswitchd']);
  for (const name of ['bra', 'brb']) await theirs.addBridge(name);
  await ours.addBridge('bra');
  files = await mkdtemp(join(tmpdir(), 'tapswitch-monitor-'));
}, 60_000);

afterAll(async () => {
  await theirs?.stop();
  await ours?.stop();
  if (files !== undefined) await rm(files, { recursive: true, force: true });
});

/** What happens in the switch while a monitor listens. */
const EVENTS = [
  'add-flow BR "priority=5,in_port=1,send_flow_rem,cookie=7,actions=output:2"',
  'add-flow BR "table=1,priority=6,tcp,tp_dst=80,idle_timeout=600,actions=dec_ttl,output:2"',
  'mod-flows BR "in_port=1,actions=output:LOCAL"',
  `packet-out BR "in_port=1,packet=${FRAME},actions=controller"`,
  `packet-out BR "in_port=2,packet=${FRAME},actions=set_field:5->reg0,controller(max_len=20)"`,
  'mod-port BR 1 no-flood',
  'mod-port BR 1 flood',
  '--strict del-flows BR "priority=5,in_port=1"',
  'add-group BR group_id=1,type=all,bucket=output:1',
  'add-flow BR "priority=9,send_flow_rem,actions=group:1"',
  'del-groups BR',
  'del-flows BR',
];

/** Without ages, and with one name for the bridge. */
const plain = (text: string): string =>
  normalise({ status: 0, stdout: '', stderr: text })
    .stderr.replace(/duration[\d.]+s/g, 'durationNs')
    .replaceAll('brb', 'bra');

async function monitor(
  program: string[],
  ovs: DummyOvs,
  bridge: string,
  version: string,
  format: string[],
): Promise<string> {
  const { env } = ovs;
  const control = join(files, `${program.length}${bridge}${ovs === ours}.ctl`);
  const argv = ['-O', version, ...format, `--unixctl=${control}`, 'monitor', bridge, '65535'];
  const process = BackgroundProcess.start([...program, ...argv, 'watch:'], { env });
  try {
    const appctl = (...command: string[]) => run(['ovs-appctl', '-t', control, ...command]);
    await eventually('monitor to listen', async () => {
      return (await appctl('ofctl/barrier')).status === 0;
    });
    for (const event of EVENTS) {
      const step = words(event.replaceAll('BR', bridge));
      await run(['ovs-ofctl', '-O', version, ...step], { env });
    }
    const done = await appctl('ofctl/barrier');
    expect(done.status, done.stderr + process.text).toBe(0);
    await appctl('exit');
    await process.finished(10_000);
    // Open vSwitch tells of removals some time later: monitors may hear of them before.
    const lines = plain(process.text).split('\n');
    const removal = (line: string): boolean => line.startsWith('OFPT_FLOW_REMOVED');
    const others = lines.filter((line) => !removal(line));
    return [...others, ...lines.filter(removal)].join('\n');
  } finally {
    await process.stop('SIGKILL');
  }
}

/** A controller that is told what to say. */
class Puppet {
  socket: Socket | null = null;

  private constructor(private readonly server: Server) {}

  static async listen(path: string, version: number): Promise<Puppet> {
    const server = createServer();
    const puppet = new Puppet(server);
    server.on('connection', (socket) => {
      socket.on('error', () => {});
      socket.write(encodeMessage(version, { type: 'hello', versions: [version] }, 1));
      socket.once('data', () => {
        puppet.socket = socket;
      });
      socket.resume();
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
    return puppet;
  }

  close(): void {
    this.socket?.destroy();
    this.server.close();
  }
}

const SAID = 1000;
const LAST = 2000;

/** What the controller says, and the switch answers, while somebody snoops. */
function saidBy(version: number): Uint8Array[] {
  const messages: OfMessage[] = [
    parseFlow('priority=5,in_port=1,cookie=3,actions=output:2', 'add', NO_NAMES).flow,
    parseFlowStatsRequest('', false, NO_NAMES).request,
    { type: 'echo_request', data: Uint8Array.of(1, 2, 3) },
    { type: 'get_config_request' },
    { type: 'role_request', role: 'primary', generationId: 5n },
    parseFlow('in_port=1', 'delete', NO_NAMES).flow,
  ];
  const bad = Uint8Array.of(version, 99, 0, 8, 0, 0, 7, 0xd0);
  const frames = messages.map((msg, i) => encodeMessage(version, msg, SAID + i));
  return [...frames, bad, encodeMessage(version, { type: 'barrier_request' }, LAST)];
}

async function snoop(
  program: string[],
  ovs: DummyOvs,
  bridge: string,
  version: keyof typeof WIRE,
): Promise<string> {
  const { env } = ovs;
  // The only socket of the system to which a switch may be sent.
  const path = join(ovs.directory, `${bridge}.controller`);
  const puppet = await Puppet.listen(path, WIRE[version]);
  let process: BackgroundProcess | undefined;
  try {
    const settings = ['set', 'controller', bridge, 'inactivity_probe=0', 'max_backoff=1000'];
    const protocols = ['set', 'bridge', bridge, `protocols=${version}`];
    const dial = ['set-controller', bridge, `unix:${path}`, '--', ...settings, '--', ...protocols];
    await must(['ovs-vsctl', '--timeout=15', ...dial], { env });
    const socket = await eventually('the switch to connect', () => puppet.socket);
    process = BackgroundProcess.start([...program, '-O', version, 'snoop', bridge], { env });
    const { output } = process;
    await eventually('snoop to listen', () => {
      socket.write(encodeMessage(WIRE[version], { type: 'barrier_request' }, 9));
      return /BARRIER_REPLY.*xid=0x9\b/.test(output.stderr);
    });
    for (const frame of saidBy(WIRE[version])) socket.write(frame);
    const last = new RegExp(`BARRIER_REPLY.*xid=0x${LAST.toString(16)}\\b`);
    await eventually('the end', () => last.test(output.stderr));
    // The greeting of the barriers is as long as it takes.
    return plain(output.stderr).slice(output.stderr.search(/^.*xid=0x3e8\b/m));
  } finally {
    await process?.stop();
    puppet.close();
    await run(['ovs-vsctl', '--timeout=15', 'del-controller', bridge], { env });
    await run(['ovs-vsctl', '--timeout=15', 'clear', 'bridge', bridge, 'protocols'], { env });
  }
}

describe.each(COMPARED_VERSIONS)('%s', (version) => {
  const formats = version === 'OpenFlow10' ? [[], ['-P', 'nxt_packet_in2']] : [[]];

  it.each(formats.map((f) => [f]))(
    'monitor %s',
    async (format) => {
      const expected = await monitor(THEIRS, theirs, 'bra', version, format);
      expect(expected).toMatch(/event=ADDED[\s\S]*PACKET_IN[\s\S]*reason=(delete|action|ADD)/i);
      expect(await monitor(THEIRS, ours, 'bra', version, format), 'our switch').toEqual(expected);
      expect(await monitor(OURS, theirs, 'brb', version, format), 'our ofctl').toEqual(expected);
    },
    60_000,
  );

  it('snoop', async () => {
    const expected = await snoop(THEIRS, theirs, 'bra', version);
    expect(expected).toMatch(/FLOW_MOD[\s\S]*ST_FLOW.* reply[\s\S]*OFPT_ERROR/);
    expect(await snoop(THEIRS, ours, 'bra', version), 'our switch').toEqual(expected);
    expect(await snoop(OURS, theirs, 'brb', version), 'our ofctl').toEqual(expected);
  }, 60_000);
});
