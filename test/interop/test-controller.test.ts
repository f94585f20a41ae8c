/**
 * `tapswitch controller` in each of its modes, as a switch with a database sees it: ours, and with
 * TAPSWITCH_TEST_SWITCH=ovs Debian's Open vSwitch.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type BackgroundProcess, eventually } from '../support/command.js';
import { type Host, Lab } from '../support/lab.js';
import { tapswitchBin } from '../support/switch.js';

const FIRST = '10.1.1.1';
const SECOND = '10.1.1.2';
const LEARNED = /idle_timeout=60, priority=1,in_port=[12],.* actions=output:[12]/;

let lab: Lab;
let first: Host;
let files: string;
let controller: BackgroundProcess | null = null;

beforeAll(async () => {
  files = await mkdtemp(join(tmpdir(), 'tapswitch-controller-'));
  lab = await Lab.start();
  first = await lab.addHost('h1', { port: 'p1', addresses: [`${FIRST}/24`] });
  await lab.addHost('h2', { port: 'p2', addresses: [`${SECOND}/24`] });
  await lab.sw.addBridge('br0');
  await lab.sw.vsctl('set', 'bridge', 'br0', 'fail_mode=secure');
  for (const [i, port] of ['p1', 'p2'].entries()) {
    const ask = ['--', 'set', 'interface', port, `ofport_request=${i + 1}`];
    await lab.sw.vsctl('add-port', 'br0', port, ...ask);
  }
}, 60_000);

afterAll(async () => {
  await lab?.close();
  if (files !== undefined) await rm(files, { recursive: true, force: true });
});

afterEach(async () => {
  await lab.sw.vsctl('del-controller', 'br0');
  await controller?.stop();
  controller = null;
});

/** Starts a controller and has the bridge connect to it, with no flow from before. */
async function drive(version: string, ...options: string[]): Promise<void> {
  const env = lab.sw.environment;
  const argv = [tapswitchBin, 'controller', ...options, 'ptcp:6653:127.0.0.1'];
  controller = lab.namespace.start(argv, { env });
  await lab.sw.vsctl('set', 'bridge', 'br0', `protocols=${version}`);
  await lab.sw.ofctl('-O', version, 'del-flows', 'br0');
  await lab.sw.vsctl('set-controller', 'br0', 'tcp:127.0.0.1:6653');
  const established = ['ss', '-Htn', 'state', 'established', 'sport', '=', ':6653'];
  await eventually('a connection', async () => (await lab.namespace.must(established)) !== '');
}

/** What the database says of it; written every five seconds. */
const connected = (): Promise<boolean> =>
  eventually('the controller to be connected', async () => {
    return (await lab.sw.vsctl('get', 'Controller', 'br0', 'is_connected')).trim() === 'true';
  });

const reached = (): Promise<boolean> =>
  eventually('hosts to reach each other', async () => (await first.ping(SECOND, 1)) === 1);

const flows = (version: string): Promise<string> =>
  lab.sw.ofctl('-O', version, '--no-stats', 'dump-flows', 'br0');

describe('switches learn', () => {
  it.each(['OpenFlow10', 'OpenFlow11', 'OpenFlow12', 'OpenFlow13', 'OpenFlow14', 'OpenFlow15'])(
    'over %s',
    async (version) => {
      await drive(version);
      await reached();
      expect(await flows(version)).toMatch(LEARNED);
    },
    30_000,
  );
});

describe('options', () => {
  it('--hub: every packet to every port', async () => {
    await drive('OpenFlow13', '--hub');
    await reached();
    expect(await flows('OpenFlow13')).toMatch(/priority=1,.* actions=FLOOD/);
  }, 30_000);

  it('--noflow: no flow is set up', async () => {
    await drive('OpenFlow13', '--noflow');
    await reached();
    expect(await flows('OpenFlow13')).not.toMatch(/priority=1/);
  }, 30_000);

  it('--normal: the switch learns by itself', async () => {
    await drive('OpenFlow10', '-N');
    await reached();
    expect(await flows('OpenFlow10')).toMatch(/priority=0 actions=NORMAL/);
  }, 30_000);

  it('--max-idle, --queue and --with-flows', async () => {
    const file = join(files, 'flows');
    await writeFile(file, '# a comment\npriority=9,dl_type=0x1234,actions=drop\n');
    await drive('OpenFlow13', '--max-idle=7', '-q', '0', `--with-flows=${file}`);
    await reached();
    const text = await flows('OpenFlow13');
    expect(text).toMatch(/idle_timeout=7, priority=1,.* actions=set_queue:0,output:/);
    expect(text).toMatch(/priority=9,dl_type=0x1234 actions=drop/);
  }, 30_000);

  it('--port-queue: a queue for packets from one port', async () => {
    await drive('OpenFlow13', '-Q', 'p1:3');
    await reached();
    expect(await first.ping(SECOND, 2)).toBe(2);
    const text = await flows('OpenFlow13');
    expect(text).toMatch(/in_port=1,.* actions=set_queue:3,output:2/);
    expect(text).toMatch(/in_port=2,.* actions=output:1/);
  }, 30_000);

  it('--mute: nothing is said', async () => {
    await drive('OpenFlow10', '--mute');
    await connected();
    expect(await first.ping(SECOND, 2)).toBe(0);
    expect((await flows('OpenFlow10')).trim()).toBe('');
  }, 30_000);
});
