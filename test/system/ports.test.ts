/**
 * Kinds of ports: internal, tap with several queues, patch, and what their counters say.
 *
 *     h1 10.5.0.1 -- p1 [br0] patch0 == patch1 [br1] p2 -- h2 10.5.0.2
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/command.js';
import { type Host, Lab } from '../support/lab.js';
import type { Switch } from '../support/switch.js';
import { transferIntact } from '../support/traffic.js';

let lab: Lab;
let sw: Switch;
let h1: Host;

beforeAll(async () => {
  lab = await Lab.start();
  sw = lab.sw;
  h1 = await lab.addHost('h1', { port: 'p1', addresses: ['10.5.0.1/24'] });
  await lab.addHost('h2', { port: 'p2', addresses: ['10.5.0.2/24'] });
  await sw.addBridge('br0');
  await sw.addBridge('br1');
  await sw.vsctl('add-port', 'br0', 'p1', '--', 'add-port', 'br1', 'p2');
}, 60_000);

afterAll(() => lab?.close());

async function patch(bridge: string, name: string, peer: string): Promise<void> {
  const options = ['type=patch', `options:peer=${peer}`];
  await sw.vsctl('add-port', bridge, name, '--', 'set', 'Interface', name, ...options);
}

describe('patch ports', () => {
  it('join two bridges', async () => {
    expect(await h1.ping('10.5.0.2', 1)).toBe(0);
    await patch('br0', 'patch0', 'patch1');
    await patch('br1', 'patch1', 'patch0');
    await eventually('the ping to pass', async () => (await h1.ping('10.5.0.2', 1)) === 1);
    expect(await h1.ping('10.5.0.2', 3)).toBe(3);
    // They exist in the OpenFlow layer alone.
    expect(await sw.ofctl('show', 'br0')).toMatch(/\(patch0\): addr:/);
    expect(await sw.appctl('dpctl/show')).not.toMatch(/patch/);
    expect(await lab.namespace.links()).not.toContain('patch0');
  });

  it('count what passes', async () => {
    expect(await sw.portCounter('br0', 'patch0', 'tx pkts')).toBeGreaterThanOrEqual(3);
    expect(await sw.portCounter('br1', 'patch1', 'rx pkts')).toBeGreaterThanOrEqual(3);
  });

  it('separate them again when one is removed', async () => {
    await sw.vsctl('del-port', 'patch1');
    expect(await h1.ping('10.5.0.2', 2)).toBe(0);
    await sw.vsctl('del-port', 'patch0');
  });
});

describe('internal ports', () => {
  it('are interfaces of the host, with an address of their own', async () => {
    await sw.vsctl('add-port', 'br0', 'int0', '--', 'set', 'Interface', 'int0', 'type=internal');
    await lab.namespace.ip('addr', 'add', '10.5.0.7/24', 'dev', 'int0');
    await lab.namespace.ip('link', 'set', 'int0', 'up');
    expect(await h1.ping('10.5.0.7', 3)).toBe(3);
    expect(await sw.appctl('dpctl/show')).toMatch(/port \d+: int0 \(tap\)/);
  });

  it('go away with their port', async () => {
    await sw.vsctl('del-port', 'int0');
    expect(await lab.namespace.hasLink('int0')).toBe(false);
    await sw.addBridge('br9');
    expect(await lab.namespace.hasLink('br9')).toBe(true);
    await sw.vsctl('del-br', 'br9');
    expect(await lab.namespace.hasLink('br9')).toBe(false);
  });
});

describe('ports of type tap', () => {
  it('carry pings and whole TCP segments', async () => {
    const settings = ['type=tap', 'options:n_rxq=2'];
    await sw.vsctl('add-port', 'br0', 'tap0', '--', 'set', 'Interface', 'tap0', ...settings);
    await lab.namespace.ip('addr', 'add', '10.5.0.8/24', 'dev', 'tap0');
    await lab.namespace.ip('link', 'set', 'tap0', 'up');
    expect(await h1.ping('10.5.0.8', 3)).toBe(3);
    const receiver = { namespace: lab.namespace, device: 'tap0', address: '10.5.0.8' };
    const { bytes } = await transferIntact(h1.namespace, receiver);
    expect(bytes).toBe(32 << 20);
    await sw.vsctl('del-port', 'tap0');
  });
});

describe('statistics', () => {
  it('count packets and bytes on both sides of a port', async () => {
    const before = await sw.portCounters('br0', 'p1');
    await h1.ping('10.5.0.250', 3); // nobody: one ARP request after the other
    const after = await sw.portCounters('br0', 'p1');
    const frames = after['rx pkts'] - before['rx pkts'];
    const bytes = after['rx bytes'] - before['rx bytes'];
    expect(frames).toBeGreaterThanOrEqual(1);
    expect(bytes).toBe(frames * 42);
  });

  it('are written to the database', async () => {
    const count = async () => {
      const text = await sw.vsctl('get', 'Interface', 'p1', 'statistics:rx_packets');
      return Number(text.trim()) > 0;
    };
    await eventually('statistics in the database', count, 12_000);
  });

  it('follow the link state', async () => {
    const state = async () => (await sw.vsctl('get', 'Interface', 'p1', 'link_state')).trim();
    expect(await state()).toBe('up');
    await h1.namespace.ip('link', 'set', 'eth0', 'down');
    await eventually('link_state to be down', async () => (await state()) === 'down');
    expect(await sw.ofctl('show', 'br0')).toMatch(/\(p1\): addr:.*\n.*\n +state: +LINK_DOWN/);
    await h1.namespace.ip('link', 'set', 'eth0', 'up');
    await eventually('link_state to be up', async () => (await state()) === 'up');
  });
});
