/**
 * The web console on a running switch: every topic over REST and WebSocket as its schema says, a
 * failover seen, flows and ports changed by those who may, packets captured, and a daemon that
 * comes back.
 *
 *     a: eth0 10.0.0.1 -- va [br0] bond0 { m1 == n1, m2 == n2 } bond1 [br1] vb -- b: 10.0.0.2
 */
import { Value } from '@sinclair/typebox/value';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as api from '../../src/web/api/index.js';
import { eventually } from '../support/command.js';
import { type Host, Lab } from '../support/lab.js';
import { isTapswitch, type Switch, userspaceBridge } from '../support/switch.js';
import { type ConsoleUnderTest, startConsole } from '../support/web.js';

let lab: Lab;
let sw: Switch;
let west: Host;
let web: ConsoleUnderTest;
let client: api.ConsoleClient;

beforeAll(async () => {
  lab = await Lab.start();
  sw = lab.sw;
  west = await lab.addHost('a', { port: 'va', addresses: ['10.0.0.1/24'] });
  await lab.addHost('b', { port: 'vb', addresses: ['10.0.0.2/24'] });
  await lab.addWire('m1', 'n1');
  await lab.addWire('m2', 'n2');
  await sw.vsctl('add-br', 'br0', ...userspaceBridge('br0'));
  await sw.vsctl('add-br', 'br1', ...userspaceBridge('br1'));
  await sw.vsctl('add-port', 'br0', 'va', '--', 'add-port', 'br1', 'vb');
  await sw.vsctl('add-bond', 'br0', 'bond0', 'm1', 'm2', 'bond_mode=active-backup');
  await sw.vsctl('add-bond', 'br1', 'bond1', 'n1', 'n2', 'bond_mode=active-backup');
  if (!isTapswitch) await agreeOnOneLink();
  web = await startConsole(sw, ['--write']);
  lab.onClose('console', () => web.process.stop());
  client = web.client();
  lab.onClose('client', () => client.close());
  await eventually('the console to be ready', async () => {
    return (await fetch(`${web.url}ready`)).status === 200;
  });
}, 90_000);

afterAll(() => lab?.close());

/** Open vSwitch's two ends may choose different links. */
async function agreeOnOneLink(): Promise<void> {
  const known = async () => /^m[12]$/.test(await sw.activeMember('bond0'));
  await eventually('an active member', known);
  const peer = (await sw.activeMember('bond0')).replace('m', 'n');
  await sw.appctl('bond/set-active-member', 'bond1', peer);
}

const SCHEMAS = {
  system: api.System,
  topology: api.Topology,
  bridges: api.Bridges,
  ports: api.Ports,
  bonds: api.Bonds,
  controllers: api.Controllers,
  workers: api.Workers,
  queues: api.Queues,
  drops: api.Drops,
  database: api.Database,
  flows: api.FlowPage,
  'datapath-flows': api.DatapathFlowPage,
  macs: api.Macs,
  groups: api.Groups,
  meters: api.Meters,
  'database-table': api.DatabasePage,
  logs: api.Logs,
  captures: api.Captures,
} as const;

const PARAMS: Readonly<Record<string, api.TopicParams>> = {
  flows: { bridge: 'br0' },
  macs: { bridge: 'br0' },
  groups: { bridge: 'br0' },
  meters: { bridge: 'br0' },
  'database-table': { table: 'Port' },
};

/** What Open vSwitch does not tell. */
const OURS_ALONE: readonly api.Topic[] = ['queues'];

const topics = api.TOPICS.filter((topic) => isTapswitch || !OURS_ALONE.includes(topic));

/** What is wrong with `data`, or nothing. */
function faults(topic: api.Topic, data: unknown): string[] {
  return [...Value.Errors(SCHEMAS[topic], data)].map(({ path, message }) => `${path}: ${message}`);
}

/** The first message of a topic that `passes`. */
function watched<T extends api.Topic>(
  topic: T,
  passes: (data: api.TopicData[T]) => boolean,
): Promise<api.TopicData[T]> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => end(() => reject(new Error(`no such ${topic}`))), 20_000);
    const stop = client.watch(topic, PARAMS[topic] ?? {}, (data) => {
      if (passes(data)) end(() => resolve(data));
    });
    const end = (how: () => void): void => {
      clearTimeout(timer);
      // Not from within the first message: `stop` is not there yet.
      setImmediate(() => stop());
      how();
    };
  });
}

describe('topics', () => {
  it.each(topics)(
    '%s is the same over REST and WebSocket, and as its schema says',
    async (topic) => {
      expect(faults(topic, await client.get(topic, PARAMS[topic]))).toEqual([]);
      expect(faults(topic, await watched(topic, () => true))).toEqual([]);
    },
  );

  it('have a description that names every path', async () => {
    const text = await (await fetch(`${web.url}api/v1/openapi.json`)).text();
    const { paths } = JSON.parse(text) as { paths: Record<string, unknown> };
    const wanted = Object.values(api.TOPIC_PATHS).map(
      (path) => `/api/v1${path.replace(/:(\w+)/g, '{$1}')}`,
    );
    expect(Object.keys(paths)).toEqual(expect.arrayContaining(wanted));
  });

  it('show rates of traffic', async () => {
    const busy = (port: api.Port) => port.name === 'va' && (port.rates?.rxPps ?? 0) > 0;
    const seen = watched('ports', (ports) => ports.some(busy));
    expect(await west.ping('10.0.0.2', 20, 0.2)).toBeGreaterThan(15);
    expect((await seen).find(busy)?.history.series.rxPps?.length).toBeGreaterThan(0);
  });

  it('say what is wrong with a question', async () => {
    await expect(client.get('flows', { bridge: 'nosuch' })).rejects.toMatchObject({
      status: 404,
      code: 'E_WEB_NOT_FOUND',
    });
    await expect(client.get('flows', { bridge: 'br0', limit: -1 })).rejects.toMatchObject({
      status: 400,
      code: 'E_WEB_REQUEST',
    });
  });
});

describe('a failover', () => {
  it('is seen by who watches', async () => {
    const before = (await client.get('bonds')).find(({ name }) => name === 'bond0');
    const active = before?.active ?? '';
    expect(['m1', 'm2']).toContain(active);
    const other = active === 'm1' ? 'm2' : 'm1';
    const failedOver = watched('bonds', (bonds) =>
      bonds.some(({ name, active: now }) => name === 'bond0' && now === other),
    );
    await lab.namespace.ip('link', 'set', active, 'down');
    const bond = (await failedOver).find(({ name }) => name === 'bond0');
    const down = bond?.members.find(({ name }) => name === active);
    expect(down).toMatchObject({ enabled: false, active: false });
    if (isTapswitch) expect(down?.why).toBe('no carrier');
    await lab.namespace.ip('link', 'set', active, 'up');
  });
});

describe('changes', () => {
  const FLOW = 'priority=99,icmp,in_port=va,actions=drop';

  it('need the token', async () => {
    for (const token of [null, 'x'.repeat(32), `${web.token}x`]) {
      await expect(web.client(token).addFlow('br0', FLOW)).rejects.toMatchObject({
        status: 401,
        code: 'E_WEB_TOKEN',
      });
    }
    expect((await client.get('flows', { bridge: 'br0' })).total).toBe(1);
  });

  it('add and delete a flow that packets feel, and the log tells of it', async () => {
    await client.addFlow('br0', FLOW);
    const { rows } = await client.get('flows', { bridge: 'br0', filter: 'icmp' });
    expect(rows).toMatchObject([{ priority: 99, match: 'icmp,in_port=va', actions: 'drop' }]);
    expect(await west.ping('10.0.0.2', 2)).toBe(0);
    const trace = await client.trace({ bridge: 'br0', flow: 'icmp', inPort: 'va' });
    expect(trace.passes[0]).toMatchObject({ forwarded: false, datapathActions: 'drop' });
    expect(trace.outputs).toEqual([]);
    await client.deleteFlows('br0', 'priority=99,icmp,in_port=va', true);
    expect(await west.ping('10.0.0.2', 3)).toBeGreaterThan(0);
    expect(web.process.text).toContain(`127.0.0.1: br0: added flow ${FLOW}`);
  });

  it('are refused in words where they make no sense', async () => {
    await expect(client.addFlow('br0', 'in_port=va')).rejects.toMatchObject({
      status: 400,
      message: 'must specify an action',
    });
    await expect(client.changePort('va', { bond_mode: 'balance-slb' })).rejects.toMatchObject({
      status: 400,
    });
    const check = await client.checkFlow('tcp,tp_dst=80,actions=outptu:1', 'br0');
    expect(check).toMatchObject({ ok: false, column: 22, length: 8, expected: ['output'] });
  });

  it('set the columns of ports', async () => {
    await client.changePort('va', { tag: 7 });
    expect((await sw.vsctl('get', 'Port', 'va', 'tag')).trim()).toBe('7');
    await client.changePort('va', { tag: null });
    expect((await sw.vsctl('get', 'Port', 'va', 'tag')).trim()).toBe('[]');
  });
});

describe('a trace', () => {
  it('leads through the bond', async () => {
    const flow = 'icmp,dl_src=02:00:00:00:00:01,dl_dst=ff:ff:ff:ff:ff:ff';
    const { outputs, passes } = await client.trace({ bridge: 'br0', flow, inPort: 'va' });
    expect(outputs.map(({ bond }) => bond)).toContain('bond0');
    expect(JSON.stringify(passes[0].steps)).toContain('"kind":"normal"');
  });
});

describe('any flow or packet', () => {
  const pieces = fc.constantFrom(
    ...['ip', 'tcp', 'arp', 'in_port=va', 'nw_src=1.2.3.4', 'dl_vlan=5', 'actions=', 'output:2'],
    ...['resubmit(,1)', 'learn(table=1)', 'clone(', ')', '(', 'group:1', '--', '%s', '"', 'NORMAL'],
  );
  const flows = fc.array(pieces, { minLength: 1, maxLength: 6 }).map((parts) => parts.join(','));
  const packets = fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes));

  it('is traced or refused, and leaves the switch as it was', async () => {
    for (const flow of fc.sample(flows, 40)) {
      const status = await client.trace({ bridge: 'br0', flow }).then(
        () => 200,
        (error: api.ConsoleError) => error.status,
      );
      expect([200, 400, 422]).toContain(status);
    }
    for (const packet of fc.sample(packets, 40)) {
      const packetHex = `ffffffffffff0200000000010800${packet.toString('hex')}`;
      const answer = await client.trace({ bridge: 'br0', packetHex, inPort: 'va' });
      expect(answer.passes.length).toBeGreaterThan(0);
    }
    expect(sw.running).toBe(true);
    expect((await fetch(`${web.url}ready`)).status).toBe(200);
  });
});

describe('metrics', () => {
  it('are what Prometheus reads', async () => {
    const text = await (await fetch(`${web.url}metrics`)).text();
    const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    const wrong = lines.filter((line) => !/^[a-z_]+(\{[^{}]*\})? -?[\d.e+]+$/.test(line));
    expect(wrong).toEqual([]);
    expect(text).toMatch(/^tapswitch_port_receive_packets_total\{bridge="br0",port="va"\} [1-9]/m);
    expect(text).toMatch(/^# TYPE tapswitch_port_receive_packets_total counter$/m);
    expect(text).toMatch(/^tapswitch_bond_member_active\{.*bond="bond0",member="m[12]"\} 1$/m);
    expect(text).toMatch(/^tapswitch_worker_lookups_total\{.*answered_by="cache"\} \d+$/m);
  });
});

describe('a daemon that ends and comes back', () => {
  it('is watched again by the same client', async () => {
    await sw.stop();
    const status = async () => (await fetch(`${web.url}ready`)).status;
    await eventually('the console to say that it is gone', async () => (await status()) === 503);
    expect((await fetch(`${web.url}health`)).status).toBe(200);
    await sw.start();
    const all = (ports: api.Ports) => ports.filter(({ ofport }) => ofport !== null).length;
    expect(all(await watched('ports', (ports) => all(ports) === 8))).toBe(8);
    await eventually('the console to be ready', async () => (await status()) === 200, 20_000);
  }, 60_000);
});
