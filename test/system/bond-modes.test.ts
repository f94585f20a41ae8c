/**
 * The three modes of a bond, with LACP where it is needed: both ends are ours, in one daemon.
 *
 *     m: eth0 10.10.10.1 -- vethn [br1] bond1 { vetha == vethb } bond2 [br2] vethz -- w: 10.10.10.2
 *                                             { vethx == vethy }
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { enabledMembers, flapWithin } from '../support/bond-traffic.js';
import { eventually } from '../support/command.js';
import { type Host, Lab } from '../support/lab.js';
import type { Switch } from '../support/switch.js';

const WEST = '10.10.10.1';
const EAST = '10.10.10.2';
const WIRES: [string, string][] = [
  ['vetha', 'vethb'],
  ['vethx', 'vethy'],
];

let lab: Lab;
let sw: Switch;
let west: Host;
let east: Host;

beforeAll(async () => {
  lab = await Lab.start();
  sw = lab.sw;
  west = await lab.addHost('m', { port: 'vethn', addresses: [`${WEST}/24`] });
  east = await lab.addHost('w', { port: 'vethz', addresses: [`${EAST}/24`] });
  for (const [one, other] of WIRES) await lab.addWire(one, other);
  for (const [br, host] of [
    ['br1', 'vethn'],
    ['br2', 'vethz'],
  ]) {
    await sw.addBridge(br);
    await sw.vsctl('add-port', br, host);
  }
}, 90_000);

afterAll(() => lab?.close());

/** Makes both bonds anew. */
async function bonds(settings1: string[], settings2: string[] = settings1): Promise<void> {
  for (const [br, bond] of [
    ['br1', 'bond1'],
    ['br2', 'bond2'],
  ]) {
    await sw.vsctl('--if-exists', 'del-port', br, bond);
  }
  const members = (end: 0 | 1) => WIRES.map((wire) => wire[end]);
  await sw.vsctl('add-bond', 'br1', 'bond1', ...members(0), ...settings1);
  await sw.vsctl('add-bond', 'br2', 'bond2', ...members(1), ...settings2);
}

async function allEnabled(): Promise<void> {
  const all = async () => {
    const shown = await Promise.all(['bond1', 'bond2'].map((b) => sw.appctl('bond/show', b)));
    return shown.every((text) => enabledMembers(text).length === 2);
  };
  await eventually('all members to be enabled', all, 10_000);
}

const pingPasses = () =>
  eventually('the ping to pass', async () => (await west.ping(EAST, 1)) === 1, 10_000);

async function flapBoth(mode: string): Promise<void> {
  for (const device of ['vetha', 'vethx']) {
    const wire = { namespace: lab.namespace, device };
    const pings = { host: west, address: EAST };
    // A ping that is under way when the carrier goes is lost, and one may meet the change.
    const { down, up } = await flapWithin(3, `${mode}: ${device}`, wire, pings, allEnabled);
    expect(down).toBeLessThanOrEqual(3);
    expect(up).toBe(0);
  }
}

describe.each([
  ['active-backup', ['bond_mode=active-backup', 'other_config:bond-primary=vetha'], 'off'],
  ['active-backup with LACP', ['bond_mode=active-backup', 'lacp=active'], 'negotiated'],
  ['balance-slb', ['bond_mode=balance-slb'], 'off'],
  ['balance-slb with LACP', ['bond_mode=balance-slb', 'lacp=active'], 'negotiated'],
  ['balance-tcp', ['bond_mode=balance-tcp', 'lacp=active'], 'negotiated'],
  [
    'balance-tcp with lb_output',
    ['bond_mode=balance-tcp', 'lacp=active', 'other_config:lb-output-action=true'],
    'negotiated',
  ],
] as [string, string[], string][])('%s', (mode, settings, lacpStatus) => {
  it('passes pings both ways', async () => {
    const other = settings.map((s) => s.replace('=vetha', '=vethb'));
    await bonds(settings, other);
    await allEnabled();
    await pingPasses();
    expect(await west.ping(EAST, 5)).toBe(5);
    expect(await east.ping(WEST, 5)).toBe(5);
    expect(await sw.appctl('bond/show', 'bond1')).toMatch(`\nlacp_status: ${lacpStatus}\n`);
  });

  it('costs little when a link goes down, and nothing when it comes back', async () => {
    await flapBoth(mode);
  }, 60_000);
});

/** Answers each TCP connection with what it was sent. */
const TCP_SERVER = `import socketserver
class Echo(socketserver.BaseRequestHandler):
  def handle(self):
    self.request.sendall(self.request.recv(100))
socketserver.TCPServer.allow_reuse_address = True
socketserver.TCPServer.request_queue_size = 1000
with socketserver.TCPServer(("${EAST}", 7777), Echo) as server:
  print("ready", flush=True)
  server.serve_forever()
`;

/** Opens a thousand connections, one after the other. */
const TCP_CLIENT = `import socket
n = 0
for i in range(1000):
  with socket.create_connection(("${EAST}", 7777), timeout=20) as s:
    s.sendall(b"x" * 100)
    n += s.recv(100) == b"x" * 100
print(n, "answers")
`;

/** A program that sends datagrams from as many ports. */
function datagrams(count: number): string {
  return `import socket
for i in range(${count}):
  s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
  s.sendto(b"x" * 100, ("${EAST}", 1024 + i))
  s.close()
`;
}

describe('balance-tcp', () => {
  it('has no megaflow per connection', async () => {
    await bonds(['bond_mode=balance-tcp', 'lacp=active']);
    await allEnabled();
    await pingPasses();
    const shown = await sw.appctl('bond/show', 'bond1');
    expect(shown).toMatch(/^bond may use recirculation: yes, Recirc-ID : [1-9]\d*$/m);
    await west.namespace.must(['python3', '-c', datagrams(2000)]);
    const flows = (await sw.appctl('dpctl/dump-flows')).trim().split('\n');
    expect(flows.some((flow) => /actions:hash\(l4\(0\)\),recirc\(0x\w+\)/.test(flow))).toBe(true);
    const hashed = flows.filter((flow) => flow.includes('dp_hash'));
    expect(hashed.length).toBeGreaterThan(100);
    // 256 buckets for packets from the host, few for answers and for other kinds of packets.
    expect(flows.length).toBeLessThan(2 * 256 + 50);
    const used = new Set(hashed.map((flow) => flow.match(/actions:(\S+)/)?.[1]));
    expect(used.size).toBeGreaterThanOrEqual(2);
  });

  it('chooses the member in the datapath with lb-output-action, by one megaflow', async () => {
    await bonds([
      ...['bond_mode=balance-tcp', 'lacp=active'],
      'other_config:lb-output-action=true',
    ]);
    await allEnabled();
    await pingPasses();
    const id = (await sw.appctl('bond/show', 'bond1')).match(
      /^lb_output action: enabled, bond-id: (\d+)$/m,
    )?.[1];
    expect(Number(id)).toBeGreaterThan(0);
    const counts = () =>
      Promise.all(['vetha', 'vethx'].map((name) => sw.portCounter('br1', name, 'tx pkts')));
    const before = await counts();
    await west.namespace.must(['python3', '-c', datagrams(2000)]);
    const flows = await sw.appctl('dpctl/dump-flows');
    expect(flows).toContain(`actions:lb_output(${id})`);
    expect(flows).not.toContain('dp_hash');
    const table = await sw.appctl('dpif-netdev/bond-show');
    expect(table.match(/\t\tbucket \d+ - member \d+/g)).toHaveLength(512);
    const sent = (await counts()).map((count, i) => count - before[i]);
    const nFlows = flows.trim().split('\n').length;
    console.log(`lb_output: ${nFlows} megaflows for 2000 connections`);
    expect(nFlows).toBeLessThan(30);
    console.log(`lb_output: members sent ${sent.join(' and ')} of 2000 packets`);
    for (const count of sent) expect(count).toBeGreaterThan(500);
    await sw.vsctl('set', 'port', 'bond1', 'other_config:lb-output-action=false');
    await sw.vsctl('set', 'port', 'bond2', 'other_config:lb-output-action=false');
    const gone = async () => (await sw.appctl('dpif-netdev/bond-show')) === '';
    await eventually('the tables to go', gone);
    expect(await west.ping(EAST, 3)).toBe(3);
  });

  it('spreads 1,000 TCP connections, whatever the basis, with few megaflows', async () => {
    const server = east.namespace.start(['python3', '-c', TCP_SERVER]);
    await eventually('the server', () => server.text.includes('ready'));
    for (const [lb, basis] of [
      ['false', '0'],
      ['true', '4711'],
    ]) {
      const other = `other_config:bond-hash-basis=${basis}`;
      await bonds([
        ...['bond_mode=balance-tcp', 'lacp=active', other],
        `other_config:lb-output-action=${lb}`,
      ]);
      await allEnabled();
      await pingPasses();
      const counts = () =>
        Promise.all(['vetha', 'vethx'].map((name) => sw.portCounter('br1', name, 'tx pkts')));
      const before = await counts();
      const argv = ['python3', '-c', TCP_CLIENT];
      expect(await west.namespace.must(argv, { timeoutMs: 30_000 })).toBe('1000 answers\n');
      const flows = (await sw.appctl('dpctl/dump-flows')).trim().split('\n');
      const sent = (await counts()).map((count, i) => count - before[i]);
      console.log(
        `lb-output-action=${lb}, basis ${basis}: 1000 TCP connections, ${flows.length} ` +
          `megaflows, members sent ${sent.join(' and ')} packets`,
      );
      // Both directions of two bridges; without lb_output one for each bucket and direction.
      expect(flows.length).toBeLessThan(lb === 'true' ? 40 : 2 * 256 + 40);
      expect(flows.some((flow) => /tcp\(src=\d+,dst=\d+\)/.test(flow))).toBe(false);
      expect(flows.some((flow) => flow.includes('lb_output('))).toBe(lb === 'true');
      for (const count of sent) expect(count).toBeGreaterThan(1000);
    }
    await server.stop();
  }, 90_000);

  it('passes nothing when the peer does not answer LACP, unless it may fall back', async () => {
    const tcp = ['bond_mode=balance-tcp', 'lacp=active', 'other_config:lacp-time=fast'];
    await bonds(tcp, ['bond_mode=balance-slb']);
    const status = async (wanted: string) =>
      (await sw.appctl('bond/show', 'bond1')).includes(`lacp_status: ${wanted}`);
    await eventually('LACP to fail', () => status('configured'), 10_000);
    expect(enabledMembers(await sw.appctl('bond/show', 'bond1'))).toEqual([]);
    expect(await west.ping(EAST, 2)).toBe(0);
    await sw.vsctl('set', 'port', 'bond1', 'other_config:lacp-fallback-ab=true');
    await pingPasses();
    const shown = await sw.appctl('bond/show', 'bond1');
    expect(shown).toMatch(/^lacp_fallback_ab: true$/m);
    expect(shown).toMatch(/^bond may use recirculation: no, Recirc-ID : -1$/m);
    expect(enabledMembers(shown)).toEqual(['vetha', 'vethx']);
  }, 60_000);

  it('writes into the database whether LACP is current', async () => {
    await bonds(['bond_mode=balance-tcp', 'lacp=active']);
    await allEnabled();
    const current = async (name: string) =>
      (await sw.vsctl('get', 'Interface', name, 'lacp_current')).trim();
    await eventually('lacp_current', async () => (await current('vetha')) === 'true');
    expect(await current('vethn')).toBe('[]');
  });
});
