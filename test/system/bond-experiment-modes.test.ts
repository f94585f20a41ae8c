/**
 * The steps of the bond experiment in the balancing modes, and what a restart must not change.
 *
 *     m: eth0 10.10.10.1 -- vethn [br1] bond1 { vetha == vethb } bond2 [br2] vethz -- w: 10.10.10.2
 *                                             { vethx == vethy }
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { enabledMembers } from '../support/bond-traffic.js';
import { eventually } from '../support/command.js';
import { type Host, Lab } from '../support/lab.js';
import { isTapswitch, type Switch } from '../support/switch.js';

const WEST = '10.10.10.1';
const EAST = '10.10.10.2';
const SLB = ['bond_mode=balance-slb'];
const TCP = ['bond_mode=balance-tcp', 'lacp=active', 'other_config:lacp-time=fast'];

let lab: Lab;
let sw: Switch;
let west: Host;
let east: Host;

beforeAll(async () => {
  lab = await Lab.start();
  sw = lab.sw;
  west = await lab.addHost('m', { port: 'vethn', addresses: [`${WEST}/24`] });
  east = await lab.addHost('w', { port: 'vethz', addresses: [`${EAST}/24`] });
  await lab.addWire('vetha', 'vethb');
  await lab.addWire('vethx', 'vethy');
  await sw.addBridge('br1');
  await sw.addBridge('br2');
  await sw.vsctl('add-port', 'br1', 'vethn', '--', 'add-port', 'br2', 'vethz');
}, 90_000);

afterAll(() => lab?.close());

const show = (bond = 'bond1'): Promise<string> => sw.appctl('bond/show', bond);
const setLink = (device: string, state: 'up' | 'down'): Promise<string> =>
  lab.namespace.ip('link', 'set', 'dev', device, state);
const pingPasses = () =>
  eventually('the ping to pass', async () => (await west.ping(EAST, 1)) === 1, 15_000);

async function allEnabled(): Promise<void> {
  const all = async () => {
    const texts = await Promise.all(['bond1', 'bond2'].map(show));
    return texts.every((text) => enabledMembers(text).length === 2);
  };
  await eventually('all members to be enabled', all, 15_000);
}

describe.each([
  ['balance-slb', SLB, 'off'],
  ['balance-tcp', TCP, 'negotiated'],
] as [string, string[], string][])('%s', (mode, settings, lacp) => {
  beforeAll(async () => {
    await sw.vsctl('--if-exists', 'del-port', 'bond1', '--', '--if-exists', 'del-port', 'bond2');
    await sw.vsctl('add-bond', 'br1', 'bond1', 'vetha', 'vethx', ...settings);
    await sw.vsctl('add-bond', 'br2', 'bond2', 'vethb', 'vethy', ...settings);
    await allEnabled();
  });

  it('1: pings both ways', async () => {
    await pingPasses();
    expect(await west.ping(EAST, 5)).toBe(5);
    expect(await east.ping(WEST, 5)).toBe(5);
  });

  it('2: is a port in the configuration alone', async () => {
    expect(await sw.vsctl('list-ports', 'br1')).toBe('bond1\nvethn\n');
    for (const text of [await sw.ofctl('show', 'br1'), await sw.appctl('dpctl/show')]) {
      expect(text).toContain('vetha');
      expect(text).not.toContain('bond1');
    }
  });

  it('3: is described', async () => {
    const text = await show();
    expect(text).toMatch(new RegExp(`^bond_mode: ${mode}$`, 'm'));
    expect(text).toMatch(new RegExp(`^lacp_status: ${lacp}$`, 'm'));
    expect(text).toMatch(/^next rebalance: -?\d+ ms$/m);
    expect(text.match(/may_enable: true/g)).toHaveLength(2);
    expect(text.match(/^ {2}active member$/gm)).toHaveLength(1);
  });

  it('4: goes on over the other member when one is down', async () => {
    await setLink('vethx', 'down');
    for (const bond of ['bond1', 'bond2']) {
      const one = async () => enabledMembers(await show(bond)).length === 1;
      await eventually(`one member of ${bond}`, one);
    }
    await pingPasses();
    expect(await west.ping(EAST, 5)).toBe(5);
    await setLink('vethx', 'up');
    await allEnabled();
  });

  it('5: forwards nothing when both members are down', async () => {
    await setLink('vetha', 'down');
    await setLink('vethx', 'down');
    await sw.waitForActiveMember('bond1', 'none');
    await sw.waitForActiveMember('bond2', 'none');
    expect(await show()).toContain('active member mac: 00:00:00:00:00:00(none)');
    const before = await sw.portCounter('br2', 'vethz', 'tx pkts');
    expect(await west.ping(EAST, 2)).toBe(0);
    expect(await sw.portCounter('br2', 'vethz', 'tx pkts')).toBe(before);
    await setLink('vetha', 'up');
    await pingPasses();
    await setLink('vethx', 'up');
    await allEnabled();
  });

  it('6 and 7: a broadcast by a member of our choice arrives as the mode allows', async () => {
    // The member that is not the active one at the other end.
    const far = (await sw.activeMember('bond2')) === 'vethb' ? 'vethy' : 'vethb';
    const near = far === 'vethy' ? 'vethx' : 'vetha';
    const [from, to] = [await sw.ofport('vethn'), await sw.ofport(near)];
    const counts = () =>
      Promise.all(['vetha', 'vethx'].map((name) => sw.portCounter('br1', name, 'tx pkts')));
    await sw.ofctl('add-flow', 'br1', `in_port=${from},arp,actions=output:${to}`);
    // The far host must not ask for the near one meanwhile: that would teach its address.
    const known = [WEST, 'dev', east.device] as const;
    await east.namespace.ip('neigh', 'replace', ...known, 'lladdr', west.mac, 'nud', 'permanent');
    await west.namespace.ip('neigh', 'flush', 'all');
    const before = await counts();
    const answered = await west.ping(EAST, 2);
    const sent = (await counts()).map((count, i) => count - before[i]);
    const flows = await sw.appctl('dpctl/dump-flows', '--names');
    const drop = new RegExp(`in_port\\(${far}\\).*dst=ff:ff:ff:ff:ff:ff.*actions:drop$`, 'm');
    if (lacp === 'off') {
      // Without LACP the far end takes broadcasts from its active member alone.
      expect(answered).toBe(0);
      expect(flows).toMatch(drop);
    } else {
      // Both ends know of the bond: any member is as good as the other.
      expect(answered).toBe(2);
      expect(flows).not.toMatch(drop);
    }
    expect(sent[near === 'vetha' ? 0 : 1]).toBeGreaterThan(0);
    await sw.ofctl('del-flows', 'br1', `in_port=${from},arp`);
    await east.namespace.ip('neigh', 'del', ...known);
    await pingPasses();
  });
});

it.runIf(isTapswitch)(
  'keeps the active member over a restart',
  async () => {
    await sw.vsctl('--if-exists', 'del-port', 'bond1', '--', '--if-exists', 'del-port', 'bond2');
    await sw.vsctl('add-bond', 'br1', 'bond1', 'vetha', 'vethx');
    await sw.waitForActiveMember('bond1', 'vetha');
    await sw.appctl('bond/set-active-member', 'bond1', 'vethx');
    const written = async () =>
      (await sw.vsctl('get', 'port', 'bond1', 'bond_active_slave')).trim();
    const mac = await lab.namespace.macOf('vethx');
    await eventually('bond_active_slave', async () => (await written()) === `"${mac}"`, 15_000);
    await sw.stop();
    await sw.start();
    await sw.waitForActiveMember('bond1', 'vethx');
    expect(await written()).toBe(`"${mac}"`);
  },
  60_000,
);
