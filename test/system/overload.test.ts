/**
 * Far more than a port may send, for TAPSWITCH_OVERLOAD_SECONDS (default 4): memory stays flat,
 * what is dropped is counted where it happens, commands are answered, and forwarding recovers at
 * once.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { UnixctlClient, unixctlPath } from '../../src/unixctl/index.js';
import { eventually, sleep } from '../support/command.js';
import { type Host, Lab } from '../support/lab.js';
import { projectRoot, type Switch } from '../support/switch.js';

const SECONDS = Number(process.env.TAPSWITCH_OVERLOAD_SECONDS ?? 4);
const RATE = 2_500_000;
const MIB = 2 ** 20;

let lab: Lab;
let sw: Switch;
let h1: Host;

function residentMib(): number {
  const text = readFileSync(`/proc/${sw.pid}/status`, 'utf8');
  return (Number(text.match(/VmRSS:\s+(\d+) kB/)?.[1]) * 1024) / MIB;
}

async function shape(): Promise<void> {
  const qos = ['create', 'QoS', 'type=linux-htb', `other_config:max-rate=${RATE}`];
  await sw.vsctl('set', 'Port', 'p2', 'qos=@q', '--', '--id=@q', ...qos);
}

beforeAll(async () => {
  lab = await Lab.start();
  ({ sw } = lab);
  h1 = await lab.addHost('h1', { port: 'p1', addresses: ['10.9.0.1/24'] });
  await lab.addHost('h2', { port: 'p2', addresses: ['10.9.0.2/24'] });
  await sw.addBridge('br0');
  await sw.vsctl('add-port', 'br0', 'p1', '--', 'add-port', 'br0', 'p2');
  await eventually('the first ping', async () => (await h1.ping('10.9.0.2', 1)) === 1, 10_000);
});

afterAll(() => lab?.close());

it.each([
  ['by workers alone', ['set', 'Open_vSwitch', '.', 'other_config:hw-offload=false']],
  ['by the kernel, too', ['set', 'Open_vSwitch', '.', 'other_config:hw-offload=true']],
])(
  'ends in drops, not in memory or silence (%s)',
  async (who, setting) => {
    await sw.vsctl(...setting);
    await shape();
    const rx = await sw.portCounters('br0', 'p1');
    const sendScript = join(projectRoot, 'scripts', 'bench-workers.mjs');
    const sender = h1.namespace.start([process.execPath, sendScript, '--send', 'eth0']);
    // The queue is full, and the memory for it touched, by then.
    await sleep(2000);
    const before = residentMib();
    const waits: number[] = [];
    const end = performance.now() + SECONDS * 1000;
    while (performance.now() < end) {
      // Without the time that a program takes to start.
      const start = performance.now();
      const client = await UnixctlClient.connect(unixctlPath('ovs-vswitchd', sw.directory));
      await client.transact('dpif-netdev/pmd-stats-show', []);
      client.close();
      waits.push(performance.now() - start);
      await sleep(200);
    }
    const growth = residentMib() - before;
    await sender.stop('SIGKILL');
    // What waited is sent or dropped by then.
    await sleep(1000);
    const after = await sw.portCounters('br0', 'p1');
    const offered = after['rx pkts'] - rx['rx pkts'];
    const unread = after['rx drop'] - rx['rx drop'];
    const text = await sw.appctl('dpctl/tx-queue-show', 'p2');
    const [, packets, dropped] = (text.match(/class 0: packets:(\d+) bytes:\d+ dropped:(\d+)/) ??
      []) as string[];
    const slowest = Math.max(...waits);
    console.log(
      `overload ${who} for ${SECONDS} s: ${offered} frames came, ${packets} left, ` +
        `${dropped} dropped, ` +
        `${unread} found the ring full ` +
        `(${(offered / Number(packets)).toFixed(1)} times capacity), ` +
        `memory +${growth.toFixed(1)} MiB, ` +
        `slowest command ${slowest.toFixed(0)} ms`,
    );
    expect(Number(dropped)).toBeGreaterThan(Number(packets));
    // Every frame is counted where it ended; a few are not the sender's.
    const counted = Number(packets) + Number(dropped) + unread;
    expect(counted / offered).toBeGreaterThan(0.98);
    expect(counted / offered).toBeLessThan(1.02);
    expect(growth).toBeLessThan(24);
    expect(slowest).toBeLessThan(5000);
    await sw.vsctl('clear', 'Port', 'p2', 'qos');
    expect(await h1.ping('10.9.0.2', 5, 0.1)).toBe(5);
  },
  600_000,
);
