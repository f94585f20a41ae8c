/** What is read out of the texts of a switch that has no structured answers (Open vSwitch 3.1). */
import { describe, expect, it } from 'vitest';
import { stoppedClock } from '../../../src/common/clock.js';
import { FarEnds } from '../../../src/web/subject/far-ends.js';
import { parseBondShow } from '../../../src/web/topics/bond-text.js';
import { parseFdb } from '../../../src/web/topics/bridges.js';
import { parseCoverage } from '../../../src/web/topics/drops.js';
import { parseLog } from '../../../src/web/topics/logs.js';
import { parsePmds } from '../../../src/web/topics/pmd-text.js';

const BOND = `---- bond0 ----
bond_mode: balance-tcp
bond may use recirculation: yes, Recirc-ID : 1
bond-hash-basis: 0
lb_output action: disabled, bond-id: -1
updelay: 0 ms
downdelay: 0 ms
next rebalance: 4321 ms
lacp_status: negotiated
lacp_fallback_ab: false
active-backup primary: <none>
active member mac: 02:00:00:00:00:01(p1)

member p1: enabled
  active member
  may_enable: true
  hash 3: 12 kB load
  hash 250: 1 kB load

member p2: disabled
  may_enable: false

`;

const LACP = `---- bond0 ----
  status: active negotiated
  sys_id: 02:00:00:00:00:0a

member: p1: current attached
  port_id: 1
  actor sys_id: 02:00:00:00:00:0a
  actor state: activity aggregation synchronized
  partner sys_id: 02:00:00:00:00:0b
  partner state: activity

member: p2: defaulted detached
  actor state: activity
`;

describe('bond/show', () => {
  it('with lacp/show gives bonds and their members', () => {
    const [bond] = parseBondShow(BOND, LACP);
    expect(bond).toMatchObject({
      ...{ name: 'bond0', mode: 'balance-tcp', lacp: 'negotiated', active: 'p1' },
      rebalanceMs: 4321,
    });
    expect(bond.members).toMatchObject([
      {
        ...{ name: 'p1', enabled: true, active: true, carrier: true, buckets: 2, load: 13 * 1024 },
        lacp: { status: 'current', attached: true, partnerSystem: '02:00:00:00:00:0b' },
      },
      {
        ...{ name: 'p2', enabled: false, active: false, carrier: false, buckets: 0 },
        lacp: { status: 'defaulted', attached: false },
      },
    ]);
  });

  it('of older versions is read, too', () => {
    const old = BOND.replace(/active member mac/, 'active slave mac')
      .replace(/^member /gm, 'slave ')
      .replace('  active member', '  active slave');
    expect(parseBondShow(old, '')).toMatchObject([
      { active: 'p1', members: [{ name: 'p1', active: true }, { name: 'p2' }] },
    ]);
  });

  it('of nothing is nothing', () => {
    expect(parseBondShow('', '')).toEqual([]);
    expect(parseBondShow('---- x ----', '---- y ----')).toMatchObject([{ name: 'x', members: [] }]);
  });
});

describe('pmd-stats-show', () => {
  const STATS = `main thread:
  packets received: 2
pmd thread numa_id 0 core_id 3:
  packets received: 1000
  packet recirculations: 0
  emc hits: 900
  smc hits: 0
  megaflow hits: 90
  miss with success upcall: 8
  miss with failed upcall: 2
  avg. packets per output batch: 4.00
  idle cycles: 300 (30.00%)
  processing cycles: 700 (70.00%)
`;
  const QUEUES = `Displaying last 60 seconds pmd usage %
pmd thread numa_id 0 core_id 3:
  isolated : true
  port: p1                queue-id:  0 (enabled)   pmd usage: 12 %
  port: p2                queue-id:  1 (disabled)  pmd usage: NOT AVAIL
`;

  it('gives workers, their counters and queues', () => {
    const [main, pmd] = parsePmds(STATS, QUEUES);
    expect(main).toMatchObject({ cpu: -1, counters: { received: 2 }, queues: [] });
    expect(pmd).toMatchObject({
      ...{ cpu: 3, numa: 0, isolated: true },
      counters: { received: 1000, cacheHits: 900, missed: 10, lost: 2, totalCycles: 1000 },
      queues: [
        { port: 'p1', queue: 0, enabled: true, load: 0.12 },
        { port: 'p2', queue: 1, enabled: false, load: null },
      ],
    });
  });
});

describe('other texts', () => {
  it('fdb/show names ports', () => {
    const text =
      ' port  VLAN  MAC                Age\n    1     0  02:00:00:00:00:01    5\n' +
      'LOCAL     7  02:00:00:00:00:02  static\n';
    const ports = new Map([
      ['1', 'p1'],
      ['65534', 'br0'],
    ]);
    expect(parseFdb(text, ports)).toEqual([
      { mac: '02:00:00:00:00:01', vlan: 0, port: 'p1', age: 5 },
      { mac: '02:00:00:00:00:02', vlan: 7, port: 'br0', age: null },
    ]);
  });

  it('coverage/show has drops', () => {
    const text =
      'Event coverage, avg rate over last: 5 seconds, last minute, last hour\n' +
      'datapath_drop_meter   0.0/sec   0.000/sec   0.0000/sec   total: 5\n' +
      'flow_extract          0.0/sec   0.000/sec   0.0000/sec   total: 9\n';
    expect(parseCoverage(text)).toEqual([
      { name: 'datapath_drop_meter', meaning: 'datapath drop meter', packets: 5 },
    ]);
  });

  it('log files have lines', () => {
    const line = '2026-01-02T03:04:05.678Z|00017|bridge|WARN|bridge br0: a | in the text';
    expect(parseLog(`${line}\ngarbage\n`)).toEqual([
      {
        ...{ seq: 17, at: Date.UTC(2026, 0, 2, 3, 4, 5, 678), module: 'bridge', level: 'warn' },
        text: 'bridge br0: a | in the text',
      },
    ]);
  });
});

describe('far ends of veth pairs', () => {
  it('are found by the numbers of namespaces', async () => {
    const answers: Record<string, unknown> = {
      '-d -j link show': [
        { ifname: 'v0', link_index: 2, link_netnsid: 0, linkinfo: { info_kind: 'veth' } },
        { ifname: 'v1', link: 'w1', linkinfo: { info_kind: 'veth' } },
        { ifname: 'v2', link_index: 9, link_netnsid: 5, linkinfo: { info_kind: 'veth' } },
        { ifname: 'eth0.7', link: 'eth0', linkinfo: { info_kind: 'vlan' } },
      ],
      '-j netns list': [{ name: 'red', id: 0 }, { name: 'blue' }],
      '-n red -j link show': [{ ifname: 'eth0', ifindex: 2 }],
    };
    const far = new FarEnds(stoppedClock(), async (args) =>
      JSON.stringify(answers[args.join(' ')]),
    );
    expect([...(await far.get())]).toEqual([
      ['v0', { namespace: 'red', device: 'eth0' }],
      ['v1', { namespace: null, device: 'w1' }],
      ['v2', { namespace: 'namespace 5', device: 'if9' }],
    ]);
  });

  it('are looked for again only when wires have changed', async () => {
    const asked: string[] = [];
    const clock = stoppedClock();
    let links = [{ ifname: 'v0', link_index: 2, link_netnsid: 0, linkinfo: { info_kind: 'veth' } }];
    const far = new FarEnds(clock, async (args) => {
      asked.push(args.includes('-d') ? 'links' : 'namespaces');
      return args.includes('-d') ? JSON.stringify(links) : '[]';
    });
    const look = () => {
      clock.advance(8000);
      return far.get();
    };
    await look();
    await look();
    expect(asked).toEqual(['links', 'namespaces', 'links']);
    links = [];
    expect((await look()).size).toBe(0);
  });

  it('are unknown where ip does not answer', async () => {
    const far = new FarEnds(stoppedClock(), () => Promise.reject(new Error('ENOENT')));
    expect((await far.get()).size).toBe(0);
  });
});
