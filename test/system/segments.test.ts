/**
 * Large segments of hosts with default offloads where the kernel does not cut them: behind an MPLS
 * label, and truncated. Two tags, where it does.
 *
 *     west -- port1 [br1] a0 == b0 [br2] port2 -- east
 *                    '--- port3 -- witness
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/command.js';
import { type Host, Lab } from '../support/lab.js';
import { python, type Switch } from '../support/switch.js';
import { datagramsIntact, transferIntact } from '../support/traffic.js';

const WITNESS = new URL('../support/stream-witness.py', import.meta.url).pathname;
/** UDP datagrams of 1000 bytes, 20 in each large one: argv address, datagrams. */
const UDP_GSO = `
import hashlib, os, socket, sys, time
UDP_SEGMENT = 103
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
sock = socket.socket(family, socket.SOCK_DGRAM)
sock.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 1000)
for _ in range(int(sys.argv[2]) // 20):
    data = [os.urandom(968) for _ in range(20)]
    sock.sendto(b"".join(hashlib.sha256(d).digest() + d for d in data), (sys.argv[1], 9001))
    time.sleep(0.02)
`;
const UDP_COUNT = `
import hashlib, socket
SO_RCVBUFFORCE = 33
sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 4 << 20)
sock.bind(("::", 9001))
sock.settimeout(3)
print("listening", flush=True)
good = 0
try:
    while good < 400:
        data = sock.recv(70000)
        good += len(data) == 1000 and hashlib.sha256(data[32:]).digest() == data[:32]
except TimeoutError:
    pass
print(good)
`;

let lab: Lab;
let sw: Switch;
let west: Host;
let east: Host;
let witness: Host;

beforeAll(async () => {
  lab = await Lab.start({ ipv6: true });
  sw = lab.sw;
  west = await lab.addHost('west', { port: 'port1', addresses: ['10.0.0.1/24', 'fd00::1/64'] });
  east = await lab.addHost('east', { port: 'port2', addresses: ['10.0.0.2/24', 'fd00::2/64'] });
  witness = await lab.addHost('witness', { port: 'port3' });
  await lab.addWire('a0', 'b0');
  // Room for labels and tags.
  for (const end of ['a0', 'b0']) await lab.namespace.ip('link', 'set', end, 'mtu', '1520');
  for (const bridge of ['br1', 'br2']) await sw.addBridge(bridge);
  for (const port of ['port1', 'a0', 'port3']) await sw.vsctl('add-port', 'br1', port);
  for (const port of ['port2', 'b0']) await sw.vsctl('add-port', 'br2', port);
}, 90_000);

afterAll(() => lab?.close());

/** Replaces the flows of both bridges; host and wire are the ports of each. */
async function flows(each: (host: string, wire: string) => string[], extra: string[] = []) {
  const add = (bridge: string, flow: string) => {
    // Two tags are pushed by OpenFlow 1.1 and later only.
    const version = flow.includes('push_vlan') ? ['-O', 'OpenFlow13'] : [];
    return sw.ofctl(...version, 'add-flow', bridge, flow);
  };
  for (const [bridge, host, wire] of [
    ['br1', 'port1', 'a0'],
    ['br2', 'port2', 'b0'],
  ]) {
    await sw.ofctl('del-flows', bridge);
    for (const flow of each(host, wire)) await add(bridge, flow);
  }
  for (const flow of extra) await add('br1', flow);
  await eventually('the first ping', async () => (await west.ping('10.0.0.2', 1)) === 1);
}

const at = (host: Host, address: string) => ({
  namespace: host.namespace,
  device: host.device,
  address,
});

/** What the switch has dropped because the kernel did not take it. */
async function refused(): Promise<string> {
  const coverage = await sw.appctl('coverage/show');
  return (coverage.match(/^datapath_drop_(tx_error|tx_too_big).*$/gm) ?? []).join('\n');
}

describe('over a link with MPLS labels', () => {
  beforeAll(() =>
    flows((host, wire) => [
      `in_port=${host},ip,actions=push_mpls:0x8847,set_mpls_label:100,output:${wire}`,
      `in_port=${host},ipv6,actions=push_mpls:0x8847,set_mpls_label:200,` +
        `push_mpls:0x8847,set_mpls_label:300,output:${wire}`,
      `in_port=${host},arp,actions=output:${wire}`,
      `in_port=${wire},mpls,mpls_label=100,actions=pop_mpls:0x0800,output:${host}`,
      `in_port=${wire},mpls,mpls_label=300,mpls_bos=0,actions=pop_mpls:0x8847,` +
        `pop_mpls:0x86dd,output:${host}`,
      `in_port=${wire},arp,actions=output:${host}`,
    ]),
  );

  it.each(['10.0.0', 'fd00:'])('carries TCP both ways (%s)', async (net) => {
    const sep = net.includes(':') ? ':' : '.';
    await transferIntact(west.namespace, at(east, `${net}${sep}2`));
    await transferIntact(east.namespace, at(west, `${net}${sep}1`));
    expect(await refused()).toBe('');
  });

  it.each(['10.0.0.2', 'fd00::2'])(
    'carries datagrams with unfinished checksums (%s)',
    async (to) => {
      expect(await datagramsIntact(west.namespace, east.namespace, to, 20, 1000)).toBe(20);
    },
  );

  it.each(['10.0.0.2', 'fd00::2'])('carries datagrams of UDP segmentation (%s)', async (to) => {
    const receiver = east.namespace.start([python, '-c', UDP_COUNT]);
    try {
      await eventually('the receiver to listen', () => receiver.text.includes('listening'));
      await west.namespace.must([python, '-c', UDP_GSO, to, '400']);
      await receiver.finished(10_000);
      expect(receiver.output.stdout.trim().split('\n').at(-1)).toBe('400');
    } finally {
      await receiver.stop('SIGKILL');
    }
  });
});

describe('truncated to 100 bytes for a third port', () => {
  const forward = (host: string, wire: string) => [
    `in_port=${wire},actions=output:${host}`,
    `in_port=${host},actions=output:${wire}`,
  ];

  it('shows every packet of a TCP stream', async () => {
    const both = 'in_port=port1,actions=output:a0,output(port=port3,max_len=100)';
    await flows(forward, [both]);
    const process = witness.namespace.start([python, WITNESS, witness.device, '9000']);
    try {
      await eventually('the witness', () => process.text.includes('ready'));
      const { bytes } = await transferIntact(west.namespace, at(east, '10.0.0.2'), 8);
      process.child.stdin?.end();
      await process.finished(20_000);
      const seen = JSON.parse(process.output.stdout.trim().split('\n').at(-1)!);
      expect(seen.covered).toBe(bytes);
      expect(Math.max(...seen.lengths)).toBe(100);
      expect(seen.badIp).toBe(0);
      expect(seen.frames).toBeGreaterThanOrEqual(Math.floor(bytes / 1460));
    } finally {
      await process.stop('SIGKILL');
    }
  });
});

describe('behind two tags', () => {
  it('carries TCP both ways', async () => {
    await sw.vsctl('set', 'Open_vSwitch', '.', 'other_config:vlan-limit=2');
    await flows((host, wire) => [
      `in_port=${host},actions=push_vlan:0x8100,set_field:4106->vlan_vid,` +
        `push_vlan:0x88a8,set_field:4116->vlan_vid,output:${wire}`,
      `in_port=${wire},dl_vlan=20,actions=pop_vlan,pop_vlan,output:${host}`,
    ]);
    await transferIntact(west.namespace, at(east, '10.0.0.2'));
    await transferIntact(east.namespace, at(west, '10.0.0.1'));
    expect(await refused()).toBe('');
  });
});
