/**
 * QoS on real interfaces, by the kernel's classes and by the switch's own: rates kept, bands in
 * strict order, policing; seen at the receiver's interface. TAPSWITCH_QOS_SECONDS=10 measures for
 * longer, and more strictly: within 5 %.
 */
import { createInterface } from 'node:readline';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type BackgroundProcess, eventually, sleep } from '../support/command.js';
import { type Host, Lab } from '../support/lab.js';
import { python, type Switch } from '../support/switch.js';

const SECONDS = Number(process.env.TAPSWITCH_QOS_SECONDS ?? 2);
const LONG = SECONDS >= 10;
/** A busy machine's Python sends some megabits a second, not sixty. */
const SCALE = LONG ? 1 : 0.1;
const RATE = 20_000_000 * SCALE;
/** What a rate may be off by: less than ten seconds are a guess. */
const MOST_OFF = LONG ? 0.05 : 0.1;
const ATTEMPTS = LONG ? 2 : 6;
const SCHEDULERS = ['kernel', 'switch'];

/** Sends UDP of 1,000 bytes with a TOS to a port at a rate (bit/s), until it is ended. */
const SENDER = `
import socket, sys, time
address, port, tos, rate = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, tos)
data = b"x" * 1000
step, due = 8000 / rate, time.monotonic()
while True:
    try:
        sock.sendto(data, (address, port))
    except OSError:
        pass
    due += step
    wait = due - time.monotonic()
    if wait > 0.001:
        time.sleep(wait)
`;

/** Counts UDP by port; prints the counts for each line read. */
const RECEIVER = `
import select, socket, sys
ports = [int(port) for port in sys.argv[1:]]
socks = []
for port in ports:
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("", port))
    s.setblocking(False)
    socks.append(s)
counts = [0] * len(ports)
print("ready", flush=True)
while True:
    readable, _, _ = select.select([sys.stdin] + socks, [], [])
    for i, s in enumerate(socks):
        try:
            while s in readable and s.recv(2048):
                counts[i] += 1
        except BlockingIOError:
            pass
    if sys.stdin in readable:
        if not sys.stdin.readline():
            break
        print(*counts, flush=True)
`;

let lab: Lab;
let sw: Switch;
let h1: Host;
let h2: Host;

async function shape(port: string, root: string[], ...queues: [id: number, settings: string[]][]) {
  const columns = root.map((setting) => `other_config:${setting}`);
  const ids = queues.map(([id]) => `queues:${id}=@q${id}`);
  const type = columns.some((c) => c.includes('cir=')) ? 'egress-policer' : 'linux-htb';
  const rows = queues.flatMap(([id, settings]) => {
    const config = settings.map((setting) => `other_config:${setting}`);
    return ['--', `--id=@q${id}`, 'create', 'Queue', ...config];
  });
  const qos = ['--', '--id=@qos', 'create', 'QoS', `type=${type}`, ...columns, ...ids];
  await sw.vsctl('set', 'Port', port, 'qos=@qos', ...qos, ...rows);
}

/** Counters of what a host's interface received. */
async function received(host: Host): Promise<{ bytes: number; packets: number; at: number }> {
  const text = await host.namespace.ip('-s', '-j', 'link', 'show', 'dev', host.device);
  return { ...JSON.parse(text)[0].stats64.rx, at: performance.now() };
}

/** Ethernet, IPv4, and TCP with time stamps; the payload of a full packet. */
const TCP_HEADERS = 66;
const TCP_PAYLOAD = 1448;

/**
 * Bits in a second that came in by a host's interface, headers included.
 * @param segments TCP in large segments, which a wire would carry as packets with headers each
 */
async function measured(host: Host, seconds = SECONDS, segments = false): Promise<number> {
  const first = await received(host);
  await sleep(seconds * 1000);
  const last = await received(host);
  let bytes = last.bytes - first.bytes;
  if (segments) {
    const payload = bytes - (last.packets - first.packets) * TCP_HEADERS;
    bytes = (payload * (TCP_PAYLOAD + TCP_HEADERS)) / TCP_PAYLOAD;
  }
  return (bytes * 8000) / (last.at - first.at);
}

function within(rate: number, wanted: number): boolean {
  return Math.abs(rate / wanted - 1) <= MOST_OFF;
}

/**
 * Expects a rate, and tells it. What a sender or a worker missed while others had the CPU is no
 * fault of a scheduler's: then it is measured again.
 */
async function expectRate(
  what: string,
  wanted: number,
  measure = () => measured(h2),
): Promise<void> {
  let rate = 0;
  for (let attempt = 0; attempt < ATTEMPTS && !within(rate, wanted); attempt++) {
    rate = await measure();
    console.log(`${what}: ${(rate / 1e6).toFixed(3)} of ${(wanted / 1e6).toFixed(3)} Mbit/s`);
  }
  expect(rate / wanted).toBeGreaterThanOrEqual(1 - MOST_OFF);
  expect(rate / wanted).toBeLessThanOrEqual(1 + MOST_OFF);
}

function sendUdp(port: number, tos: number, rate: number): BackgroundProcess {
  const argv = [python, '-c', SENDER, '10.8.0.2', `${port}`, `${tos}`, `${rate}`];
  const sender = h1.namespace.start(argv);
  senders.add(sender);
  return sender;
}

beforeAll(async () => {
  lab = await Lab.start();
  ({ sw } = lab);
  h1 = await lab.addHost('h1', { port: 'p1', addresses: ['10.8.0.1/24'] });
  h2 = await lab.addHost('h2', { port: 'p2', addresses: ['10.8.0.2/24'] });
  await sw.addBridge('br0');
  await sw.vsctl('add-port', 'br0', 'p1', '--', 'add-port', 'br0', 'p2');
  await eventually('the first ping', async () => (await h1.ping('10.8.0.2', 1)) === 1, 10_000);
});

afterAll(() => lab?.close());

const senders = new Set<BackgroundProcess>();

afterEach(async () => {
  for (const sender of senders) await sender.stop('SIGKILL');
  senders.clear();
});

describe.each(SCHEDULERS)('linux-htb by the %s', (scheduler) => {
  const by = `scheduler=${scheduler}`;

  it('keeps UDP to the rate', async () => {
    await shape('p2', [by, `max-rate=${RATE}`]);
    await eventually('the status to tell who shapes', async () => {
      const status = await sw.vsctl('get', 'Interface', 'p2', 'status');
      return status.includes(`qos_scheduler=${scheduler}`);
    });
    const sender = sendUdp(9, 0, 3 * RATE);
    await sleep(1500);
    await expectRate(`UDP by the ${scheduler}`, RATE);
    await sender.stop('SIGKILL');
  });

  it('keeps TCP to the rate', async () => {
    await shape('p2', [by, `max-rate=${RATE}`]);
    const server = h2.namespace.start(['iperf3', '-s', '-1']);
    await sleep(700);
    const argv = ['iperf3', '-c', '10.8.0.2', '-t', `${ATTEMPTS * (SECONDS + 1) + 5}`];
    const client = h1.namespace.start(argv);
    await sleep(2000);
    await expectRate(`TCP by the ${scheduler}`, RATE, () => measured(h2, SECONDS, true));
    await client.stop('SIGKILL');
    await server.stop('SIGKILL');
  });

  it('shows and counts queues that flows name', async () => {
    await shape(
      'p2',
      [by, `max-rate=${RATE}`],
      [7, [`min-rate=${RATE / 20}`, `max-rate=${RATE / 4}`]],
    );
    const input = await sw.ofport('p1');
    await sw.ofctl('add-flow', 'br0', `in_port=${input},udp,actions=set_queue:7,normal`);
    const sender = sendUdp(9, 0, 2 * RATE);
    await sleep(1000);
    await expectRate(`queue 7 by the ${scheduler}`, RATE / 4);
    await sender.stop('SIGKILL');
    const text = await sw.appctl('qos/show', 'p2');
    expect(text).toContain(`QoS: p2 linux-htb\nmax-rate: ${RATE}\n\nDefault:\n`);
    expect(text).toContain(
      `\nQueue 7:\n  burst: 12512\n  max-rate: ${RATE / 4}\n  min-rate: ${RATE / 20}\n`,
    );
    const queue = [`${await sw.ofport('p2')}`, '7'];
    const stats = await sw.ofctl('-O', 'OpenFlow13', 'queue-stats', 'br0', ...queue);
    expect(Number(stats.match(/pkts=(\d+)/)?.[1])).toBeGreaterThan(50);
    expect(Number(stats.match(/errors=(\d+)/)?.[1])).toBeGreaterThan(0);
    expect(Number(stats.match(/duration=(\d+)/)?.[1])).toBeGreaterThan(0);
    await sw.ofctl('del-flows', 'br0', 'udp');
    await sw.vsctl('clear', 'Port', 'p2', 'qos');
    expect(await sw.appctl('qos/show', 'p2')).toBe('QoS not configured on p2\n');
    expect(await sw.appctl('qos/show-types', 'p2')).toContain('QoS type: linux-htb\n');
    expect((await sw.try('appctl', 'qos/show', 'nix')).stderr).toContain('no such interface');
  });

  it('gives the highest band everything it asks for, the next one the rest', async () => {
    await shape('p2', [by, `max-rate=${RATE / 2}`]);
    const receiver = h2.namespace.start([python, '-c', RECEIVER, '9001', '9002', '9003']);
    const lines: string[] = [];
    createInterface({ input: receiver.child.stdout! }).on('line', (line) => lines.push(line));
    await eventually('the receiver', () => lines.includes('ready'), 10_000);
    const counts = async () => {
      const before = lines.length;
      receiver.child.stdin?.write('\n');
      await eventually('counts', () => lines.length > before, 10_000);
      return (lines.at(-1) as string).split(' ').map(Number);
    };
    // CS7, best effort and CS1: half of the rate, and all of it twice.
    const three = [
      sendUdp(9001, 0xe0, RATE / 4),
      sendUdp(9002, 0x00, RATE / 2),
      sendUdp(9003, 0x20, RATE / 2),
    ];
    await sleep(1500);
    let [high, middle, low] = [0, 0, 0];
    const measureBands = async () => {
      const first = await counts();
      const start = performance.now();
      await sleep(SECONDS * 1000);
      const last = await counts();
      const seconds = (performance.now() - start) / 1000;
      [high, middle, low] = last.map((n, i) => ((n - first[i]) * 8000) / seconds);
      return high + middle;
    };
    // On the wire, 1,000 of each 1,042 bytes are payload.
    await expectRate(`both bands by the ${scheduler}`, (RATE / 2) * (1000 / 1042), measureBands);
    // Of what its sender sends: a busy one is not exact.
    expect(high / (RATE / 4)).toBeGreaterThan(LONG ? 0.95 : 0.8);
    expect(low).toBeLessThan(0.005 * RATE);
    for (const sender of three) await sender.stop('SIGKILL');
    await receiver.stop('SIGKILL');
    await sw.vsctl('clear', 'Port', 'p2', 'qos');
  });
});

describe('other types', () => {
  it('egress-policer drops what is over the rate; types that are not there are told', async () => {
    await shape('p2', [`cir=${RATE / 16}`, `cbs=${RATE / 32}`]);
    expect(await sw.appctl('qos/show', 'p2')).toBe(
      `QoS: p2 egress-policer\ncbs: ${RATE / 32}\ncir: ${RATE / 16}\n`,
    );
    const sender = sendUdp(9, 0, 1.5 * RATE);
    // By then the burst that it may begin with is over.
    await sleep(1500);
    await expectRate('egress-policer', RATE / 2);
    await sender.stop('SIGKILL');
    await sw.vsctl(
      'set',
      'Port',
      'p2',
      'qos=@q',
      '--',
      '--id=@q',
      'create',
      'QoS',
      'type=linux-sfq',
    );
    expect(sw.log).toContain("QoS type 'linux-sfq' cannot be applied here");
    await sw.vsctl('clear', 'Port', 'p2', 'qos');
  });
});

describe('ingress policing', () => {
  it.each([
    ['rate', `ingress_policing_rate=${RATE / 2000}`, RATE / 2],
    // 1,042 bytes each.
    ['kpkts', 'ingress_policing_kpkts_rate=1', 1000 * 1042 * 8],
  ])(
    'drops what comes in over the %s, and counts it',
    async (what, setting, wanted) => {
      const [column] = setting.split('=');
      const burst = `ingress_policing_burst=${RATE / 2000}`;
      const kpkts = 'ingress_policing_kpkts_burst=1';
      await sw.vsctl('set', 'Interface', 'p1', setting, burst, kpkts);
      const sender = sendUdp(9, 0, what === 'rate' ? 1.5 * RATE : 16e6);
      await sleep(1500);
      await expectRate(`policing by ${what}`, wanted);
      await sender.stop('SIGKILL');
      expect(await sw.appctl('coverage/show')).toMatch(/datapath_drop_policing +.*total: [1-9]/);
      await sw.vsctl('set', 'Interface', 'p1', `${column}=0`);
    },
    60_000,
  );
});
