/**
 * Order within each flow while queues and workers come and go under load: numbered packets, and the
 * receiver looks. TAPSWITCH_ORDER_PACKETS=1000000 is the long version.
 */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadNative } from '../../src/native/binding.js';
import { eventually } from '../support/command.js';
import { type Host, Lab } from '../support/lab.js';
import { python, type Switch } from '../support/switch.js';

const PACKETS = Number(process.env.TAPSWITCH_ORDER_PACKETS ?? 16_000);
const LONG = PACKETS > 100_000;
const RATE = Number(process.env.TAPSWITCH_ORDER_RATE ?? 8000);
const FLOWS = 16;
const SEQUENCE = fileURLToPath(new URL('../support/udp-sequence.py', import.meta.url));
const cpus = loadNative().getAffinity();

let lab: Lab;
let sw: Switch;
let h1: Host;
let h2: Host;

beforeAll(async () => {
  lab = await Lab.start({ workers: true });
  ({ sw } = lab);
  h1 = await lab.addHost('h1', { port: 'p1', addresses: ['10.9.0.1/24'] });
  h2 = await lab.addHost('h2', { port: 'p2', addresses: ['10.9.0.2/24'] });
  await sw.addBridge('br0');
  await sw.vsctl('add-port', 'br0', 'p1', '--', 'add-port', 'br0', 'p2');
  await lab.namespace.ip('link', 'set', 'br0', 'up');
  await lab.namespace.ip('addr', 'add', '10.9.0.3/24', 'dev', 'br0');
  await h2.namespace.receiveOnOneCpu();
  await eventually('the first ping', async () => (await h1.ping('10.9.0.2', 1)) === 1, 10_000);
});

afterAll(() => lab?.close());

/** Whether the kernel forwards. */
function offload(value: string | null): string[] {
  return value === null
    ? ['remove', 'Open_vSwitch', '.', 'other_config', 'hw-offload']
    : ['set', 'Open_vSwitch', '.', `other_config:hw-offload=${value}`];
}

const [a, b = a] = cpus;

function mask(...list: number[]): string {
  return list.reduce((sum, cpu) => sum | (1n << BigInt(cpu)), 0n).toString(16);
}

/** Changes of workers and queues, in turn, and of who forwards. */
function changes(who: string | null): string[][] {
  const set = (what: string) => ['set', 'Open_vSwitch', '.', `other_config:${what}`];
  return [
    set(`pmd-cpu-mask=${mask(a, b)}`),
    ['set', 'Interface', 'p1', 'options:n_rxq=4'],
    ['set', 'Interface', 'br0', 'options:n_rxq=4'],
    set('pmd-rxq-assign=roundrobin'),
    ['set', 'Interface', 'p1', `other_config:pmd-rxq-affinity=0:${a},1:${a},2:${b},3:${b}`],
    ['set', 'Interface', 'br0', 'other_config:xps-cpus=1,2,1,2'],
    set(`pmd-cpu-mask=${mask(b)}`),
    ['remove', 'Interface', 'p1', 'other_config', 'pmd-rxq-affinity'],
    ['set', 'Interface', 'p1', 'options:n_rxq=2'],
    ['set', 'Interface', 'br0', 'options:n_rxq=1', 'other_config:xps-cpus=0'],
    set('pmd-rxq-assign=cycles'),
    ...(who === 'false' ? [] : [offload('false'), offload(who)]),
  ];
}

/** Packets that workers have received: all of them, for one that is not there is not shown. */
async function byWorkers(): Promise<number> {
  await sw.vsctl('set', 'Open_vSwitch', '.', `other_config:pmd-cpu-mask=${mask(a, b)}`);
  await eventually('all workers', async () => {
    const text = await sw.appctl('dpif-netdev/pmd-stats-show');
    return text.split('pmd thread').length > new Set([a, b]).size;
  });
  return sw.packetsOfWorkers();
}

/** By whom: workers, the kernel where it goes unnoticed, the kernel wherever it can. */
const OFFLOAD = { workers: 'false', default: null, kernel: 'true' } as const;

type Way = [who: keyof typeof OFFLOAD, kind: string, address: string];
const MORE: Way = ['kernel', 'veth', '10.9.0.2'];

it.each<Way>([
  ['workers', 'veth', '10.9.0.2'],
  ['workers', 'TAP', '10.9.0.3'],
  ['default', 'veth', '10.9.0.2'],
  ...(LONG ? [MORE] : []),
  ['kernel', 'TAP', '10.9.0.3'],
  ['kernel', 'veth from TAP', '10.9.0.2'],
])(
  'is kept (%s) into %s, whatever changes',
  async (who, kind, address) => {
    const none = ['--', 'remove', 'Interface', 'p1', 'other_config', 'pmd-rxq-affinity'];
    await sw.vsctl(...offload(OFFLOAD[who]), ...none);
    const from = kind === 'veth from TAP' ? lab.namespace : h1.namespace;
    const namespace = kind === 'TAP' ? lab.namespace : h2.namespace;
    const numbers = [`${FLOWS}`, `${PACKETS}`];
    // A long run on a busy machine has long pauses.
    const silence = LONG ? '15' : '2';
    const receiver = namespace.start([python, SEQUENCE, 'receive', address, ...numbers, silence]);
    await eventually('the receiver', () => receiver.text.includes('ready'), 10_000);
    // On one CPU: the kernel's own queues before the switch keep the order then.
    const pin = ['taskset', '-c', `${cpus[0]}`];
    const argv = [...pin, python, SEQUENCE, 'send', address, ...numbers, `${RATE}`];
    const before = await byWorkers();
    const sender = from.start(argv);
    const list = changes(OFFLOAD[who]);
    let done = 0;
    for (; sender.running; done++) await sw.vsctl(...list[done % list.length]);
    await receiver.finished(90_000);
    const result = JSON.parse(receiver.output.stdout.trim().split('\n').at(-1) as string);
    console.log(`order (${who}) into ${kind}: ${done} changes, ${JSON.stringify(result)}`);
    expect(done).toBeGreaterThan(3);
    // Nothing else is to be shown where workers have done it all.
    const workers = (await byWorkers()) - before;
    if (who !== 'workers') expect(workers).toBeLessThan(PACKETS);
    expect(result).toMatchObject({ disordered: 0, doubled: 0 });
    // What waits in queues that are closed is lost; the rest arrives.
    expect(result.received).toBeGreaterThan(PACKETS / 2);
  },
  600_000,
);
