/**
 * Traffic of real hosts with the offloads that a veth has by default: unfinished checksums, 64 KiB
 * segments, fragments, IPv6, and hosts that tag their frames themselves.
 *
 *     west -- port1 [br1] bond1 { a0 == b0, a1 == b1 } bond2 [br2] port2 -- east
 *                   br1 itself: the internal TAP, 10.0.0.9
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/command.js';
import { type Host, Lab } from '../support/lab.js';
import type { Namespace } from '../support/netns.js';
import { isTapswitch, python, type Switch } from '../support/switch.js';
import { datagramsIntact, type Receiver, transferIntact } from '../support/traffic.js';

const VLAN_HOST = new URL('../support/vlan-host.py', import.meta.url).pathname;

let lab: Lab;
let sw: Switch;
let west: Host;
let east: Host;

beforeAll(async () => {
  lab = await Lab.start({ ipv6: true });
  sw = lab.sw;
  west = await lab.addHost('west', { port: 'port1', addresses: ['10.0.0.1/24', 'fd00::1/64'] });
  east = await lab.addHost('east', { port: 'port2', addresses: ['10.0.0.2/24', 'fd00::2/64'] });
  await lab.addWire('a0', 'b0');
  await lab.addWire('a1', 'b1');
  await sw.addBridge('br1');
  await sw.vsctl('add-bond', 'br1', 'bond1', 'a0', 'a1', '--', 'add-port', 'br1', 'port1');
  await sw.addBridge('br2');
  await sw.vsctl('add-bond', 'br2', 'bond2', 'b0', 'b1', '--', 'add-port', 'br2', 'port2');
  if (!isTapswitch) {
    await lab.namespace.ip('link', 'set', 'a0', 'down');
    await sw.waitForActiveMember('bond1', 'a1');
    await sw.waitForActiveMember('bond2', 'b1');
    await lab.namespace.ip('link', 'set', 'a0', 'up');
  }
  await lab.namespace.ip('addr', 'add', '10.0.0.9/24', 'dev', 'br1');
  await lab.namespace.ip('link', 'set', 'br1', 'up');
  await eventually('the first ping', async () => (await west.ping('10.0.0.2', 1)) === 1);
}, 90_000);

afterAll(() => lab?.close());

it('leaves the offloads of the interfaces as they are', async () => {
  const features = await lab.namespace.must(['ethtool', '-k', 'port1']);
  expect(features).toMatch(/^tcp-segmentation-offload: on$/m);
  expect(features).toMatch(/^tx-checksumming: on$/m);
});

describe('across the bond', () => {
  it('carries TCP from west to east, every byte unchanged, segments whole', async () => {
    await expectWholeSegments(west.namespace, at(east, '10.0.0.2'));
  });

  it('carries TCP from east to west', async () => {
    await expectWholeSegments(east.namespace, at(west, '10.0.0.1'));
  });

  it('carries TCP over IPv6, both ways', async () => {
    await expectWholeSegments(west.namespace, at(east, 'fd00::2'));
    await expectWholeSegments(east.namespace, at(west, 'fd00::1'));
  });

  it('pings over IPv6', async () => {
    expect(await west.ping('fd00::2', 3)).toBe(3);
  });

  it.each([
    ['10.0.0.2', 1],
    ['10.0.0.2', 200],
    ['10.0.0.2', 1472],
    ['10.0.0.2', 8000],
    ['10.0.0.2', 60_000],
    ['fd00::2', 200],
    ['fd00::2', 8000],
  ])('carries UDP datagrams to %s of %i bytes (and their digest)', async (address, payload) => {
    const bytes = payload + 32;
    const { namespace } = west;
    expect(await datagramsIntact(namespace, east.namespace, address, 20, bytes)).toBe(20);
  });

  it('carries ICMP fragments both ways', async () => {
    expect(await west.ping('10.0.0.2', 3, 0.2, '-s', '20000')).toBe(3);
    expect(await east.ping('fd00::1', 3, 0.2, '-s', '20000')).toBe(3);
  });
});

describe('with an egress port that lost an offload while it was in use', () => {
  afterAll(() => lab.namespace.must(['ethtool', '-K', 'port2', 'tx', 'on', 'tso', 'on']));

  it.each([
    ['TCP segmentation', ['tso', 'off']],
    ['checksums', ['tx', 'off']],
  ])('carries TCP without %s', async (_name, change) => {
    await lab.namespace.must(['ethtool', '-K', 'port2', ...change]);
    const { bytes } = await transferIntact(west.namespace, at(east, '10.0.0.2'));
    expect(bytes).toBe(32 << 20);
  });
});

describe('between a veth port and the internal TAP of the bridge', () => {
  it('carries TCP from the port', async () => {
    const internal = { namespace: lab.namespace, device: 'br1', address: '10.0.0.9' };
    await expectWholeSegments(west.namespace, internal);
  });

  it('carries TCP to the port', async () => {
    await expectWholeSegments(lab.namespace, at(west, '10.0.0.1'));
  });

  it('carries large datagrams both ways', async () => {
    const { namespace } = lab;
    expect(await datagramsIntact(west.namespace, namespace, '10.0.0.9', 20, 9000)).toBe(20);
    expect(await datagramsIntact(namespace, west.namespace, '10.0.0.1', 20, 9000)).toBe(20);
  });
});

describe('hosts that tag their frames', () => {
  beforeAll(async () => {
    await addTaggedInterface(west.namespace, west.device, 10, '10.10.0.1/24');
    await addTaggedInterface(east.namespace, east.device, 10, '10.10.0.2/24');
    const tagged = async () => (await west.ping('10.10.0.2', 1)) === 1;
    await eventually('the first ping with a tag', tagged);
  });

  it('ping each other', async () => {
    expect(await west.ping('10.10.0.2', 3)).toBe(3);
    expect(await east.ping('10.10.0.1', 3, 0.2, '-s', '8000')).toBe(3);
  });

  it('carry TCP with segments larger than the MTU, both ways', async () => {
    await expectWholeSegments(west.namespace, at(east, '10.10.0.2'));
    await expectWholeSegments(east.namespace, at(west, '10.10.0.1'));
  });
});

describe('through access ports, tagged in between', () => {
  beforeAll(async () => {
    await sw.vsctl('set', 'port', 'port1', 'tag=20', '--', 'set', 'port', 'port2', 'tag=20');
    const back = async () => (await west.ping('10.0.0.2', 1)) === 1;
    await eventually('the ping to be back', back);
  });

  afterAll(async () => {
    await sw.vsctl('clear', 'port', 'port1', 'tag', '--', 'clear', 'port', 'port2', 'tag');
  });

  it('carries TCP both ways: the tag is pushed on and taken off large segments', async () => {
    await expectWholeSegments(west.namespace, at(east, '10.0.0.2'));
    await expectWholeSegments(east.namespace, at(west, '10.0.0.1'));
  });

  it('carries fragments', async () => {
    const { namespace } = west;
    expect(await datagramsIntact(namespace, east.namespace, '10.0.0.2', 20, 8000)).toBe(20);
  });
});

function at(host: Host, address: string): Receiver {
  return { namespace: host.namespace, device: host.device, address };
}

/** 32 MiB arrive unchanged, in frames that are on average larger than two MTUs. */
async function expectWholeSegments(client: Namespace, receiver: Receiver): Promise<void> {
  const { bytes, meanFrameBytes } = await transferIntact(client, receiver);
  expect(bytes).toBe(32 << 20);
  expect(meanFrameBytes).toBeGreaterThan(3000);
}

/** A VLAN interface on a host: the kernel's own where it has 8021q, else one of our making. */
async function addTaggedInterface(host: Namespace, device: string, vid: number, address: string) {
  const name = `${device}.${vid}`;
  const kind = ['type', 'vlan', 'id', `${vid}`];
  const made = await host.run(['ip', 'link', 'add', 'link', device, 'name', name, ...kind]);
  if (made.status !== 0) {
    const process = host.start([python, VLAN_HOST, device, `${vid}`, name]);
    await eventually('the tagging host', () => process.text.includes('ready'), 5000);
    // As with the kernel's VLAN device: one address for both.
    await host.ip('link', 'set', name, 'address', await host.macOf(device));
  }
  await host.ip('addr', 'add', address, 'dev', name);
  await host.ip('link', 'set', name, 'up');
}
