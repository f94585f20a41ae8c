/**
 * Megaflow soundness: every packet that matches an installed megaflow gets the actions that
 * translating that very packet would give. Random tables, actions, VLANs, bonds and MAC state.
 *
 * MEGAFLOW_RUNS in the environment multiplies the number of cases; MEGAFLOW_SEED repeats a run.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { odpActionsEqual } from '../../src/datapath/odp-equal.js';
import { formatOdpActions, formatOdpKey } from '../../src/datapath/odp-format.js';
import type { Ofproto } from '../../src/ofproto/ofproto.js';
import { NO_FLAGS } from '../../src/ofproto/rule.js';
import {
  defaultBondSettings,
  defaultBundleSettings,
  type VlanMode,
} from '../../src/ofproto/settings.js';
import { installed } from '../../src/ofproto/xlate/slow-path.js';
import { OFPP, type OfAction } from '../../src/openflow/actions.js';
import type { Match } from '../../src/openflow/match.js';
import { matchAny } from '../../src/openflow/match.js';
import { BUCKET, type GroupMod, type GroupType, OFPG } from '../../src/openflow/messages-groups.js';
import { normalizeMatch } from '../../src/openflow/normalize.js';
import { matchFieldText, matchProtocol } from '../../src/openflow/syntax/match-parse.js';
import { extractFlow } from '../../src/packet/extract.js';
import { type FrameSpec, frame, TestSwitch } from '../unit/ofproto/support/bridge.js';

const TIMES = Number(process.env.MEGAFLOW_RUNS ?? 1);
const SEED =
  process.env.MEGAFLOW_SEED === undefined ? undefined : Number(process.env.MEGAFLOW_SEED);
const LONG = { timeout: 300_000 * Math.max(TIMES, 1) };
const runs = (n: number) => ({ numRuns: Math.ceil(n * TIMES), seed: SEED });

const MACS = ['50:54:00:00:00:01', '50:54:00:00:00:02', '50:54:00:00:00:03'];
const mac = fc.constantFrom(...MACS);
const dst = fc.constantFrom(...MACS, 'ff:ff:ff:ff:ff:ff', '01:80:c2:00:00:0e');
const vid = fc.constantFrom(0, 10, 20);

/** A packet as independent choices, so that two can differ in exactly one of them. */
const PACKET = {
  port: fc.constantFrom(1, 2, 3, 4, 5, 6),
  src: mac,
  dst,
  tags: fc.constantFrom(0, 0, 1, 1, 2),
  vlan: vid,
  pcp: fc.constantFrom(0, 3),
  innerVlan: vid,
  kind: fc.constantFrom<'ip' | 'arp' | 'other'>('ip', 'ip', 'ip', 'arp', 'other'),
  tos: fc.constantFrom(0, 0x20),
  frag: fc.constantFrom(0, 0, 0x2000, 0x0010),
  ttl: fc.constantFrom(1, 2, 64),
  proto: fc.constantFrom(1, 6, 6, 17, 132, 47),
  nwSrc: fc.constantFrom(1, 2),
  nwDst: fc.constantFrom(1, 2),
  sport: fc.constantFrom(80, 1024),
  dport: fc.constantFrom(80, 0x0800),
  arpOp: fc.constantFrom(1, 2, 3),
};
const arbPacket = fc.record(PACKET);
type Packet = typeof arbPacket extends fc.Arbitrary<infer P> ? P : never;
const FIELDS = Object.keys(PACKET) as (keyof Packet)[];

function network(p: Packet): Partial<FrameSpec> {
  if (p.kind === 'other') return { type: 0x1234 };
  if (p.kind === 'arp') {
    const head = [0, 1, 8, 0, 6, 4, 0, p.arpOp, 2, 0, 0, 0, 0, 1, 10, 0, 0, p.nwSrc];
    return { type: 0x0806, payload: [...head, 0, 0, 0, 0, 0, 0, 10, 0, 0, p.nwDst] };
  }
  return {
    type: 0x0800,
    payload: [
      ...[0x45, p.tos, 0, 46, 0, 0, p.frag >> 8, p.frag & 255, p.ttl, p.proto, 0, 0],
      ...[10, 0, 0, p.nwSrc, 10, 0, 0, p.nwDst],
      ...[p.sport >> 8, p.sport & 255, p.dport >> 8, p.dport & 255, 0, 0, 0, 1, 0, 0, 0, 0],
      ...[0x50, 2, 0, 0, 0, 0, 0, 0],
    ],
  };
}

function toFrame(p: Packet): Uint8Array {
  return frame({
    src: p.src,
    dst: p.dst,
    vlan: p.tags > 0 ? p.vlan : undefined,
    pcp: p.pcp,
    innerVlan: p.tags > 1 ? p.innerVlan : undefined,
    ...network(p),
  });
}

/** Packets to send, and for each of them others that differ from it in one field. */
interface Traffic {
  sent: Packet[];
  near: Packet[];
}

const arbTraffic: fc.Arbitrary<Traffic> = fc
  .record({
    sent: fc.array(arbPacket, { minLength: 3, maxLength: 12 }),
    donors: fc.array(arbPacket, { minLength: 3, maxLength: 3 }),
  })
  .map(({ sent, donors }) => {
    const near: Packet[] = [];
    for (const p of sent) {
      for (const donor of donors) {
        for (const field of FIELDS) near.push({ ...p, [field]: donor[field] });
      }
    }
    return { sent, near };
  });

const arbMatch = fc.subarray(
  [
    'in_port=1',
    'in_port=3',
    'ip',
    'arp',
    'tcp',
    'udp',
    'icmp',
    `dl_src=${MACS[0]}`,
    `dl_dst=${MACS[1]}`,
    'dl_dst=01:00:00:00:00:00/01:00:00:00:00:00',
    'dl_vlan=10',
    'vlan_tci=0',
    'dl_vlan_pcp=3',
    'nw_src=10.0.0.1',
    'nw_dst=10.0.0.0/31',
    'nw_ttl=64',
    'nw_tos=32',
    'nw_frag=later',
    'tp_src=80',
    'tp_dst=0x800/0xff00',
    'tcp_flags=+syn',
    'reg0=5',
    'reg1=0x800/0xff00',
    'metadata=1',
    'conj_id=7',
  ],
  { maxLength: 2 },
);

function toMatch(parts: readonly string[]): Match {
  const match = matchAny();
  for (const part of parts) {
    const [name, ...rest] = part.split('=');
    if (rest.length === 0) matchProtocol(match, name);
    else matchFieldText(match, name, rest.join('='), null);
  }
  normalizeMatch(match);
  for (let i = 0; i < match.flow.length; i++) match.flow[i] &= match.mask[i];
  return match;
}

const bytes = (text: string): Uint8Array =>
  Uint8Array.from(text.split(':').map((b) => Number.parseInt(b, 16)));

function setField(field: string, value: number[], mask = value.map(() => 0xff)): OfAction {
  const form = 'set_field' as const;
  return {
    type: 'set_field',
    field,
    value: Uint8Array.from(value),
    mask: Uint8Array.from(mask),
    form,
  };
}
const sub = (field: string, ofs: number, nBits: number) => ({ field, ofs, nBits });

const output = (port: number): OfAction => ({ type: 'output', port, maxLen: 0xffff });
type Multipath = Extract<OfAction, { type: 'multipath' }>['multipath'];
type BundleSpec = Extract<OfAction, { type: 'bundle' }>['bundle'];

function multipath(fields: string, algorithm: Multipath['algorithm']): OfAction {
  const dst = sub('reg0', 0, 16);
  return {
    type: 'multipath',
    multipath: { fields, basis: 7, algorithm, maxLink: 2, arg: 1, dst },
  };
}

function bundle(fields: string, algorithm: BundleSpec['algorithm']): OfAction {
  return {
    type: 'bundle',
    load: false,
    bundle: { fields, basis: 0, algorithm, members: [1, 2, 3] },
  };
}

const SIMPLE_ACTIONS: OfAction[] = [
  ...[1, 2, 3, 4].map(output),
  ...[OFPP.NORMAL, OFPP.NORMAL, OFPP.FLOOD, OFPP.ALL, OFPP.IN_PORT, OFPP.CONTROLLER].map(output),
  setField('eth_dst', [...bytes(MACS[2])]),
  setField('eth_src', [0, 0, 0, 0, 0, 7], [0, 0, 0, 0, 0, 0xff]),
  setField('vlan_vid', [0x10, 20]),
  setField('ip_src', [10, 0, 0, 9]),
  setField('nw_ttl', [2]),
  setField('ip_dscp', [8]),
  setField('tcp_dst', [0, 80]),
  setField('udp_src', [0, 7]),
  setField('arp_op', [0, 2]),
  setField('reg0', [0, 0, 0, 5]),
  { type: 'push_vlan', ethType: 0x8100 },
  { type: 'strip_vlan', form: 'pop' },
  { type: 'dec_ttl', controllerIds: [0] },
  { type: 'move', src: sub('tcp_dst', 0, 16), dst: sub('reg1', 0, 16) },
  { type: 'move', src: sub('eth_src', 0, 48), dst: sub('eth_dst', 0, 48) },
  { type: 'move', src: sub('ip_src', 0, 8), dst: sub('reg0', 0, 8) },
  { type: 'output_reg', src: sub('reg0', 0, 16), maxLen: 0xffff },
  { type: 'stack_push', sub: sub('ip_dst', 0, 32) },
  { type: 'stack_pop', sub: sub('reg0', 0, 32) },
  { type: 'enqueue', port: 2, queue: 1 },
  { type: 'resubmit', table: 1 },
  { type: 'resubmit', inPort: 3, table: 2 },
  { type: 'resubmit', table: 2 },
  { type: 'write_metadata', metadata: 1n, mask: 1n },
  { type: 'write_actions', actions: [setField('ip_src', [10, 0, 0, 8]), output(3)] },
  { type: 'exit' },
  ...[1, 2, 3, 4].map((group): OfAction => ({ type: 'group', group })),
  { type: 'push_mpls', ethType: 0x8847 },
  { type: 'pop_mpls', ethType: 0x0800 },
  { type: 'set_mpls_ttl', ttl: 9 },
  { type: 'dec_mpls_ttl' },
  setField('mpls_label', [0, 0, 0, 77]),
  { type: 'check_pkt_larger', size: 100, dst: sub('reg0', 0, 1) },
  { type: 'fin_timeout', idle: 5, hard: 0 },
  { type: 'debug_recirc' },
  multipath('symmetric_l4', 'modulo_n'),
  multipath('nw_src', 'hrw'),
  multipath('symmetric_l3l4+udp', 'iter_hash'),
  bundle('eth_src', 'hrw'),
  bundle('nw_dst', 'active_backup'),
];
const arbSimple = fc.constantFrom(...SIMPLE_ACTIONS);
const arbActions = fc.array(
  fc.oneof(
    { weight: 9, arbitrary: arbSimple },
    {
      weight: 1,
      arbitrary: fc
        .array(arbSimple, { maxLength: 3 })
        .map((actions): OfAction => ({ type: 'clone', actions })),
    },
  ),
  { maxLength: 5 },
);

/** Of the second clause of conjunctive match 7, and entries that learn. */
const CONJUNCTIONS: OfAction[][] = [
  [{ type: 'conjunction', id: 7, clause: 0, nClauses: 2 }],
  [{ type: 'conjunction', id: 7, clause: 1, nClauses: 2 }],
];
const LEARN: OfAction = {
  type: 'learn',
  learn: {
    ...{
      idleTimeout: 0,
      hardTimeout: 0,
      priority: 3,
      cookie: 0n,
      table: 2,
      finIdle: 0,
      finHard: 0,
    },
    ...{ limit: 0, sendFlowRem: false, deleteLearned: false, writeResult: false },
    specs: [
      { nBits: 48, src: sub('eth_src', 0, 48), dst: { type: 'match', sub: sub('eth_dst', 0, 48) } },
      { nBits: 16, src: sub('in_port', 0, 16), dst: { type: 'output' } },
    ],
  },
};

const arbRule = fc.record({
  table: fc.nat({ max: 2 }),
  priority: fc.nat({ max: 4 }),
  match: arbMatch,
  actions: fc.oneof(
    { weight: 10, arbitrary: arbActions },
    { weight: 2, arbitrary: fc.constantFrom(...CONJUNCTIONS) },
    { weight: 1, arbitrary: fc.constant([LEARN, output(2)]) },
  ),
});

const arbPort = fc.record({
  vlanMode: fc.constantFrom<VlanMode>(
    'trunk',
    'trunk',
    'access',
    'native-tagged',
    'native-untagged',
    'dot1q-tunnel',
  ),
  tag: fc.constantFrom(0, 10, 20),
  trunks: fc.constantFrom(null, null, new Set([10])),
  priorityTags: fc.constantFrom('never' as const, 'if-nonzero' as const, 'always' as const),
});

function addRule(br: Ofproto, rule: RuleSpec): void {
  br.flowMod({
    type: 'flow_mod',
    command: 'add',
    table: rule.table,
    match: toMatch(rule.match),
    priority: rule.priority,
    cookie: 0n,
    cookieMask: 0n,
    newCookie: 0n,
    idleTimeout: 0,
    hardTimeout: 0,
    importance: 0,
    bufferId: 0xffffffff,
    outPort: OFPP.NONE,
    outGroup: 0xffffffff,
    flags: NO_FLAGS,
    actions: [...rule.actions],
  });
}

interface RuleSpec {
  table: number;
  priority: number;
  match: readonly string[];
  actions: readonly OfAction[];
}

interface PortSpec {
  vlanMode: VlanMode;
  tag: number;
  trunks: Set<number> | null;
  priorityTags: 'never' | 'if-nonzero' | 'always';
}

/** A group of two buckets; the third one of them hashes addresses. */
function groupOf(group: number, groupType: GroupType): GroupMod {
  const fields = group === 3 ? [{ field: 'ip_src', mask: new Uint8Array(4).fill(0xff) }] : [];
  const bucket = (id: number, actions: OfAction[]) => {
    const weight = groupType === 'select' ? id + 1 : 0;
    return {
      id,
      weight,
      watchPort: groupType === 'ff' ? 1 : OFPP.NONE,
      watchGroup: OFPG.ANY,
      actions,
    };
  };
  return {
    type: 'group_mod',
    command: 'add',
    groupType,
    group,
    commandBucketId: BUCKET.ALL,
    buckets: [bucket(0, [setField('ip_dst', [10, 0, 0, 7]), output(2)]), bucket(1, [output(3)])],
    props: { selectionMethod: group === 3 ? 'hash' : '', selectionMethodParam: 5n, fields },
  };
}

/** br0 with ports 1 to 3, a bond of 4 and 5, and a patch cable to br1 with one port more. */
function build(ports: PortSpec[], rules: RuleSpec[]): TestSwitch {
  const sw = new TestSwitch();
  const br = sw.bridge('br0');
  const br1 = sw.bridge('br1');
  for (let i = 0; i < 3; i++) sw.port(br, `p${i + 1}`, ports[i]);
  const members = [sw.device(br, 'b1'), sw.device(br, 'b2')];
  br.bundleSet('bond', {
    ...defaultBundleSettings('bond', members),
    ...ports[3],
    bond: { ...defaultBondSettings(), mode: 'balance-slb' },
  });
  sw.patch(br, 'to1', 'to0');
  sw.patch(br1, 'to0', 'to1');
  sw.port(br1, 'q', ports[4]);
  for (const [i, type] of (['select', 'all', 'select', 'ff'] as const).entries()) {
    br.groups.execute(groupOf(i + 1, type));
  }
  for (const rule of rules) addRule(br, rule);
  sw.settle();
  return sw;
}

/** Every packet's installed flow, if it has one, says what translation says now. */
function checkSound(sw: TestSwitch, traffic: Traffic): void {
  for (const packet of [...traffic.sent, ...traffic.near]) {
    const key = extractFlow(toFrame(packet), packet.port);
    const flow = sw.dpif.match(key);
    if (flow === undefined) continue;
    const out = sw.backer.udpif.translateKey(key, false);
    const wanted = out === null ? [] : installed(out);
    if (odpActionsEqual(wanted, flow.actions)) continue;
    const where = `${formatOdpKey(flow.key, flow.mask)} for ${JSON.stringify(packet)}`;
    expect(`${where}: ${formatOdpActions(flow.actions)}`).toBe(
      `${where}: ${formatOdpActions(wanted)}`,
    );
  }
}

function sendAll(sw: TestSwitch, traffic: Traffic): void {
  for (const packet of traffic.sent) sw.send(packet.port, toFrame(packet));
  sw.settle();
}

const arbPorts = fc.array(arbPort, { minLength: 5, maxLength: 5 });

describe('megaflows', () => {
  it('are sound for random tables over random VLANs, bonds and MACs', LONG, () => {
    fc.assert(
      fc.property(arbPorts, fc.array(arbRule, { maxLength: 12 }), arbTraffic, (ports, rules, t) => {
        const sw = build(ports, rules);
        sendAll(sw, t);
        checkSound(sw, t);
      }),
      runs(400),
    );
  });

  it('are sound for NORMAL alone', LONG, () => {
    fc.assert(
      fc.property(arbPorts, arbTraffic, (ports, t) => {
        const sw = build(ports, []);
        sendAll(sw, t);
        checkSound(sw, t);
      }),
      runs(200),
    );
  });

  it('are sound for one entry that applies to everything', LONG, () => {
    const arbActionList = fc.array(arbSimple, { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(arbPorts, arbActionList, arbTraffic, (ports, actions, t) => {
        const sw = build(ports, [
          { table: 0, priority: 9, match: [], actions: [...actions, output(2), output(3)] },
        ]);
        sendAll(sw, t);
        checkSound(sw, t);
      }),
      runs(400),
    );
  });

  it('follow changes of tables, ports and time', LONG, () => {
    fc.assert(
      fc.property(
        arbPorts,
        fc.array(arbRule, { minLength: 2, maxLength: 12 }),
        arbTraffic,
        fc.constantFrom(5_000, 20_000, 400_000),
        (ports, rules, t, laterMs) => {
          const half = Math.floor(rules.length / 2);
          const sw = build(ports, rules.slice(0, half));
          const br = sw.registry.byName('br0') as Ofproto;
          sendAll(sw, t);
          for (const rule of rules.slice(half)) addRule(br, rule);
          sw.devices.get('b1')?.setLink(false);
          sw.settle();
          checkSound(sw, t);
          br.bundleSet('p1', null);
          sw.advance(laterMs);
          sw.settle();
          checkSound(sw, t);
          sendAll(sw, t);
          checkSound(sw, t);
        },
      ),
      runs(100),
    );
  });
});
