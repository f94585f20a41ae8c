/**
 * Devices that take no more. One whose queue is kept full by the kernel (a token bucket of the
 * user's): its queue stops, frames wait in order, and go on when it wakes. One whose reader has
 * stopped (another program's TAP): frames end there, counted, and nobody else notices.
 */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../support/command.js';
import { type Host, Lab } from '../support/lab.js';
import { python, type Switch } from '../support/switch.js';

const SEQUENCE = fileURLToPath(new URL('../support/udp-sequence.py', import.meta.url));
const PACKETS = 24_000;
const FLOWS = 4;

/** Opens a TAP of a name and never reads. */
const DEAF = `
import fcntl, os, struct, sys, time
fd = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(fd, 0x400454CA, struct.pack("16sH22x", sys.argv[1].encode(), 0x1002))
print("ready", flush=True)
time.sleep(600)
`;

let lab: Lab;
let sw: Switch;
let h1: Host;
let h2: Host;

/** Sums of counters over a port's queues, from dpctl/tx-queue-show. */
async function queued(port: string): Promise<Record<string, number>> {
  const sums: Record<string, number> = {};
  const text = await sw.appctl('dpctl/tx-queue-show', port);
  for (const [, name, n] of text.matchAll(/(packets|dropped|queued|waiting|stops):(\d+)/g)) {
    sums[name] = (sums[name] ?? 0) + Number(n);
  }
  return sums;
}

beforeAll(async () => {
  lab = await Lab.start();
  ({ sw } = lab);
  h1 = await lab.addHost('h1', { port: 'p1', addresses: ['10.9.0.1/24'] });
  h2 = await lab.addHost('h2', { port: 'p2', addresses: ['10.9.0.2/24'] });
  await sw.addBridge('br0');
  await sw.vsctl('set', 'Open_vSwitch', '.', 'other_config:hw-offload=false');
  await sw.vsctl('add-port', 'br0', 'p1', '--', 'add-port', 'br0', 'p2');
  await eventually('the first ping', async () => (await h1.ping('10.9.0.2', 1)) === 1, 10_000);
});

afterAll(() => lab?.close());

it('stops a full queue, keeps the order of what waits, and wakes it', async () => {
  const bucket = ['tbf', 'rate', '8mbit', 'burst', '20kb', 'limit', '100mb'];
  await lab.namespace.must(['tc', 'qdisc', 'add', 'dev', 'p2', 'root', ...bucket]);
  const numbers = [`${FLOWS}`, `${PACKETS}`];
  const receiver = h2.namespace.start([python, SEQUENCE, 'receive', '10.9.0.2', ...numbers]);
  await eventually('the receiver', () => receiver.text.includes('ready'), 10_000);
  const before = await queued('p2');
  const ring = async () => (await sw.portCounters('br0', 'p1'))['rx drop'];
  const ringBefore = await ring();
  const sender = h1.namespace.start([python, SEQUENCE, 'send', '10.9.0.2', ...numbers, '16000']);
  await receiver.finished(60_000);
  await sender.finished(10_000);
  const result = JSON.parse(receiver.output.stdout.trim().split('\n').at(-1) as string);
  const after = await queued('p2');
  const grown = (name: string) => after[name] - before[name];
  console.log(`full device: ${JSON.stringify(result)} ${JSON.stringify(after)}`);
  expect(result).toMatchObject({ disordered: 0, doubled: 0 });
  expect(grown('stops')).toBeGreaterThan(0);
  expect(grown('queued')).toBeGreaterThan(0);
  expect(after.waiting).toBe(0);
  // Every packet arrived, or is counted where it was dropped. A few others may be in between.
  const found = result.received + grown('dropped') + (await ring()) - ringBefore;
  expect(found).toBeGreaterThanOrEqual(PACKETS - 50);
  expect(found).toBeLessThanOrEqual(PACKETS + 50);
  await lab.namespace.must(['tc', 'qdisc', 'del', 'dev', 'p2', 'root']);
  expect(await h1.ping('10.9.0.2', 5, 0.05)).toBe(5);
});

it('goes on for others when nobody reads from one', async () => {
  const deaf = lab.namespace.start([python, '-c', DEAF, 'deaf0']);
  await eventually('the TAP', () => deaf.text.includes('ready'), 10_000);
  await lab.namespace.ip('link', 'set', 'deaf0', 'up');
  await sw.vsctl('add-port', 'br0', 'deaf0');
  const input = await sw.ofport('p1');
  const outputs = `${await sw.ofport('deaf0')},${await sw.ofport('p2')}`;
  await sw.ofctl('add-flow', 'br0', `priority=9,in_port=${input},udp,actions=${outputs}`);
  const numbers = [`${FLOWS}`, '8000'];
  const receiver = h2.namespace.start([python, SEQUENCE, 'receive', '10.9.0.2', ...numbers]);
  await eventually('the receiver', () => receiver.text.includes('ready'), 10_000);
  const sender = h1.namespace.start([python, SEQUENCE, 'send', '10.9.0.2', ...numbers, '8000']);
  await receiver.finished(60_000);
  await sender.finished(10_000);
  const result = JSON.parse(receiver.output.stdout.trim().split('\n').at(-1) as string);
  expect(result).toMatchObject({ disordered: 0, doubled: 0 });
  expect(result.received).toBeGreaterThan(7500);
  const text = await lab.namespace.ip('-s', '-j', 'link', 'show', 'dev', 'deaf0');
  const { tx } = JSON.parse(text)[0].stats64;
  const ours = await queued('deaf0');
  console.log(`nobody reads: ${JSON.stringify(tx)} ${JSON.stringify(ours)}`);
  // The kernel's TAP drops what it cannot hold, and counts it.
  expect(tx.dropped + ours.dropped).toBeGreaterThan(5000);
  expect(await h1.ping('10.9.0.2', 5, 0.05)).toBe(5);
  await sw.vsctl('del-port', 'br0', 'deaf0');
  await deaf.stop('SIGKILL');
});
