/**
 * A flood of packets from addresses and ports never seen before, while entries of the flow
 * table change, for TAPSWITCH_FLOOD_SECONDS (default 6): flows and learned addresses stay within
 * their limits, memory stays flat, others' packets are forwarded and their new flows served, and
 * when it ends its flows go.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually, sleep } from '../support/command.js';
import { type Host, Lab } from '../support/lab.js';
import { projectRoot, type Switch } from '../support/switch.js';

const SECONDS = Number(process.env.TAPSWITCH_FLOOD_SECONDS ?? 6);
const FLOW_LIMIT = 5000;
const MACS = 1000;

let lab: Lab;
let sw: Switch;
let attacker: Host;
let h2: Host;

function residentMib(): number {
  const text = readFileSync(`/proc/${sw.pid}/status`, 'utf8');
  return Number(text.match(/VmRSS:\s+(\d+) kB/)?.[1]) / 1024;
}

async function flows(): Promise<number> {
  const text = await sw.appctl('upcall/show');
  return Number(/current (\d+)/.exec(text)?.[1] ?? Number.NaN);
}

async function learned(): Promise<number> {
  return (await sw.appctl('fdb/show', 'br0')).trim().split('\n').length - 1;
}

beforeAll(async () => {
  lab = await Lab.start();
  ({ sw } = lab);
  attacker = await lab.addHost('h1', { port: 'p1', addresses: ['10.9.0.1/24'] });
  h2 = await lab.addHost('h2', { port: 'p2', addresses: ['10.9.0.2/24'] });
  await lab.addHost('h3', { port: 'p3', addresses: ['10.9.0.3/24', '10.9.0.33/24'] });
  await sw.addBridge('br0');
  const ports = ['p1', 'p2', 'p3'].flatMap((port) => ['--', 'add-port', 'br0', port]);
  const limits = [`flow-limit=${FLOW_LIMIT}`, 'max-idle=1000'].map((s) => `other_config:${s}`);
  await sw.vsctl('set', 'Open_vSwitch', '.', ...limits, ...ports);
  await sw.vsctl('set', 'Bridge', 'br0', `other_config:mac-table-size=${MACS}`);
  // Each port of the flood is a flow of its own, too.
  const consult = 'move:OXM_OF_UDP_SRC[]->NXM_NX_REG0[0..15],NORMAL';
  await sw.ofctl('add-flow', 'br0', `priority=9,udp,tp_dst=9,actions=${consult}`);
  // Its destination is where it comes from: it must not flood the hosts as well.
  await sw.appctl('fdb/add', 'br0', 'p1', '0', '02:aa:00:00:00:ff');
  await eventually('the first ping', async () => (await h2.ping('10.9.0.3', 1)) === 1, 10_000);
});

afterAll(() => lab?.close());

it(
  'ends in drops, and takes nothing from others',
  async () => {
    const script = join(projectRoot, 'test', 'support', 'flood-sender.mjs');
    const sender = attacker.namespace.start([process.execPath, script, attacker.device]);
    await eventually('the flood', async () => (await flows()) > FLOW_LIMIT / 2, 20_000);
    await sleep(2000);
    const before = residentMib();
    const seen = { flows: 0, macs: 0, answered: 0, asked: 0 };
    const end = performance.now() + SECONDS * 1000;
    const memory: string[] = [];
    for (let turn = 0; performance.now() < end; turn++) {
      const entry = `priority=20,udp,tp_dst=9,tp_src=${turn % 64}`;
      if (turn % 2 === 0) await sw.ofctl('add-flow', 'br0', `${entry},actions=drop`);
      else await sw.ofctl('del-flows', 'br0', 'udp,tp_dst=9,tp_src=0/0xffc0');
      if (turn % 100 === 0) memory.push(residentMib().toFixed(0));
      seen.asked += 10;
      seen.answered += await h2.ping('10.9.0.3', 10, 0.02);
      seen.flows = Math.max(seen.flows, await flows());
      seen.macs = Math.max(seen.macs, await learned());
    }
    const growth = residentMib() - before;
    await eventually(
      'all of ten pings',
      async () => (await h2.ping('10.9.0.3', 10, 0.02)) === 10,
      60_000,
    );
    // An address that the neighbours have to ask for: requests and replies are new flows.
    await eventually('another flow', async () => (await h2.ping('10.9.0.33', 1)) === 1, 30_000);
    await sender.stop('SIGKILL');
    console.log(
      `flood for ${SECONDS} s: at most ${seen.flows} flows, ${seen.macs} addresses; ` +
        `${seen.answered} of ${seen.asked} pings answered, ` +
        `memory ${memory.join(' ')} MiB, +${growth.toFixed(1)}`,
    );
    expect(seen.flows).toBeLessThanOrEqual(FLOW_LIMIT);
    expect(seen.macs).toBeLessThanOrEqual(MACS);
    expect(growth).toBeLessThan(128);
    await eventually('the flows to go', async () => (await flows()) < 100, 30_000);
  },
  200_000 + SECONDS * 1000,
);
