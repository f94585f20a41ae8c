/**
 * The bond experiment: two bridges in one daemon, a bond of two veth pairs between them, a host on
 * either side. Each test is a step; they run in order on one topology.
 *
 *     m: eth0 10.10.10.1 -- vethn [br1] bond1 { vetha == vethb } bond2 [br2] vethz -- w: 10.10.10.2
 *                                             { vethx == vethy }
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, sleep } from '../support/command.js';
import { type Host, Lab } from '../support/lab.js';
import { pingCounts } from '../support/netns.js';
import { isTapswitch, type Switch } from '../support/switch.js';

const WEST = '10.10.10.1';
const EAST = '10.10.10.2';
/** The other end of each of br1's members. */
const PEER: Record<string, string> = { vetha: 'vethb', vethx: 'vethy' };

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
  await sw.vsctl('add-bond', 'br1', 'bond1', 'vetha', 'vethx');
  await sw.vsctl('add-port', 'br1', 'vethn');
  await sw.addBridge('br2');
  await sw.vsctl('add-bond', 'br2', 'bond2', 'vethb', 'vethy');
  await sw.vsctl('add-port', 'br2', 'vethz');
  if (!isTapswitch) await agreeOnOneLink();
}, 90_000);

afterAll(() => lab?.close());

/** Open vSwitch's two ends may choose different links; taking one down brings them together. */
async function agreeOnOneLink(): Promise<void> {
  await setLink('vetha', 'down');
  await sw.waitForActiveMember('bond1', 'vethx');
  await sw.waitForActiveMember('bond2', 'vethy');
  await setLink('vetha', 'up');
  await bothMayBeEnabled();
}

async function setLink(device: string, state: 'up' | 'down'): Promise<void> {
  await lab.namespace.ip('link', 'set', 'dev', device, state);
}

async function bothMayBeEnabled(): Promise<void> {
  for (const bond of ['bond1', 'bond2']) {
    const both = async () =>
      (await sw.appctl('bond/show', bond)).match(/may_enable: true/g)?.length === 2;
    await eventually(`both members of ${bond} to be enabled`, both, 5000);
  }
}

/** Takes the active member down while a hundred pings a second run; returns how many were lost. */
async function failover(): Promise<{ lost: number; from: string; to: string }> {
  const from = await sw.activeMember('bond1');
  const to = from === 'vetha' ? 'vethx' : 'vetha';
  const ping = west.namespace.start(['ping', '-n', '-i', '0.01', '-c', '200', '-W', '1', EAST]);
  await sleep(700);
  await setLink(from, 'down');
  await sw.waitForActiveMember('bond1', to);
  await sw.waitForActiveMember('bond2', PEER[to]);
  const counts = pingCounts((await ping.finished(20_000)).stdout);
  expect(counts.sent).toBe(200);
  return { lost: counts.sent - counts.received, from, to };
}

describe('the bond experiment', () => {
  it('1: pings through the default flow', async () => {
    expect(await sw.ofctl('dump-flows', 'br1')).toMatch(/priority=0 actions=NORMAL$/m);
    expect(await west.ping(EAST, 5)).toBe(5);
    expect(await east.ping(WEST, 5)).toBe(5);
  });

  it('2: shows a bond as one port with two interfaces in the configuration layer', async () => {
    const text = await sw.vsctl('show');
    const bond = text.match(/ {8}Port bond1\n((?: {12}.*\n)+)/)?.[1] ?? '';
    const members = [...bond.matchAll(/^ {12}Interface (\S+)$/gm)].map((match) => match[1]).sort();
    expect(members).toEqual(['vetha', 'vethx']);
  });

  it('2: shows interfaces only in the OpenFlow layer', async () => {
    const text = await sw.ofctl('show', 'br1');
    const names = [...text.matchAll(/^ \w+\((\S+)\): addr:/gm)].map((match) => match[1]).sort();
    expect(names).toEqual(['br1', 'vetha', 'vethn', 'vethx']);
    expect(text).toMatch(/^OFPT_FEATURES_REPLY \(xid=0x2\): dpid:[0-9a-f]{16}$/m);
  });

  it('2: shows interfaces only in the datapath', async () => {
    const text = await sw.appctl('dpctl/show');
    expect(text).toMatch(/^ {2}lookups: hit:\d+ missed:\d+ lost:\d+$/m);
    for (const device of ['vetha', 'vethb', 'vethx', 'vethy', 'vethn', 'vethz']) {
      expect(text).toMatch(new RegExp(`^  port \\d+: ${device}$`, 'm'));
    }
    expect(text).not.toMatch(/bond/);
  });

  it('3: describes the bond, active-backup by default', async () => {
    const text = await sw.appctl('bond/show', 'bond1');
    const lines = text.split('\n').map((line) => line.trim());
    expect(lines[0]).toBe('---- bond1 ----');
    expect(lines).toEqual(
      expect.arrayContaining([
        'bond_mode: active-backup',
        'bond-hash-basis: 0',
        'updelay: 0 ms',
        'downdelay: 0 ms',
        'lacp_status: off',
        'lacp_fallback_ab: false',
        'active-backup primary: <none>',
        'member vetha: enabled',
        'member vethx: enabled',
      ]),
    );
    expect(lines.filter((line) => line === 'active member')).toHaveLength(1);
    expect(lines.filter((line) => line === 'may_enable: true')).toHaveLength(2);
    const active = await sw.activeMember('bond1');
    const address = await lab.namespace.macOf(active);
    expect(lines).toContain(`active member mac: ${address}(${active})`);
  });

  it('3: shows every bond when none is named', async () => {
    const text = await sw.appctl('bond/show');
    expect(text).toContain('---- bond1 ----');
    expect(text).toContain('---- bond2 ----');
  });

  it('4: fails over on both bridges when the active link goes down, and back again', async () => {
    const first = await failover();
    await setLink(first.from, 'up');
    await bothMayBeEnabled();
    // The one that took over stays active: nothing is lost by going back.
    expect(await sw.activeMember('bond1')).toBe(first.to);
    const second = await failover();
    expect(second.from).toBe(first.to);
    await setLink(second.from, 'up');
    await bothMayBeEnabled();
    console.log(`failover: ${first.lost} and ${second.lost} of 200 pings lost`);
    expect(first.lost).toBeLessThanOrEqual(5);
    expect(second.lost).toBeLessThanOrEqual(5);
    expect(await west.ping(EAST, 3)).toBe(3);
  });

  it('5: forwards nothing when both members are down', async () => {
    await setLink('vetha', 'down');
    await setLink('vethx', 'down');
    await sw.waitForActiveMember('bond1', 'none');
    await sw.waitForActiveMember('bond2', 'none');
    const text = await sw.appctl('bond/show', 'bond1');
    expect(text).toContain('active member mac: 00:00:00:00:00:00(none)');
    expect(text.match(/^member \w+: disabled$/gm)).toHaveLength(2);
    expect(text.match(/may_enable: false/g)).toHaveLength(2);
    const before = await sw.portCounter('br2', 'vethz', 'tx pkts');
    expect(await west.ping(EAST, 3)).toBe(0);
    expect(await sw.portCounter('br2', 'vethz', 'tx pkts')).toBe(before);
  });

  it('5: forwards again as soon as one member is up', async () => {
    await setLink('vetha', 'up');
    await sw.waitForActiveMember('bond1', 'vetha');
    await sw.waitForActiveMember('bond2', 'vethb');
    expect(await west.ping(EAST, 5)).toBe(5);
    await setLink('vethx', 'up');
    await bothMayBeEnabled();
    expect(await sw.activeMember('bond1')).toBe('vetha');
  });

  it('6: drops a broadcast that arrives on the inactive member, and says so', async () => {
    const [vethx, vethn, vethy] = await Promise.all(['vethx', 'vethn', 'vethy'].map(ofport));
    await sw.ofctl('add-flow', 'br1', `in_port=${vethx},actions=output:${vethn}`);
    await sw.ofctl('add-flow', 'br1', `in_port=${vethn},actions=output:${vethx}`);
    await west.namespace.ip('neigh', 'flush', 'all');
    expect(await west.ping(EAST, 2)).toBe(0);

    const flows = await sw.appctl('dpctl/dump-flows', '--names');
    const fromWest = `eth\\(src=${west.mac},dst=ff:ff:ff:ff:ff:ff\\)`;
    const drop = new RegExp(`in_port\\(vethy\\).*${fromWest}.*eth_type\\(0x0806\\).*actions:drop$`);
    const dropped = flows.split('\n').filter((line) => drop.test(line));
    expect(dropped.length, flows).toBeGreaterThan(0);

    const packet = `in_port=${vethy},arp,dl_src=${west.mac},dl_dst=ff:ff:ff:ff:ff:ff`;
    const trace = await sw.appctl('ofproto/trace', 'br2', packet);
    expect(trace).toMatch(/^ {5}-> bonding refused admissibility, dropping$/m);
    expect(trace).toMatch(/^Datapath actions: drop$/m);
  });

  it('7: an output to one member goes through that member alone', async () => {
    const vetha = await sw.portCounter('br1', 'vetha', 'tx pkts');
    const vethx = await sw.portCounter('br1', 'vethx', 'tx pkts');
    await west.namespace.ip('neigh', 'flush', 'all');
    await west.ping(EAST, 3);
    expect(await sw.portCounter('br1', 'vetha', 'tx pkts')).toBe(vetha);
    expect(await sw.portCounter('br1', 'vethx', 'tx pkts')).toBeGreaterThan(vethx);
  });

  it('7: works again once the flows are gone', async () => {
    for (const device of ['vethx', 'vethn']) {
      await sw.ofctl('del-flows', 'br1', `in_port=${await ofport(device)}`);
    }
    expect(await sw.ofctl('dump-flows', 'br1')).not.toContain('in_port');
    await eventually('the ping to be back', async () => (await west.ping(EAST, 1)) === 1);
    expect(await west.ping(EAST, 3)).toBe(3);
  });

  it('removes a bond with del-port', async () => {
    await sw.vsctl('del-port', 'br1', 'bond1');
    expect(await sw.vsctl('list-ports', 'br1')).toBe('vethn\n');
    expect((await sw.try('appctl', 'bond/show', 'bond1')).status).not.toBe(0);
    expect(await sw.ofctl('show', 'br1')).not.toContain('vetha');
    expect(await west.ping(EAST, 1)).toBe(0);
  });
});

function ofport(device: string): Promise<number> {
  return sw.ofport(device);
}
