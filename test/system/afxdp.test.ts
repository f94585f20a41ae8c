/**
 * Ports of type afxdp, with hosts that have the offloads of a veth by default.
 *
 *     west -- port1 (afxdp) [br0] port2 (afxdp) -- east
 *                            '--- port3 (packet socket) -- north
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../support/command.js';
import { type Host, Lab } from '../support/lab.js';
import { ETH_EXPERIMENTAL, ethernet } from '../support/packets.js';
import type { Switch } from '../support/switch.js';
import { datagramsIntact, transferIntact } from '../support/traffic.js';

const FRAMES = 10_000;
const BURST = 200;

let lab: Lab;
let sw: Switch;
let west: Host;
let east: Host;
let north: Host;

beforeAll(async () => {
  lab = await Lab.start({ ipv6: true });
  sw = lab.sw;
  west = await lab.addHost('west', { port: 'port1', addresses: ['10.0.0.1/24', 'fd00::1/64'] });
  east = await lab.addHost('east', { port: 'port2', addresses: ['10.0.0.2/24', 'fd00::2/64'] });
  north = await lab.addHost('north', { port: 'port3', addresses: ['10.0.0.3/24', 'fd00::3/64'] });
  await sw.addBridge('br0');
  for (const port of ['port1', 'port2']) await addAfxdp(port);
  await sw.vsctl('add-port', 'br0', 'port3');
}, 60_000);

afterAll(() => lab?.close());

function addAfxdp(port: string, ...options: string[]): Promise<string> {
  return sw.vsctl(
    'add-port',
    'br0',
    port,
    ...['--', 'set', 'Interface', port],
    'type=afxdp',
    ...options,
  );
}

const settings = async (port: string) =>
  new RegExp(`${port}.*\\((afxdp: .*)\\)`).exec(await sw.appctl('dpctl/show'))?.[1];

it('pings, and shows how it is set up', async () => {
  expect(await west.ping('10.0.0.2', 5)).toBe(5);
  expect(await west.ping('fd00::2', 3)).toBe(3);
  expect(await north.ping('10.0.0.1', 3)).toBe(3);
  expect(await settings('port1')).toBe(
    'afxdp: n_rxq=1, use-need-wakeup=true, xdp-mode=best-effort, xdp-mode-in-use=native',
  );
  const statistics = await sw.vsctl('get', 'Interface', 'port1', 'statistics');
  expect(statistics).toContain('xsk_queue_0_rx_dropped=0');
  expect(statistics).toContain('xsk_queue_0_tx_invalid_descs=0');
});

it('finishes checksums that hosts leave to their device, and cuts large segments', async () => {
  const pairs: [Host, Host, string][] = [
    [west, east, '10.0.0.2'],
    [west, east, 'fd00::2'],
    // From an AF_XDP port to a packet socket, and back, where segments are large.
    [west, north, '10.0.0.3'],
    [north, west, '10.0.0.1'],
    [north, west, 'fd00::1'],
  ];
  for (const [from, to, address] of pairs) {
    const { namespace, device } = to;
    const { bytes } = await transferIntact(from.namespace, { namespace, device, address }, 8);
    expect(bytes, `${from.port} to ${address}`).toBe(8 << 20);
  }
  const { namespace } = west;
  expect(await datagramsIntact(namespace, east.namespace, '10.0.0.2', 20, 1000)).toBe(20);
  expect(await datagramsIntact(namespace, east.namespace, 'fd00::2', 20, 8000)).toBe(20);
}, 60_000);

it(`forwards ${FRAMES} frames and counts each`, async () => {
  await sw.ofctl(
    'add-flow',
    'br0',
    `dl_type=${ETH_EXPERIMENTAL},in_port=port1,actions=output:port2`,
  );
  const sender = await lab.frames(west);
  const sink = await lab.frames(east);
  const before = {
    in: await sw.portCounters('br0', 'port1'),
    out: await sw.portCounters('br0', 'port2'),
  };
  const frame = (n: number) => {
    const payload = Buffer.alloc(50);
    payload.writeUInt32BE(n);
    return ethernet({ dst: east.mac, src: west.mac, type: ETH_EXPERIMENTAL, payload });
  };
  const ours = () => sink.received.filter((each) => each.readUInt16BE(12) === ETH_EXPERIMENTAL);
  // The test's own tools are slow: what they have not taken in yet is not the switch's loss.
  for (let sent = 0; sent < FRAMES; sent += BURST) {
    sender.send(...Array.from({ length: BURST }, (_, i) => frame(sent + i)));
    await eventually('the burst', () => ours().length >= sent + BURST, 10_000, 5);
  }
  const numbers = ours().map((each) => each.readUInt32BE(14));
  expect(numbers).toEqual(Array.from({ length: FRAMES }, (_, i) => i));
  const after = {
    in: await sw.portCounters('br0', 'port1'),
    out: await sw.portCounters('br0', 'port2'),
  };
  expect(after.in['rx pkts'] - before.in['rx pkts']).toBeGreaterThanOrEqual(FRAMES);
  expect(after.out['tx pkts'] - before.out['tx pkts']).toBeGreaterThanOrEqual(FRAMES);
  expect(await sw.ofctl('dump-flows', 'br0', 'in_port=port1')).toContain(`n_packets=${FRAMES},`);
}, 60_000);

it('is given back to the host when it is removed, and opens again', async () => {
  const link = () => lab.namespace.ip('link', 'show', 'port1');
  expect(await link()).toContain('xdp');
  await sw.vsctl('del-port', 'port1');
  expect(await link()).not.toContain('xdp');
  await lab.namespace.ip('addr', 'add', '10.0.0.9/24', 'dev', 'port1');
  expect(await west.ping('10.0.0.9', 2)).toBe(2);
  await lab.namespace.ip('addr', 'del', '10.0.0.9/24', 'dev', 'port1');
  await addAfxdp('port1', 'options:xdp-mode=generic', 'options:use-need-wakeup=false');
  expect(await settings('port1')).toBe(
    'afxdp: n_rxq=1, use-need-wakeup=false, xdp-mode=generic, xdp-mode-in-use=generic',
  );
  expect(await west.ping('10.0.0.2', 3)).toBe(3);
});

it('refuses what does not exist, and recovers', async () => {
  const error = () => sw.vsctl('get', 'Interface', 'port1', 'error');
  await sw.vsctl('set', 'Interface', 'port1', 'options:xdp-mode=fast');
  expect((await error()).trim()).toBe(
    '"could not configure network device port1 (Invalid argument)"',
  );
  await sw.vsctl('set', 'Interface', 'port1', 'options:xdp-mode=native-with-zerocopy');
  // A veth's driver has none.
  expect((await error()).trim()).toBe(
    '"could not open network device port1 (Operation not supported)"',
  );
  await sw.vsctl('set', 'Interface', 'port1', 'options:xdp-mode=native');
  expect((await error()).trim()).toBe('[]');
  expect(await west.ping('10.0.0.2', 3)).toBe(3);
});

it('sets an interface up that is down', async () => {
  await sw.vsctl('del-port', 'port2');
  await lab.namespace.ip('link', 'set', 'port2', 'down');
  await addAfxdp('port2');
  await eventually('the port to forward', async () => (await west.ping('10.0.0.2', 1)) === 1);
});
