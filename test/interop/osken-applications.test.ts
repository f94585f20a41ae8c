/**
 * Applications of os-ken (test/support/osken) drive real hosts through the switch: they install
 * entries upon what they see, poll counters, answer LACP, make a spanning tree, route, and use
 * meters and groups. What is asserted is what the hosts' traffic does, and that tshark's dissector
 * finds nothing malformed in what the switch told the applications.
 *
 *     h1 - p1 [       ] p2 - h2          each application has a bridge (or three) of its own
 *             [  br0  ] p3 - h3
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type BackgroundProcess, eventually } from '../support/command.js';
import { type Host, Lab } from '../support/lab.js';
import { OpenFlowSniffer } from '../support/openflow-sniffer.js';
import { projectRoot, python } from '../support/switch.js';

const APPLICATIONS = join(projectRoot, 'test', 'support', 'osken');
const PATIENCE_MS = 25_000;

const SENDER = `
import socket, sys
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
for _ in range(int(sys.argv[3])):
    sock.sendto(b"x" * 64, (sys.argv[1], int(sys.argv[2])))
`;

type Said = Record<string, unknown>;

let lab: Lab;
let hosts: Host[];
let manager: BackgroundProcess | undefined;
let bridges: string[] = [];
let sniffer: OpenFlowSniffer;

beforeAll(async () => {
  lab = await Lab.start();
  const dir = await mkdtemp(join(tmpdir(), 'tapswitch-applications-'));
  lab.onClose('capture', () => rm(dir, { recursive: true, force: true }));
  sniffer = await OpenFlowSniffer.start(lab.namespace, join(dir, 'lo.pcap'));
  hosts = [];
  for (const i of [1, 2, 3]) {
    hosts.push(await lab.addHost(`h${i}`, { port: `p${i}` }));
  }
}, 60_000);

afterAll(() => lab?.close());

afterEach(async () => {
  for (const bridge of bridges) await lab.sw.vsctl('del-br', bridge);
  bridges = [];
  await manager?.stop('SIGKILL');
  manager = undefined;
});

/** What the application said so far, a line of JSON each. */
function said(): Said[] {
  const lines = manager?.output.stdout.split('\n').slice(0, -1) ?? [];
  return lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Said);
}

const saying = (what: string, is: (line: Said) => boolean) =>
  eventually(`the application to say ${what}`, () => said().findLast(is), PATIENCE_MS);

function startApplication(name: string): void {
  const env = { ...process.env, PYTHONPATH: APPLICATIONS, PYTHONDONTWRITEBYTECODE: '1' };
  const listen = ['--ofp-listen-host', '127.0.0.1'];
  const argv = [python, '/usr/bin/osken-manager', ...listen, join(APPLICATIONS, `${name}.py`)];
  manager = lab.namespace.start(argv, { env });
}

/** A bridge with these devices as ports 1, 2...; its controller is told of it. */
async function addBridge(bridge: string, dpid: number, devices: string[]): Promise<void> {
  const { sw } = lab;
  await sw.addBridge(bridge);
  bridges.push(bridge);
  const id = `other_config:datapath-id=${dpid.toString(16).padStart(16, '0')}`;
  const settings = ['fail_mode=secure', 'protocols=OpenFlow13', id];
  const ports = devices.flatMap((device, i) => [
    ...['--', 'add-port', bridge, device],
    ...['--', 'set', 'Interface', device, `ofport_request=${i + 1}`],
  ]);
  await sw.vsctl('set', 'bridge', bridge, ...settings, ...ports);
  // A connection that is refused is tried again only later.
  await eventually('the controller to listen', listening, PATIENCE_MS);
  await sw.vsctl('set-controller', bridge, 'tcp:127.0.0.1:6653');
}

/** Whether port 6653 is listened on. */
async function listening(): Promise<boolean> {
  const sockets = await lab.namespace.must(['cat', '/proc/net/tcp']);
  return /: 0100007F:19FD \S+ 0A /.test(sockets);
}

/**
 * Waits until the application has put this entry into the bridge. The database tells of the
 * connection, too, but only every five seconds.
 */
const entry = (bridge: string, text: string): Promise<unknown> =>
  eventually(
    `an entry with '${text}'`,
    async () => (await lab.sw.ofctl('-O', 'OpenFlow13', 'dump-flows', bridge)).includes(text),
    PATIENCE_MS,
  );

/** Gives a host this address alone. */
async function address(host: Host, cidr: string, gateway?: string): Promise<void> {
  const { namespace, device } = host;
  await namespace.ip('addr', 'flush', 'dev', device);
  await namespace.ip('neigh', 'flush', 'dev', device);
  await namespace.ip('addr', 'add', cidr, 'brd', '+', 'dev', device);
  if (gateway !== undefined) await namespace.ip('route', 'add', 'default', 'via', gateway);
}

const reaches = (from: Host, to: string): Promise<unknown> =>
  eventually(`${to} to answer`, async () => (await from.ping(to, 1)) === 1, PATIENCE_MS);

/** Waits until five pings in a row are answered: entries may just have changed. */
const reachesSteadily = (from: Host, to: string): Promise<unknown> =>
  eventually(`${to} to answer each`, async () => (await from.ping(to, 5)) === 5, PATIENCE_MS);

/** Sends datagrams, as fast as it can. */
const datagrams = (from: Host, to: string, port: number, count: number): Promise<string> =>
  from.namespace.must([python, '-c', SENDER, to, `${port}`, `${count}`]);

/** Sum of counters of a host's kernel. */
async function counters(host: Host, file: string, kind: string, ...wanted: string[]) {
  const text = await host.namespace.must(['cat', `/proc/net/${file}`]);
  const lines = text.split('\n').filter((line) => line.startsWith(`${kind}:`));
  const [names, values] = lines.map((line) => line.split(' '));
  return wanted.reduce((sum, name) => sum + Number(values[names.indexOf(name)]), 0);
}

/** Datagrams that came to a host whole, whether anybody listened or not. */
const arrived = (host: Host): Promise<number> =>
  counters(host, 'snmp', 'Udp', 'InDatagrams', 'NoPorts');

/** IP broadcasts that came to a host. */
const broadcasts = (host: Host): Promise<number> =>
  counters(host, 'netstat', 'IpExt', 'InBcastPkts');

describe('applications of os-ken', () => {
  it('a monitor learns stations, and its counters are those of the traffic', async () => {
    const [h1, h2] = hosts;
    await address(h1, '10.1.1.1/24');
    await address(h2, '10.1.1.2/24');
    startApplication('monitor');
    await addBridge('br0', 1, ['p1', 'p2', 'p3']);
    await reaches(h1, '10.1.1.2');
    await saying('that two flows are there', ({ flows }) => Object.keys(flows ?? {}).length === 2);
    expect(await h1.ping('10.1.1.2', 20, 0.02)).toBe(20);
    const enough = ({ flows }: Said): boolean =>
      Object.values((flows ?? {}) as Record<string, number[]>).filter(([n]) => n >= 20).length ===
      2;
    await saying('that flows counted the pings', enough);
    const many = ({ ports }: Said): boolean => {
      const of = (ports ?? {}) as Record<string, number[]>;
      return ['1', '2'].every((port) => of[port]?.[0] >= 20 && of[port][1] >= 20);
    };
    await saying('that ports counted the pings', many);
  }, 60_000);

  it('a firewall opens to knocks in their order, and closes after silence', async () => {
    const [h1, h2] = hosts;
    const server = '10.1.1.2';
    await address(h1, '10.1.1.1/24');
    await address(h2, `${server}/24`);
    startApplication('knock');
    await addBridge('br0', 1, ['p1', 'p2']);
    await entry('br0', 'priority=0 actions=drop');
    const knock = async (port: number, step: number): Promise<void> => {
      const count = said().length;
      const known = (): boolean => said().length > count;
      // The first datagram waits for ARP, whose entry has to be there first.
      await datagrams(h1, server, port, 1);
      await eventually('the knock', known, PATIENCE_MS);
      expect(said()[count]).toEqual({ knock: port, step });
    };
    await eventually('ARP', async () => {
      await h1.ping(server, 1);
      return /lladdr/.test(await h1.namespace.ip('neigh', 'show', server));
    });
    expect(await h1.ping(server, 1)).toBe(0);
    await knock(7001, 1);
    await knock(7002, 0);
    await knock(7003, 0);
    expect(await h1.ping(server, 1)).toBe(0);
    await knock(7001, 1);
    await knock(7003, 2);
    await knock(7002, 3);
    await saying('that it is open', ({ opened }) => opened === true);
    expect(await h1.ping(server, 5)).toBe(5);
    const end = await saying('that it closed', ({ closed }) => closed !== undefined);
    expect(end).toEqual({ closed: '10.1.1.1', idle: true, packets: 5 });
    expect(await h1.ping(server, 1)).toBe(0);
  }, 60_000);

  it('an aggregation has the members that speak LACP, and loses one by timeout', async () => {
    const [h1, , h3] = hosts;
    await address(h1, '10.1.1.1/24');
    await address(h3, '10.1.1.3/24');
    for (const i of [1, 2]) await lab.addWire(`a${i}`, `b${i}`);
    startApplication('aggregate');
    await addBridge('br0', 0xa1, ['a1', 'a2', 'p3']);
    // The bond speaks at once and then, while nobody answers, every 30 s.
    await entry('br0', 'group:1');
    await lab.sw.addBridge('br1');
    bridges.push('br1');
    const bond = ['lacp=active', 'bond_mode=balance-tcp', 'other_config:lacp-time=fast'];
    await lab.sw.vsctl('add-bond', 'br1', 'bond0', 'b1', 'b2', ...bond);
    await lab.sw.vsctl('add-port', 'br1', 'p1');
    await saying('that both are in', ({ members }) => `${members}` === '1,2');
    await reaches(h1, '10.1.1.3');
    expect(await lab.sw.appctl('bond/show', 'bond0')).toContain('lacp_status: negotiated');
    const before = await arrived(h3);
    await datagrams(h1, '10.1.1.3', 9000, 50);
    await eventually('the datagrams', async () => (await arrived(h3)) === before + 50);
    await lab.namespace.ip('link', 'set', 'b1', 'down');
    await saying('that one is left', ({ members }) => `${members}` === '2');
    await reachesSteadily(h1, '10.1.1.3');
    await reachesSteadily(h3, '10.1.1.1');
  }, 90_000);

  it('a spanning tree breaks the loop, and mends itself', async () => {
    const [h1, , h3] = hosts;
    await address(h1, '10.1.1.1/24');
    await address(h3, '10.1.1.3/24');
    for (const [one, other] of ['12', '23', '31']) await lab.addWire(`w${one}`, `v${other}`);
    startApplication('spanning_tree');
    await addBridge('br0', 1, ['p1', 'w1', 'v1']);
    await addBridge('br1', 2, ['w2', 'v2']);
    await addBridge('br2', 3, ['p3', 'w3', 'v3']);
    const state = (at: number, port: number, is: string) =>
      eventually(
        `port ${port} of switch ${at} to be ${is}`,
        () => said().findLast((s) => s.switch === at && s.port === port && s.state === is),
        PATIENCE_MS,
      );
    await state(3, 2, 'forwarding');
    await reaches(h1, '10.1.1.3');
    const before = await broadcasts(h3);
    await datagrams(h1, '10.1.1.255', 9000, 20);
    await eventually('the broadcasts', async () => (await broadcasts(h3)) >= before + 20);
    await reachesSteadily(h1, '10.1.1.3');
    expect(await broadcasts(h3), 'each came once').toBe(before + 20);
    // The root's wire to the third switch breaks: the way leads over the second now.
    await lab.namespace.ip('link', 'set', 'w3', 'down');
    await reachesSteadily(h1, '10.1.1.3');
  }, 90_000);

  it('a router rewrites, counts hops down, limits, copies and has a spare way', async () => {
    const [h1, h2, h3] = hosts;
    const server = '10.1.2.2';
    await address(h1, '10.1.1.1/24', '10.1.1.254');
    await address(h2, `${server}/24`, '10.1.2.254');
    await address(h3, `${server}/24`);
    startApplication('router');
    await addBridge('br0', 1, ['p1', 'p2', 'p3']);
    await entry('br0', 'CONTROLLER');
    // A station is known once it asked for the router.
    const known = async (host: Host, port: number): Promise<boolean> => {
      await host.ping(`10.1.${port}.254`, 1);
      return said().some((line) => line.port === port);
    };
    await Promise.all([
      eventually('the way to h1', () => known(h1, 1)),
      eventually('the way to h2', () => known(h2, 2)),
    ]);
    await reaches(h1, server);
    const ping = ['ping', '-n', '-c', '3', '-i', '0.2', '-W', '1'];
    const { stdout: far } = await h1.namespace.run([...ping, server]);
    expect(far.match(/ttl=63/g)).toHaveLength(3);
    const { stdout: short } = await h1.namespace.run([...ping, '-t', '1', server]);
    expect(short).toMatch(/From 10\.1\.1\.254 .*Time to live exceeded/);

    // The third host has the second's addresses, so that it takes what the groups send.
    await h3.namespace.ip('link', 'set', h3.device, 'address', h2.mac);
    const counts = async (): Promise<[number, number]> => [await arrived(h2), await arrived(h3)];
    const sent = async (port: number, count: number, two: number, three: number): Promise<void> => {
      const [before2, before3] = await counts();
      await datagrams(h1, server, port, count);
      await eventually(`datagrams to ${port}`, async () => {
        const [n2, n3] = await counts();
        return n2 - before2 === two && n3 - before3 === three;
      });
    };
    await sent(9001, 40, 40, 0);
    await sent(9003, 40, 40, 40);
    await sent(9004, 40, 40, 0);
    await h2.namespace.ip('link', 'set', h2.device, 'down');
    await sent(9005, 40, 0, 0);
    await eventually('the spare way', async () => {
      const [, before] = await counts();
      await datagrams(h1, server, 9004, 5);
      return (await arrived(h3)) >= before + 5;
    });
    await h2.namespace.ip('link', 'set', h2.device, 'up');
    await eventually('the first way', async () => {
      const [before] = await counts();
      await datagrams(h1, server, 9004, 5);
      return (await arrived(h2)) >= before + 5;
    });

    const [before] = await counts();
    await datagrams(h1, server, 9002, 2000);
    // So many at once may fill the queues of a busy machine: others follow until they come through.
    let others = 0;
    await eventually('what comes after', async () => {
      const so = await arrived(h2);
      others += 40;
      await datagrams(h1, server, 9001, 40);
      return (await arrived(h2)) >= so + 40;
    });
    const passed = (await arrived(h2)) - before - others;
    expect(passed, 'of 2000, most are dropped').toBeLessThan(1000);
  }, 90_000);

  it('are told nothing that tshark calls malformed', async () => {
    const { segments, faults } = await sniffer.stop();
    expect(segments).toBeGreaterThan(30);
    expect(faults).toEqual([]);
  }, 130_000);
});
