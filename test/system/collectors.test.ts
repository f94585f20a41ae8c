/**
 * Collectors that are down, unreachable or slow, while everything is sampled: forwarding goes on,
 * memory stays flat, commands are answered, and a collector that comes back is told again.
 *
 *     h1 -- p1 [br0] p2 -- h2     sFlow 1:1, IPFIX 1:1 and NetFlow of a flood of 1,000 flows
 *
 * TAPSWITCH_COLLECTORS_SECONDS (default 4) makes the flood longer.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually, sleep } from '../support/command.js';
import { type Host, Lab } from '../support/lab.js';
import { projectRoot, type Switch } from '../support/switch.js';

const SECONDS = Number(process.env.TAPSWITCH_COLLECTORS_SECONDS ?? 4);
/** Down: nobody listens. */
const DOWN = '127.0.0.1:6341';
/** Unreachable: nobody on the link answers for that address, and no route leads there. */
const NO_NEIGHBOUR = '198.51.100.7:6343';
const NO_ROUTE = '203.0.113.7:6343';
/** Slow: listens, and never reads. */
const SLOW = '127.0.0.1:6345';
const TARGETS = [DOWN, NO_NEIGHBOUR, NO_ROUTE, SLOW].map((target) => `"${target}"`).join(',');

const NEVER_READS = `import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
s.bind(('127.0.0.1', 6345))
time.sleep(1000)`;

let lab: Lab;
let sw: Switch;
let h1: Host;
let h2: Host;

function residentMib(): number {
  const text = readFileSync(`/proc/${sw.pid}/status`, 'utf8');
  return Number(text.match(/VmRSS:\s+(\d+) kB/)?.[1]) / 1024;
}

beforeAll(async () => {
  lab = await Lab.start();
  ({ sw } = lab);
  h1 = await lab.addHost('h1', { port: 'p1', addresses: ['10.9.0.1/24'] });
  h2 = await lab.addHost('h2', { port: 'p2', addresses: ['10.9.0.2/24'] });
  // A wire for the address that nobody answers for.
  await lab.addWire('mgmt', 'nobody');
  await lab.namespace.ip('addr', 'add', '198.51.100.1/24', 'dev', 'mgmt');
  await sw.addBridge('br0');
  await sw.vsctl('add-port', 'br0', 'p1', '--', 'add-port', 'br0', 'p2');
  await eventually('the first ping', async () => (await h1.ping('10.9.0.2', 1)) === 1, 10_000);
});

afterAll(() => lab?.close());

const exported = async (exporter: string, count: string): Promise<number> => {
  const text = await sw.appctl('export/show');
  return Number(text.match(new RegExp(`${exporter}: .*${count}=(\\d+)`))?.[1] ?? -1);
};

it('never slow the switch down, nor make it grow', async () => {
  lab.namespace.start(['python3', '-c', NEVER_READS]);
  const sflow = ['--id=@s', 'create', 'sFlow', `targets=[${TARGETS}]`, 'sampling=1', 'polling=1'];
  const netflow = ['--id=@n', 'create', 'NetFlow', `targets=[${TARGETS}]`, 'active_timeout=1'];
  const ipfix = ['--id=@i', 'create', 'IPFIX', `targets=[${TARGETS}]`, 'sampling=1'];
  const set = ['set', 'Bridge', 'br0', 'sflow=@s', 'netflow=@n', 'ipfix=@i'];
  await sw.vsctl(...sflow, 'agent=lo', '--', ...netflow, '--', ...ipfix, '--', ...set);

  const script = join(projectRoot, 'scripts', 'bench-workers.mjs');
  const sender = h1.namespace.start([process.execPath, script, '--send', 'eth0']);
  // By then every flow is known, and the memory for samples touched.
  await sleep(3000);
  const before = residentMib();
  const waits: number[] = [];
  const end = performance.now() + SECONDS * 1000;
  while (performance.now() < end) {
    const start = performance.now();
    await sw.appctl('export/show');
    waits.push(performance.now() - start);
    await sleep(200);
  }
  const growth = residentMib() - before;
  await sender.stop('SIGKILL');
  const slowest = Math.max(...waits);
  console.log(
    `collectors away for ${SECONDS} s of a flood: memory +${growth.toFixed(1)} MiB, ` +
      `slowest command ${slowest.toFixed(0)} ms`,
  );
  expect(growth).toBeLessThan(48);
  expect(slowest).toBeLessThan(5000);
  for (const exporter of ['sflow', 'netflow', 'ipfix']) {
    expect(await exported(exporter, 'tx errs'), exporter).toBeGreaterThan(0);
  }
}, 600_000);

it('cost no packet of those that are forwarded', async () => {
  // Sampled, each of them, and told to collectors that are away.
  const samples = await exported('sflow', 'samples');
  const paced = await h2.namespace.must(['ping', '-qfc', '500', '-i', '0.002', '10.9.0.1']);
  expect(paced).toMatch(/500 packets transmitted, 500 received/);
  const sampled = async () => (await exported('sflow', 'samples')) - samples >= 1000;
  await eventually('all to be sampled', sampled, 10_000);
});

it('are told again once they are there', async () => {
  const hears = `import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(20)
s.bind(('127.0.0.1', 6341))
while True:
    if s.recv(2048)[:4] == bytes([0, 0, 0, 5]): break
print('sflow')`;
  const heard = lab.namespace.must(['python3', '-c', hears], { timeoutMs: 30_000 });
  const ping = h1.namespace.start(['ping', '-q', '-i', '0.05', '10.9.0.2']);
  expect(await heard).toBe('sflow\n');
  await ping.stop();
});
