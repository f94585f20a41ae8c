/**
 * QoS by the kernel's disciplines: what `tc` shows of them is what was asked for, frames go into
 * the classes that flows name, counters agree, and nothing stays behind.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/command.js';
import { type Host, Lab } from '../support/lab.js';
import type { Switch } from '../support/switch.js';

let lab: Lab;
let sw: Switch;
let h1: Host;

const tc = (...args: string[]) => lab.namespace.must(['tc', ...args]);

/** Packets of each class, by its minor number in hexadecimal. */
async function sent(device: string): Promise<Map<string, number>> {
  const text = await tc('-s', 'class', 'show', 'dev', device);
  const found = [...text.matchAll(/class htb 1:(\w+) .*\n Sent \d+ bytes (\d+) pkt/g)];
  return new Map(found.map(([, minor, packets]) => [minor, Number(packets)]));
}

/** `class htb 1:8 parent 1:fffe ... rate 1Mbit ceil 5Mbit ...` as { rate, ceil } */
async function rates(device: string): Promise<Record<string, string>> {
  const text = await tc('class', 'show', 'dev', device);
  const found = [...text.matchAll(/class htb 1:(\w+) .*?(prio \d )?rate (\w+) ceil (\w+) /g)];
  return Object.fromEntries(found.map(([, id, prio = '', rate, ceil]) => [id, prio + rate + ceil]));
}

async function qos(port: string, type: string, settings: string[], queues: string[][] = []) {
  const columns = settings.map((setting) => `other_config:${setting}`);
  const ids = queues.map(([id]) => `queues:${id}=@q${id}`);
  const rows = queues.flatMap(([id, ...config]) => {
    const set = config.map((setting) => `other_config:${setting}`);
    return ['--', `--id=@q${id}`, 'create', 'Queue', ...set];
  });
  const row = ['--', '--id=@qos', 'create', 'QoS', `type=${type}`, ...columns, ...ids];
  await sw.vsctl('set', 'Port', port, 'qos=@qos', ...row, ...rows);
}

const TWO = [
  ['1', 'min-rate=2000000', 'max-rate=5000000', 'priority=3'],
  ['7', 'min-rate=1000000'],
];

beforeAll(async () => {
  lab = await Lab.start();
  ({ sw } = lab);
  h1 = await lab.addHost('h1', { port: 'p1', addresses: ['10.8.0.1/24'] });
  await lab.addHost('h2', { port: 'p2', addresses: ['10.8.0.2/24'] });
  await sw.addBridge('br0');
  await sw.vsctl('add-port', 'br0', 'p1', '--', 'add-port', 'br0', 'p2');
  await eventually('the first ping', async () => (await h1.ping('10.8.0.2', 1)) === 1, 10_000);
});

afterAll(() => lab?.close());

describe('classes of the kernel', () => {
  it('are what the rows say, and follow them', async () => {
    await qos('p2', 'linux-htb', ['max-rate=20000000'], TWO);
    expect(await tc('qdisc', 'show', 'dev', 'p2')).toMatch(/^qdisc htb 1: root .*default 0x1 /m);
    expect(await rates('p2')).toEqual({
      fffe: '20Mbit20Mbit',
      1: 'prio 0 12Kbit20Mbit',
      2: 'prio 3 2Mbit5Mbit',
      8: 'prio 0 1Mbit20Mbit',
    });
    const row = (await sw.vsctl('get', 'Port', 'p2', 'qos')).trim();
    await sw.vsctl(
      ...['set', 'QoS', row, 'other_config:max-rate=30000000'],
      ...['--', 'remove', 'QoS', row, 'queues', '7'],
    );
    expect(await rates('p2')).toEqual({
      fffe: '30Mbit30Mbit',
      1: 'prio 0 12Kbit30Mbit',
      2: 'prio 3 2Mbit5Mbit',
    });
  });

  it('get the frames of their queues, and count them for everybody', async () => {
    await qos('p2', 'linux-htb', ['max-rate=20000000'], TWO);
    const input = await sw.ofport('p1');
    await sw.ofctl('add-flow', 'br0', `in_port=${input},icmp,actions=set_queue:7,normal`);
    await eventually('a ping in class 8', async () => {
      await h1.ping('10.8.0.2', 1);
      return ((await sent('p2')).get('8') ?? 0) > 0;
    });
    const before = await sent('p2');
    expect(await h1.ping('10.8.0.2', 10, 0.05)).toBe(10);
    const after = await sent('p2');
    const grown = (minor: string) => (after.get(minor) ?? 0) - (before.get(minor) ?? 0);
    expect(grown('8')).toBe(10);
    expect(grown('2')).toBe(0);
    const port = `${await sw.ofport('p2')}`;
    const stats = await sw.ofctl('-O', 'OpenFlow13', 'queue-stats', 'br0', port, '7');
    expect(stats).toMatch(
      new RegExp(`queue 7: bytes=\\d+, pkts=${after.get('8')}, errors=0, duration=\\d+`),
    );
    const shown = await sw.appctl('qos/show', 'p2');
    expect(shown).toMatch(new RegExp(`\\nQueue 7:\\n(  .*\\n)*  tx_packets: ${after.get('8')}\\n`));
    expect(await sw.appctl('dpctl/tx-queue-show', 'p2')).toContain(', htb of the kernel\n');
    await sw.ofctl('del-flows', 'br0', 'icmp');
  });

  it('stay through a change of queues and workers, with a way for every frame', async () => {
    await sw.vsctl('set', 'Interface', 'p2', 'options:n_rxq=2');
    expect(await h1.ping('10.8.0.2', 5, 0.05)).toBe(5);
    expect(await rates('p2')).toHaveProperty('8');
    await sw.vsctl('remove', 'Interface', 'p2', 'options', 'n_rxq');
    expect(await h1.ping('10.8.0.2', 5, 0.05)).toBe(5);
  });

  it('go with the row', async () => {
    await sw.vsctl('clear', 'Port', 'p2', 'qos');
    expect(await tc('qdisc', 'show', 'dev', 'p2')).not.toContain('htb');
    expect(await h1.ping('10.8.0.2', 3, 0.05)).toBe(3);
  });

  it('are the switch itself where the kernel has none, and on its own devices', async () => {
    await qos('p2', 'linux-hfsc', ['max-rate=20000000'], TWO);
    const status = () => sw.vsctl('get', 'Interface', 'p2', 'status');
    await eventually('the status', async () => (await status()).includes('qos_scheduler='));
    // Where there is an HFSC, it is used: both are right.
    const byKernel = (await status()).includes('qos_scheduler=kernel');
    const text = await tc('qdisc', 'show', 'dev', 'p2');
    expect(text.includes('hfsc')).toBe(byKernel);
    const told = /WARN\|p2: linux-hfsc cannot be had from the kernel \(.+\): the switch shapes/;
    expect(told.test(sw.log)).toBe(!byKernel);
    expect(await h1.ping('10.8.0.2', 3, 0.05)).toBe(3);
    await sw.vsctl('clear', 'Port', 'p2', 'qos');
    await qos('br0', 'linux-htb', ['max-rate=20000000'], TWO);
    await eventually('the status of br0', async () => {
      const of = await sw.vsctl('get', 'Interface', 'br0', 'status');
      return of.includes('qos_scheduler=switch');
    });
    await sw.vsctl('clear', 'Port', 'br0', 'qos');
  });

  it('go with the daemon; what a killed one left, the next one takes away', async () => {
    await qos('p2', 'linux-htb', ['max-rate=20000000'], TWO);
    await sw.kill();
    expect(await rates('p2')).toHaveProperty('8');
    await sw.start();
    await sw.vsctl('clear', 'Port', 'p2', 'qos');
    expect(await tc('qdisc', 'show', 'dev', 'p2')).not.toContain('htb');
    await qos('p2', 'linux-htb', ['max-rate=20000000'], TWO);
    expect(await rates('p2')).toHaveProperty('8');
    await sw.stop();
    expect(await tc('qdisc', 'show', 'dev', 'p2')).not.toContain('htb');
  });
});
