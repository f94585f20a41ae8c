/**
 * Order within each flow while it goes from workers to the kernel and back, with more frames than
 * workers forward: rings are full when the kernel takes over. TAPSWITCH_ORDER_PACKETS makes it
 * longer.
 */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadNative } from '../../src/native/binding.js';
import { eventually, sleep } from '../support/command.js';
import { type Host, Lab } from '../support/lab.js';
import { python, type Switch } from '../support/switch.js';

const PACKETS = Number(process.env.TAPSWITCH_ORDER_PACKETS ?? 300_000);
const FLOWS = 16;
const SEQUENCE = fileURLToPath(new URL('../support/udp-sequence.py', import.meta.url));
const FLOOD = fileURLToPath(new URL('../support/sequence-flood.mjs', import.meta.url));
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
  await lab.addHost('h3', { port: 'p3', addresses: [] });
  await sw.addBridge('br0');
  for (const port of ['p1', 'p2', 'p3']) await sw.vsctl('add-port', 'br0', port);
  await h2.namespace.receiveOnOneCpu();
  await eventually('the first ping', async () => (await h1.ping('10.9.0.2', 1)) === 1, 10_000);
});

afterAll(() => lab?.close());

it.each([
  ['by default', ['remove', 'Open_vSwitch', '.', 'other_config', 'hw-offload']],
  ['when asked for', ['set', 'Open_vSwitch', '.', 'other_config:hw-offload=true']],
])(
  'a flood goes over %s in order',
  async (_, setting) => {
    await sw.vsctl(...setting);
    const address = await h2.namespace.must(['cat', '/sys/class/net/eth0/address']);
    const received = async () => (await sw.portCounters('br0', 'p1'))['rx pkts'];
    await sw.ofctl('mod-flows', 'br0', 'actions=output:p2');
    const before = [await received(), await sw.packetsOfWorkers()];
    const numbers = [`${FLOWS}`, `${PACKETS}`];
    const receiver = h2.namespace.start([python, SEQUENCE, 'receive', '10.9.0.2', ...numbers]);
    await eventually('the receiver', () => receiver.text.includes('ready'), 10_000);
    const argv = [process.execPath, FLOOD, 'eth0', address.trim(), '10.9.0.1', '10.9.0.2'];
    const sender = h1.namespace.start(['taskset', '-c', `${cpus[0]}`, ...argv, ...numbers]);
    // The same match in the datapath: a flow that has to be set up anew is another matter.
    const outputs = ['output:p2,output:p3', 'output:p2'];
    let changes = 0;
    for (; sender.running; changes++) {
      await sw.ofctl('mod-flows', 'br0', `actions=${outputs[changes % outputs.length]}`);
      await sleep(150);
    }
    await receiver.finished(90_000);
    const result = JSON.parse(receiver.output.stdout.trim().split('\n').at(-1) as string);
    const [all, workers] = [
      (await received()) - before[0],
      (await sw.packetsOfWorkers()) - before[1],
    ];
    const drops = (await sw.appctl('coverage/show')).match(/datapath_drop_hand_over.*total: (\d+)/);
    console.log(
      `${changes} changes, ${all} frames came in, ${workers} of them to workers, ` +
        `${drops?.[1] ?? 0} shed so far: ${JSON.stringify(result)}`,
    );
    expect(result).toMatchObject({ disordered: 0, doubled: 0 });
    expect(all - workers).toBeGreaterThan(all / 10);
  },
  600_000,
);
