/**
 * The switch certification tester of os-ken: it installs flows in the switch under test, sends
 * packets from a second switch and looks at what comes back, with no pause between.
 *
 *     tester switch (Open vSwitch, a namespace of its own)      switch under test
 *         t1 t2 t3 ------------------ veth ------------------ s1 s2 s3
 *         osken-manager on 10.99.0.2 <----------------------- controller connection
 *
 * The cases here are our own. With RYU_SWITCH_TESTS naming the directory ryu/tests/switch of the
 * public Ryu tree, its of10 and of13 are run too, and must do as Open vSwitch does.
 * The second switch caches nothing (flow-limit=0): what it remembered would spoil the next case.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, must } from '../support/command.js';
import { Lab } from '../support/lab.js';
import { Namespace } from '../support/netns.js';
import { OpenFlowSniffer } from '../support/openflow-sniffer.js';
import { python } from '../support/switch.js';

const TESTER = '/usr/lib/python3/dist-packages/os_ken/tests/switch/tester.py';
const CONTROLLER = '10.99.0.2';

/** Cases that Open vSwitch passes: [passed, all]. */
const PUBLIC = [
  ['of10/action', 'openflow10', 40, 40],
  ['of10/match', 'openflow10', 144, 144],
  ['of13/action', 'openflow13', 140, 226],
  ['of13/match', 'openflow13', 536, 714],
] as const;

const ETH = "ethernet(dst='22:22:22:22:22:22', src='12:11:11:11:11:11', ethertype=2048)";
const IP = (dst: string, ttl: number): string =>
  `ipv4(proto=17, src='192.168.10.10', dst='${dst}', ttl=${ttl})`;
const UDP = (port: number): string => `udp(dst_port=${port}, src_port=11111)`;
const DATA = "b'\\x01\\x02\\x03\\x04'";

const apply = (...actions: object[]): object => ({
  instructions: [{ OFPInstructionActions: { actions, type: 4 } }],
});
const out = (port: number | string): object => ({ OFPActionOutput: { port } });
const set = (field: string, value: unknown): object => ({
  OFPActionSetField: { field: { OXMTlv: { field, value } } },
});
const match = (fields: Record<string, unknown>): object => ({
  match: {
    OFPMatch: {
      oxm_fields: Object.entries(fields).map(([field, value]) => ({ OXMTlv: { field, value } })),
    },
  },
});

/** Each follows another that sent nearly the same packet elsewhere. */
function cases(): unknown[] {
  const one = (description: string, flow: object, egress: string[]): object => ({
    ...{ description, prerequisite: [{ OFPFlowMod: { table_id: 0, ...flow } }] },
    tests: [{ ingress: [ETH, IP('192.168.20.20', 64), UDP(2222), DATA], egress }],
  });
  const ip = { eth_type: 2048 };
  const ttl = apply({ OFPActionDecNwTtl: {} }, out(2));
  const port = apply(set('udp_dst', 6789), out(2));
  const same = [ETH, IP('192.168.20.20', 64), UDP(2222), DATA];
  const list = [
    one('output', apply(out(2)), same),
    one('dec_ttl', { ...match(ip), ...ttl }, [ETH, IP('192.168.20.20', 63), UDP(2222), DATA]),
    one('set_field', { ...match({ ...ip, ip_proto: 17 }), ...port }, [
      ...[ETH, IP('192.168.20.20', 64), UDP(6789), DATA],
    ]),
    one('match', { ...match({ ...ip, ipv4_dst: '192.168.20.20' }), ...apply(out(2)) }, same),
  ];
  return ['our own', ...list, ...list];
}

let lab: Lab;
let tester: Namespace;
let dir: string;
let sniffer: OpenFlowSniffer;

beforeAll(async () => {
  lab = await Lab.start();
  tester = await Namespace.make('tester');
  lab.onClose('tester namespace', () => tester.remove());
  dir = await mkdtemp(join(tmpdir(), 'tapswitch-tester-'));
  lab.onClose('tester files', () => rm(dir, { recursive: true, force: true }));
  for (const i of [1, 2, 3]) {
    const peer = ['peer', 'name', `t${i}`, 'netns', tester.name];
    await lab.namespace.ip('link', 'add', `s${i}`, 'type', 'veth', ...peer);
    await lab.namespace.ip('link', 'set', `s${i}`, 'up');
    await tester.ip('link', 'set', `t${i}`, 'up');
  }
  const peer = ['peer', 'name', 'c1', 'netns', tester.name];
  await lab.namespace.ip('link', 'add', 'c0', 'type', 'veth', ...peer);
  await lab.namespace.ip('addr', 'add', '10.99.0.1/24', 'dev', 'c0');
  await lab.namespace.ip('link', 'set', 'c0', 'up');
  await tester.ip('addr', 'add', `${CONTROLLER}/24`, 'dev', 'c1');
  await tester.ip('link', 'set', 'c1', 'up');
  sniffer = await OpenFlowSniffer.start(lab.namespace, join(dir, 'c0.pcap'), 'c0');
  await startTesterSwitch();
  await lab.sw.addBridge('sut');
  const id = 'other_config:datapath-id=0000000000000001';
  await lab.sw.vsctl('set', 'bridge', 'sut', 'fail_mode=secure', id);
  for (const i of [1, 2, 3]) {
    const ask = ['--', 'set', 'interface', `s${i}`, `ofport_request=${i}`];
    await lab.sw.vsctl('add-port', 'sut', `s${i}`, ...ask);
  }
}, 60_000);

afterAll(() => lab?.close());

const env = (): NodeJS.ProcessEnv => ({
  ...{ ...process.env, OVS_RUNDIR: dir, OVS_DBDIR: dir, OVS_LOGDIR: dir },
});

const vsctl = (...argv: string[]): Promise<string> =>
  must(['ovs-vsctl', '--timeout=15', ...argv], { env: env() });

async function startTesterSwitch(): Promise<void> {
  const db = join(dir, 'conf.db');
  await must(['ovsdb-tool', 'create', db, '/usr/share/openvswitch/vswitch.ovsschema']);
  const quiet = ['-vconsole:off', '-vsyslog:off'];
  tester.start(['ovsdb-server', `--remote=punix:${dir}/db.sock`, ...quiet, db], { env: env() });
  await eventually('the database', async () => {
    return (await vsctl('--no-wait', 'init').catch(() => null)) !== null;
  });
  await vsctl('--no-wait', 'set', 'Open_vSwitch', '.', 'other_config:flow-limit=0');
  tester.start(['ovs-vswitchd', ...quiet, `unix:${dir}/db.sock`], { env: env() });
  const settings = ['datapath_type=netdev', 'fail_mode=secure'];
  const id = 'other_config:datapath-id=0000000000000002';
  await vsctl('add-br', 'tst', '--', 'set', 'bridge', 'tst', ...settings, id);
  for (const i of [1, 2, 3]) {
    await vsctl(
      'add-port',
      'tst',
      `t${i}`,
      '--',
      'set',
      'interface',
      `t${i}`,
      `ofport_request=${i}`,
    );
  }
}

/** Runs a directory of cases. @returns the tester's last line and what it said */
async function certify(cases: string, version: string, limitMs: number) {
  const protocols = `protocols=${version.replace('openflow', 'OpenFlow')}`;
  await lab.sw.vsctl('set', 'bridge', 'sut', protocols);
  await vsctl('set', 'bridge', 'tst', protocols);
  await lab.sw.vsctl('set-controller', 'sut', `tcp:${CONTROLLER}:6653`);
  await vsctl('set-controller', 'tst', 'tcp:127.0.0.1:6653');
  const option = (name: string, value: string): string[] => [`--test-switch-${name}`, value];
  const manager = ['/usr/bin/osken-manager', '--default-log-level', '20'];
  const { stdout, stderr } = await tester.run(
    [
      ...[python, ...manager, ...option('target', '1'), ...option('tester', '2')],
      ...[...option('dir', cases), ...option('target-version', version)],
      ...[...option('tester-version', version), TESTER],
    ],
    { timeoutMs: limitMs },
  );
  const said = stdout + stderr;
  return { result: /^OK\(\d+\) \/ ERROR\(\d+\)$/m.exec(said)?.[0], said };
}

describe('the switch certification tester', () => {
  it('passes our cases, with no pause between', async () => {
    const own = join(dir, 'own');
    await mkdir(own);
    await writeFile(join(own, 'cases.json'), JSON.stringify(cases()));
    const { result, said } = await certify(own, 'openflow13', 50_000);
    expect(result, said).toBe('OK(8) / ERROR(0)');
  }, 60_000);

  const tree = process.env.RYU_SWITCH_TESTS;
  for (const [name, version, passed, all] of tree === undefined ? [] : PUBLIC) {
    it(`passes of ${name} what Open vSwitch passes`, async () => {
      const { result, said } = await certify(join(tree ?? '', name), version, 400_000);
      expect(result, said.slice(-3000)).toBe(`OK(${passed}) / ERROR(${all - passed})`);
    }, 420_000);
  }

  it('is told nothing that tshark calls malformed', async () => {
    const { segments, faults } = await sniffer.stop();
    expect(segments).toBeGreaterThan(20);
    expect(faults).toEqual([]);
  }, 250_000);
});
