/**
 * A million numbered packets of 64 flows over balance-tcp, with a rebalance in the middle: each
 * arrives once, in the order of its flow, and both members carry their share.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { enabledMembers } from '../support/bond-traffic.js';
import { eventually } from '../support/command.js';
import { type Host, Lab } from '../support/lab.js';
import { projectRoot, python, type Switch } from '../support/switch.js';

const WEST = '10.10.10.1';
const EAST = '10.10.10.2';
const FLOWS = 64;
const PACKETS = 1_000_000;
const RATE = 40_000;
/** What the bridge sends by itself meanwhile: LACPDUs, ARP, the pings at the start. */
const OWN_PACKETS_MAX = 100;
/** A rebalance comes after about a third of the packets. */
const REBALANCE_MS = 6000;
const SCRIPT = `${projectRoot}/test/support/udp-sequence.py`;

let lab: Lab;
let sw: Switch;
let west: Host;
let east: Host;

beforeAll(async () => {
  lab = await Lab.start();
  sw = lab.sw;
  west = await lab.addHost('m', { port: 'vethn', addresses: [`${WEST}/24`] });
  east = await lab.addHost('w', { port: 'vethz', addresses: [`${EAST}/24`] });
  const tcp = ['bond_mode=balance-tcp', 'lacp=active'];
  const interval = `other_config:bond-rebalance-interval=${REBALANCE_MS}`;
  await lab.addWire('vetha', 'vethb');
  await lab.addWire('vethx', 'vethy');
  await sw.addBridge('br1');
  await sw.vsctl('add-bond', 'br1', 'bond1', 'vetha', 'vethx', ...tcp, interval);
  await sw.vsctl('add-port', 'br1', 'vethn');
  await sw.addBridge('br2');
  await sw.vsctl('add-bond', 'br2', 'bond2', 'vethb', 'vethy', ...tcp);
  await sw.vsctl('add-port', 'br2', 'vethz');
  const all = async () => enabledMembers(await sw.appctl('bond/show', 'bond1')).length === 2;
  await eventually('both members to be enabled', all);
  await eventually('the ping to pass', async () => (await west.ping(EAST, 1)) === 1);
}, 90_000);

afterAll(() => lab?.close());

it('carries a million packets once each and in order, over a rebalance', async () => {
  const numbers = [`${FLOWS}`, `${PACKETS}`];
  const receiver = east.namespace.start([python, SCRIPT, 'receive', EAST, ...numbers]);
  await eventually('the receiver', () => receiver.text.includes('ready'));
  const sending = ['send', EAST, ...numbers, `${RATE}`];
  await west.namespace.must([python, SCRIPT, ...sending], { timeoutMs: 100_000 });
  const { stdout } = await receiver.finished(30_000);
  const result = JSON.parse(stdout.split('\n')[1]);
  const moves = sw.log.match(/bond bond1: shift .*/g) ?? [];
  const sent = await Promise.all(
    ['vetha', 'vethx'].map((member) => sw.portCounter('br1', member, 'tx pkts')),
  );
  console.log(
    `${PACKETS} packets of ${FLOWS} flows, ${moves.length} buckets moved: ` +
      `${result.lost} lost, ${result.doubled} doubled, ${result.disordered} out of order; ` +
      `members sent ${sent.join(' and ')}`,
  );
  expect(moves.length).toBeGreaterThan(0);
  expect(result.doubled).toBe(0);
  // A bucket that moves may overtake itself once, no more.
  expect(result.disordered).toBeLessThanOrEqual(moves.length);
  // A busy machine loses some before the bond, in the queue of the host's port. The bond itself
  // loses none.
  expect(sent[0] + sent[1] - result.received).toBeLessThanOrEqual(OWN_PACKETS_MAX);
  expect(result.lost).toBeLessThan(PACKETS / 5);
  for (const count of sent) expect(count).toBeGreaterThan(PACKETS / 5);
}, 180_000);
