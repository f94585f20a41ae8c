/**
 * Debian's unmodified ovs-vsctl, ovs-ofctl and ovs-appctl against our daemon: every command of the
 * bond experiment, and the same text from our own tools.
 *
 *     h1 -- p1 [br0] bond0 { m0 == n0, m1 == n1 }  (the far ends belong to nobody)
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, must, run } from '../support/command.js';
import { type Host, Lab } from '../support/lab.js';
import { isTapswitch, type Switch, userspaceBridge } from '../support/switch.js';

let lab: Lab;
let sw: Switch;
let h1: Host;

const vsctl = (...args: string[]) => sw.ovsTool('vsctl', '--timeout=15', ...args);
const ofctl = (...args: string[]) => sw.ovsTool('ofctl', ...args);
const appctl = (...args: string[]) => sw.ovsTool('appctl', ...args);

beforeAll(async () => {
  lab = await Lab.start();
  sw = lab.sw;
  h1 = await lab.addHost('h1', { port: 'p1', addresses: ['10.7.0.1/24'] });
  await lab.addHost('h2', { port: 'p2', addresses: ['10.7.0.2/24'] });
  await lab.addWire('m0', 'n0');
  await lab.addWire('m1', 'n1');
}, 60_000);

afterAll(() => lab?.close());

it('uses the tools of Debian', async () => {
  expect(await must(['ovs-vsctl', '--version'])).toMatch(/^ovs-vsctl \(Open vSwitch\) /);
});

describe('ovs-vsctl', () => {
  it('adds a bridge, a bond and ports, and waits until they are there', async () => {
    await vsctl('add-br', 'br0', ...userspaceBridge('br0'));
    await vsctl('add-bond', 'br0', 'bond0', 'm0', 'm1');
    await vsctl('add-port', 'br0', 'p1', '--', 'add-port', 'br0', 'p2');
    expect(await lab.namespace.hasLink('br0')).toBe(true);
    expect((await vsctl('list-ports', 'br0')).split('\n').sort()).toEqual([
      '',
      'bond0',
      'p1',
      'p2',
    ]);
    expect((await vsctl('list-ifaces', 'br0')).trim().split('\n').sort()).toEqual([
      'm0',
      'm1',
      'p1',
      'p2',
    ]);
  });

  it('shows them', async () => {
    const text = await vsctl('show');
    expect(text).toMatch(/^[0-9a-f-]{36}$/m);
    expect(text).toMatch(/^ {4}Bridge br0$/m);
    expect(text).toMatch(/^ {8}Port bond0\n( {12}Interface m[01]\n){2}/m);
    expect(text).toMatch(/^ {12}Interface br0\n {16}type: internal$/m);
  });

  it('lists, sets and clears', async () => {
    await vsctl('set', 'Port', 'p1', 'tag=7', '--', 'set', 'Interface', 'p1', 'external_ids:a=b');
    expect(await vsctl('get', 'Port', 'p1', 'tag')).toBe('7\n');
    const text = await vsctl('--columns=name,external_ids,ofport', 'list', 'Interface', 'p1');
    expect(text).toMatch(/^name +: p1$/m);
    expect(text).toMatch(/^external_ids +: \{a=b\}$/m);
    expect(text).toMatch(/^ofport +: \d+$/m);
    await vsctl(
      'clear',
      'Port',
      'p1',
      'tag',
      '--',
      'remove',
      'Interface',
      'p1',
      'external_ids',
      'a',
    );
    expect(await vsctl('get', 'Port', 'p1', 'tag')).toBe('[]\n');
  });

  it('reports a problem of an interface as it does with Open vSwitch', async () => {
    const argv = ['ovs-vsctl', '--timeout=15', 'add-port', 'br0', 'nosuch'];
    const { stderr } = await run(argv, { env: sw.environment });
    expect(stderr).toContain("ovs-vsctl: Error detected while setting up 'nosuch': ");
    expect(stderr).toContain('could not open network device nosuch (No such device)');
    await vsctl('del-port', 'nosuch');
  });

  it('says why a bridge with a slash in its name is not made', async () => {
    const argv = ['ovs-vsctl', '--timeout=15', 'add-br', 'a/b'];
    const { stderr } = await run(argv, { env: sw.environment });
    expect(stderr).toContain("Error detected while setting up 'a/b': ");
    await vsctl('del-br', 'a/b');
    if (isTapswitch) expect(stderr).toContain("may not be empty or have '/' in it");
  });

  it('refuses nonsense', async () => {
    const argv = ['ovs-vsctl', '--timeout=15', 'set', 'Port', 'p1', 'tag=5000'];
    const { status, stderr } = await run(argv, { env: sw.environment });
    expect(status).toBe(1);
    expect(stderr).toMatch(/constraint violation/);
  });
});

describe('ovs-ofctl', () => {
  it('shows the ports', async () => {
    const text = await ofctl('show', 'br0');
    expect(text).toMatch(/^OFPT_FEATURES_REPLY \(xid=0x2\): dpid:[0-9a-f]{16}$/m);
    expect(text).toMatch(/^n_tables:254, n_buffers:0$/m);
    expect(text).toMatch(/^ LOCAL\(br0\): addr:/m);
    expect(text).toMatch(/^OFPT_GET_CONFIG_REPLY \(xid=0x4\): frags=normal miss_send_len=0$/m);
  });

  it('adds, dumps and deletes flows', async () => {
    await ofctl('add-flow', 'br0', 'priority=100,in_port=1,actions=output:2');
    await ofctl('add-flow', 'br0', 'priority=90,arp,dl_src=02:00:00:00:00:01,actions=drop');
    await ofctl('add-flow', 'br0', 'priority=80,tcp,nw_dst=10.0.0.0/8,tp_dst=80,actions=NORMAL');
    const text = await ofctl('--no-stats', 'dump-flows', 'br0');
    expect(text.split('\n').map((line) => line.trim())).toEqual([
      'priority=100,in_port=1 actions=output:2',
      'priority=90,arp,dl_src=02:00:00:00:00:01 actions=drop',
      'priority=80,tcp,nw_dst=10.0.0.0/8,tp_dst=80 actions=NORMAL',
      'priority=0 actions=NORMAL',
      '',
    ]);
    await ofctl('del-flows', 'br0', 'in_port=1');
    await ofctl('--strict', 'del-flows', 'br0', 'priority=90,arp,dl_src=02:00:00:00:00:01');
    await ofctl('del-flows', 'br0', 'tcp');
    expect((await ofctl('--no-stats', 'dump-flows', 'br0')).trim()).toBe(
      'priority=0 actions=NORMAL',
    );
  });

  it('counts packets of flows and ports', async () => {
    await eventually('the ping to pass', async () => (await h1.ping('10.7.0.2', 1)) === 1);
    await h1.ping('10.7.0.2', 3);
    const counted = async () => {
      const flows = await ofctl('dump-flows', 'br0');
      return Number(flows.match(/n_packets=(\d+)/)?.[1]) >= 6;
    };
    await eventually('the packets in the flow', counted, 5000);
    const ports = await ofctl('dump-ports', 'br0');
    expect(ports).toMatch(/^OFPST_PORT reply \(xid=0x2\): 5 ports$/m);
    expect(ports).toMatch(/^ {2}port +\d+: rx pkts=\d+, bytes=\d+, drop=\d+, errs=\d+, frame=/m);
    expect(ports).toMatch(/^ {11}tx pkts=\d+, bytes=\d+, drop=\d+, errs=\d+, coll=\d+$/m);
  });

  it('refuses a flow that makes no sense, with the reason', async () => {
    const argv = ['ovs-ofctl', 'add-flow', 'br0', 'in_port=1,actions=output:70000'];
    const { status } = await run(argv, { env: sw.environment });
    expect(status).toBe(1);
  });
});

describe('ovs-appctl', () => {
  it('shows bonds', async () => {
    const text = await appctl('bond/show', 'bond0');
    expect(text).toMatch(/^---- bond0 ----\nbond_mode: active-backup\n/);
    const list = await appctl('bond/list');
    expect(list).toMatch(/^bond\ttype\trecircID\tmembers$/m);
    expect(list).toMatch(/^bond0\tactive-backup\t/m);
  });

  it('shows learned addresses', async () => {
    await h1.ping('10.7.0.2', 1);
    const text = await appctl('fdb/show', 'br0');
    expect(text).toMatch(/^ port {2}VLAN {2}MAC {16}Age$/m);
    expect(text).toContain(h1.mac);
  });

  it('shows the datapath and its flows', async () => {
    const text = await appctl('dpctl/show');
    expect(text).toMatch(/^ {2}lookups: hit:\d+ missed:\d+ lost:\d+\n {2}flows: \d+$/m);
    expect(text).toMatch(/^ {2}port \d+: br0 \(tap\)$/m);
    await h1.ping('10.7.0.2', 2);
    const flows = await appctl('dpctl/dump-flows');
    expect(flows).toMatch(/in_port\(\d+\),.*eth_type\(0x0800\).* actions:\d+$/m);
  });

  it('traces a packet', async () => {
    const text = await appctl('ofproto/trace', 'br0', `in_port=1,dl_dst=${h1.mac}`);
    expect(text).toMatch(/^Flow: /m);
    expect(text).toMatch(/^Megaflow: /m);
    expect(text).toMatch(/^Datapath actions: /m);
  });

  it('says no to a command that does not exist', async () => {
    const { status, stderr } = await run(['ovs-appctl', 'no/such'], { env: sw.environment });
    expect(status).not.toBe(0);
    expect(stderr).toContain('"no/such" is not a valid command');
  });
});

describe('our own tools print the same', () => {
  const volatile = [
    /duration=[\d.]+s/g,
    /idle_age=\d+/g,
    /used:[\d.]+s|used:never/g,
    /(packets|bytes|n_packets|n_bytes|rx pkts|tx pkts|hit|missed)[:=]\d+/g,
    /xid=0x[0-9a-f]+/g,
    / +\d+$/gm, // ages of fdb/show
  ];
  const stable = (text: string) => {
    const still = volatile.reduce((all, part) => all.replace(part, '*'), text);
    return still.trim().split('\n\n').sort(); // rows of a list come in no order
  };

  it.each<['vsctl' | 'ofctl' | 'appctl', string[]]>([
    ['vsctl', ['show']],
    ['vsctl', ['list', 'Port', 'bond0']],
    ['vsctl', ['--columns=name,type,ofport', 'list', 'Interface']],
    ['vsctl', ['--format=json', 'list', 'Bridge']],
    ['vsctl', ['get', 'Bridge', 'br0', 'datapath_id']],
    ['vsctl', ['list-br']],
    ['ofctl', ['show', 'br0']],
    ['ofctl', ['dump-flows', 'br0']],
    ['ofctl', ['--no-stats', 'dump-flows', 'br0']],
    ['ofctl', ['dump-ports', 'br0']],
    ['appctl', ['bond/show']],
    ['appctl', ['dpctl/show']],
    ['appctl', ['version']],
    ['appctl', ['ofproto/trace', 'br0', 'in_port=1,arp']],
  ])('%s %j', async (tool, args) => {
    const ours = await sw.try(tool, ...args);
    expect(ours.stderr).toBe('');
    expect(stable(ours.stdout)).toEqual(stable(await sw.ovsTool(tool, ...args)));
  });
});

it('removes a bond with ovs-vsctl del-port, and a bridge with del-br', async () => {
  await vsctl('del-port', 'bond0');
  expect(await vsctl('list-ports', 'br0')).not.toContain('bond0');
  await vsctl('del-br', 'br0');
  expect(await vsctl('list-br')).toBe('');
  expect(await lab.namespace.hasLink('br0')).toBe(false);
});
