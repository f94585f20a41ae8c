/**
 * A bond between our switch and Debian's Open vSwitch: LACP negotiated both ways, the three modes,
 * links that go down under traffic at either end.
 *
 *     m: eth0 10.10.10.1 -- vethn [br1, ours] bond1 { vetha == vethb } bond2 [br2, OVS] vethz -- w
 *                                                   { vethx == vethy }
 *
 * Traffic begins at either host, and links go down at either end: our switch has both places.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { enabledMembers, flapWithin } from '../support/bond-traffic.js';
import { eventually } from '../support/command.js';
import { Host, Lab } from '../support/lab.js';
import { Namespace } from '../support/netns.js';
import { OvsPeer } from '../support/ovs-peer.js';
import type { Switch } from '../support/switch.js';

const WEST = '10.10.10.1';
const EAST = '10.10.10.2';

let lab: Lab;
let sw: Switch;
let ovs: OvsPeer;
let west: Host;
let east: Host;

beforeAll(async () => {
  lab = await Lab.start();
  sw = lab.sw;
  const far = await Namespace.make('ovs');
  lab.onClose('peer namespace', () => far.remove());
  ovs = await OvsPeer.start(far);
  lab.onClose('peer', () => ovs.remove());
  for (const [one, other] of [
    ['vetha', 'vethb'],
    ['vethx', 'vethy'],
  ]) {
    await lab.namespace.ip('link', 'add', one, 'type', 'veth', 'peer', other, 'netns', far.name);
    await lab.namespace.ip('link', 'set', one, 'up');
    await far.ip('link', 'set', other, 'up');
  }
  west = await lab.addHost('m', { port: 'vethn', addresses: [`${WEST}/24`] });
  east = await farHost(far);
  await sw.addBridge('br1');
  await sw.vsctl('add-port', 'br1', 'vethn');
  await ovs.addBridge('br2');
  await ovs.vsctl('add-port', 'br2', 'vethz');
}, 90_000);

afterAll(() => lab?.close());

/** A host behind the peer. Its interface computes checksums itself: OVS's userspace does not. */
async function farHost(far: Namespace): Promise<Host> {
  const namespace = await Namespace.make('w');
  lab.onClose('host w', () => namespace.remove());
  const peer = ['peer', 'name', 'eth0', 'netns', namespace.name];
  await far.ip('link', 'add', 'vethz', 'type', 'veth', ...peer);
  await far.ip('link', 'set', 'vethz', 'up');
  await namespace.ip('addr', 'add', `${EAST}/24`, 'dev', 'eth0');
  await namespace.ip('link', 'set', 'eth0', 'up');
  await namespace.must(['ethtool', '-K', 'eth0', 'tx', 'off']);
  return new Host(namespace, 'eth0', 'vethz', await namespace.macOf('eth0'));
}

async function bonds(ours: string[], theirs: string[]): Promise<void> {
  await sw.vsctl('--if-exists', 'del-port', 'br1', 'bond1');
  await ovs.vsctl('--if-exists', 'del-port', 'br2', 'bond2');
  await sw.vsctl('add-bond', 'br1', 'bond1', 'vetha', 'vethx', ...ours);
  await ovs.vsctl('add-bond', 'br2', 'bond2', 'vethb', 'vethy', ...theirs);
}

async function shows(): Promise<string[]> {
  return [await sw.appctl('bond/show', 'bond1'), await ovs.appctl('bond/show', 'bond2')];
}

async function allEnabled(): Promise<void> {
  const all = async () => (await shows()).every((text) => enabledMembers(text).length === 2);
  await eventually('all members to be enabled', all, 40_000);
}

const pingPasses = () =>
  eventually('the ping to pass', async () => (await west.ping(EAST, 1)) === 1, 10_000);

/** lacp/show without what differs from run to run or from end to end. */
function shape(lacpShow: string): string {
  return lacpShow
    .replace(/(sys_id|port_id|key|sys_priority|member): \S+/g, '$1')
    .replace(/ (bond\d|expired)/g, '');
}

describe.each([
  ['active-backup, no LACP', ['bond_mode=active-backup', 'other_config:bond-primary=']],
  ['balance-slb, no LACP', ['bond_mode=balance-slb']],
  ['active-backup', ['bond_mode=active-backup', 'lacp=']],
  ['balance-slb', ['bond_mode=balance-slb', 'lacp=']],
  ['balance-tcp', ['bond_mode=balance-tcp', 'lacp=']],
] as [string, string[]][])('%s', (mode, settings) => {
  const filled = (end: 0 | 1, roles: [string, string]) =>
    settings.map((s) => {
      if (s === 'lacp=') return `lacp=${roles[end]}`;
      return s.endsWith('primary=') ? s + ['vetha', 'vethb'][end] : s;
    });

  const roles: [string, string][] = mode.endsWith('no LACP')
    ? [['', '']]
    : [
        ['active', 'passive'],
        ['passive', 'active'],
      ];

  it.each(roles)(
    'works (LACP here %s, there %s), and survives its links',
    async (here, there) => {
      await bonds(filled(0, [here, there]), filled(1, [here, there]));
      await allEnabled();
      await pingPasses();
      expect(await east.ping(WEST, 3)).toBe(3);
      const lacp = here === '' ? 'off' : 'negotiated';
      for (const text of await shows()) expect(text).toMatch(`\nlacp_status: ${lacp}\n`);
      const wires = [
        { namespace: lab.namespace, device: 'vetha' },
        { namespace: ovs.namespace, device: 'vethy' },
      ];
      const traffic =
        here === 'passive' ? { host: east, address: WEST } : { host: west, address: EAST };
      const from = here === 'passive' ? "Open vSwitch's end" : 'our end';
      for (const wire of wires) {
        const what = `${mode} ${here}/${there}, from ${from}: ${wire.device}`;
        // Open vSwitch's end looks at its links every 100 ms or so.
        const cost = await flapWithin(60, what, wire, traffic, allEnabled);
        expect(cost.down).toBeLessThanOrEqual(60);
      }
    },
    120_000,
  );
});

describe('an inactive member', () => {
  const port = async (end: Pick<Switch, 'vsctl'>, name: string): Promise<string> =>
    (await end.vsctl('get', 'interface', name, 'ofport')).trim();

  async function bothOn(here: string, there: string): Promise<void> {
    await bonds(
      ['bond_mode=active-backup', `other_config:bond-primary=${here}`],
      ['bond_mode=active-backup', `other_config:bond-primary=${there}`],
    );
    await allEnabled();
    await pingPasses();
  }

  it("of ours takes no broadcast that Open vSwitch's end sends by it, and says so", async () => {
    await bothOn('vetha', 'vethb');
    const [vethz, vethy] = [await port(ovs, 'vethz'), await port(ovs, 'vethy')];
    await ovs.ofctl('add-flow', 'br2', `in_port=${vethz},actions=output:${vethy}`);
    await east.namespace.ip('neigh', 'flush', 'all');
    expect(await east.ping(WEST, 2)).toBe(0);
    const flows = await sw.appctl('dpctl/dump-flows', '--names');
    const drop = new RegExp(`in_port\\(vethx\\).*src=${east.mac},dst=ff:.*actions:drop$`, 'm');
    expect(flows).toMatch(drop);
    await ovs.ofctl('del-flows', 'br2', `in_port=${vethz}`);
    await pingPasses();
  }, 60_000);

  it("of Open vSwitch's takes no broadcast that our end sends by it", async () => {
    await bothOn('vetha', 'vethb');
    const [vethn, vethx] = [await port(sw, 'vethn'), await port(sw, 'vethx')];
    await sw.ofctl('add-flow', 'br1', `in_port=${vethn},actions=output:${vethx}`);
    await west.namespace.ip('neigh', 'flush', 'all');
    expect(await west.ping(EAST, 2)).toBe(0);
    const flows = await ovs.appctl('dpctl/dump-flows', '--names');
    const drop = new RegExp(`in_port\\(vethy\\).*src=${west.mac},dst=ff:.*actions:drop$`, 'm');
    expect(flows).toMatch(drop);
    await sw.ofctl('del-flows', 'br1', `in_port=${vethn}`);
    await pingPasses();
  }, 60_000);

  it('is no way out when all members are down: nothing passes, and all comes back', async () => {
    await bothOn('vetha', 'vethb');
    for (const name of ['vetha', 'vethx']) await lab.namespace.ip('link', 'set', name, 'down');
    const none = async () => (await shows()).every((s) => s.includes('00:00:00:00:00:00(none)'));
    await eventually('both ends to be without member', none, 10_000);
    expect(await west.ping(EAST, 2)).toBe(0);
    await lab.namespace.ip('link', 'set', 'vethx', 'up');
    await eventually('the ping to pass', async () => (await west.ping(EAST, 1)) === 1, 10_000);
    expect(await sw.appctl('bond/show', 'bond1')).toMatch(/^active member mac: \S+\(vethx\)$/m);
    await lab.namespace.ip('link', 'set', 'vetha', 'up');
    await allEnabled();
  }, 60_000);
});

it('prints lacp/show and lacp/show-stats in the words of Open vSwitch', async () => {
  await bonds(['bond_mode=balance-tcp', 'lacp=active'], ['bond_mode=balance-tcp', 'lacp=active']);
  await allEnabled();
  const ours = await sw.appctl('lacp/show', 'bond1');
  expect(shape(ours)).toBe(shape(await ovs.appctl('lacp/show', 'bond2')));
  const numberless = (text: string) =>
    text.replace(/mac: \S+| {2}active member\n|\d+|bond\d|veth\w/g, '');
  expect(numberless(await sw.appctl('lacp/show-stats', 'bond1'))).toBe(
    numberless(await ovs.appctl('lacp/show-stats', 'bond2')),
  );
  expect(numberless((await shows())[0])).toBe(numberless((await shows())[1]));
}, 60_000);

it('carries TCP over balance-tcp', async () => {
  // Its userspace takes in neither large segments nor unfinished checksums.
  await west.namespace.must(['ethtool', '-K', 'eth0', 'tx', 'off']);
  await pingPasses();
  const server = east.namespace.start(['iperf3', '-s', '-1']);
  await new Promise((resolve) => setTimeout(resolve, 500));
  const result = await west.namespace.must(['iperf3', '-c', EAST, '-t', '2', '-P', '4', '-J'], {
    timeoutMs: 20_000,
  });
  await server.stop();
  expect(JSON.parse(result).end.sum_received.bytes).toBeGreaterThan(1_000_000);
}, 60_000);
