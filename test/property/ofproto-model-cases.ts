/**
 * Random cases for the property of ofproto-model.test.ts: entries, groups, flow-mods, and changes
 * of ports.
 */
import fc from 'fast-check';
import { OFPP, type OfAction, type SubField } from '../../src/openflow/actions.js';
import { fieldBits } from '../support/openflow-model/fields.js';
import type { ModelBucket, ModelGroup } from '../support/openflow-model/interpreter.js';
import type { FieldMatch, ModelFlowMod } from '../support/openflow-model/tables.js';
import { arbFrame, be, macs } from './ofproto-model-frames.js';

export const PORTS = [1, 2, 3, 4];
export const GROUPS = [1, 2, 3];
const N_TABLES = 4;

export interface SentPacket {
  port: number;
  frame: Uint8Array;
}

export type Change =
  | { type: 'flow'; mod: ModelFlowMod }
  | { type: 'group'; id: number; group: ModelGroup | null }
  | { type: 'link'; port: number; up: boolean }
  | { type: 'port'; port: number; noReceive: boolean; noForward: boolean; noFlood: boolean };

export interface Step {
  changes: Change[];
  packets: SentPacket[];
}

const packet: fc.Arbitrary<SentPacket> = fc.record({
  port: fc.constantFrom(...PORTS),
  frame: arbFrame,
});

// Matches.

function exact(field: string, value: bigint | number): FieldMatch {
  return { field, value: BigInt(value), mask: (1n << BigInt(fieldBits(field))) - 1n };
}
function under(field: string, value: bigint, mask: bigint): FieldMatch {
  return { field, value: value & mask, mask };
}
const TYPE4 = exact('eth_type', 0x0800);
const TYPE6 = exact('eth_type', 0x86dd);
const arpType = exact('eth_type', 0x0806);
const proto = (n: number): FieldMatch => exact('nw_proto', n);

/** What a match begins with: nothing, or a protocol and what it allows. */
const bases: { base: FieldMatch[]; more: FieldMatch[] }[] = [
  { base: [], more: [] },
  { base: [exact('eth_type', 0x88b5)], more: [] },
  {
    base: [TYPE4],
    more: [
      exact('ip_src', 0x0a000001n),
      under('ip_dst', 0x0a000000n, 0xffffff00n),
      under('ip_dst', 0x0a000002n, 0xfffffffen),
      under('ip_src', 2n, 3n),
      exact('nw_ttl', 64),
      exact('ip_dscp', 8),
      exact('nw_ecn', 1),
      exact('ip_frag', 0),
      exact('ip_frag', 3),
      under('ip_frag', 1n, 1n),
      proto(47),
    ],
  },
  {
    base: [TYPE4, proto(6)],
    more: [
      exact('tcp_src', 80),
      under('tcp_dst', 0x400n, 0xff00n),
      exact('tcp_dst', 53),
      under('tcp_flags', 2n, 2n),
      under('tcp_flags', 0n, 1n),
      exact('ip_src', 0x0a000002n),
    ],
  },
  { base: [TYPE4, proto(17)], more: [exact('udp_src', 80), exact('udp_dst', 1024)] },
  { base: [TYPE4, proto(132)], more: [exact('sctp_src', 80), exact('sctp_dst', 53)] },
  { base: [TYPE4, proto(1)], more: [exact('icmp_type', 8), exact('icmp_code', 0)] },
  {
    base: [TYPE6],
    more: [
      exact('ipv6_src', (0xfdn << 120n) | 1n),
      under('ipv6_dst', 0x10000n, 0xffff0000n),
      exact('ipv6_label', 3),
      exact('nw_ttl', 1),
    ],
  },
  { base: [TYPE6, proto(58)], more: [exact('icmpv6_type', 128)] },
  { base: [TYPE6, proto(17)], more: [exact('udp_dst', 80)] },
  {
    base: [arpType],
    more: [exact('arp_op', 1), exact('arp_spa', 0x0a000001n), under('arp_tpa', 2n, 255n)],
  },
  {
    base: [exact('eth_type', 0x8847)],
    more: [
      exact('mpls_label', 77),
      exact('mpls_tc', 1),
      exact('mpls_bos', 0),
      exact('mpls_ttl', 9),
    ],
  },
];
const ANYWHERE: FieldMatch[] = [
  exact('in_port', 1),
  exact('in_port', 3),
  exact('eth_src', macs[0]),
  exact('eth_dst', macs[1]),
  under('eth_dst', 1n << 40n, 1n << 40n),
  exact('vlan_vid', 0x100a),
  exact('vlan_vid', 0),
  under('vlan_vid', 0x1000n, 0x1000n),
  exact('metadata', 5),
  under('metadata', 1n, 3n),
  exact('reg0', 5),
  under('reg1', 0x400n, 0xff00n),
  exact('reg2', 0),
];

const match: fc.Arbitrary<FieldMatch[]> = fc.constantFrom(...bases).chain(({ base, more }) =>
  fc.subarray([...more, ...more, ...ANYWHERE], { maxLength: 3 }).map((extra) => {
    const found = [...base];
    for (const m of extra) if (!found.some(({ field }) => field === m.field)) found.push(m);
    return found;
  }),
);

// Actions.

const output = (port: number): OfAction => ({ type: 'output', port, maxLen: 0xffff });
const sub = (field: string, ofs: number, nBits: number): SubField => ({ field, ofs, nBits });

function setField(field: string, value: bigint, mask?: bigint): OfAction {
  const bits = fieldBits(field);
  // A label's 20 bits travel in 4 bytes.
  const n = bits === 20 ? 4 : Math.ceil(bits / 8);
  const all = mask ?? (1n << BigInt(bits)) - 1n;
  const maskBytes = mask === undefined ? new Array<number>(n).fill(255) : be(all, n);
  return {
    ...{ type: 'set_field', field, value: Uint8Array.from(be(value & all, n)) },
    ...{ mask: Uint8Array.from(maskBytes), form: 'set_field' },
  };
}

const SETS: OfAction[] = [
  setField('eth_dst', macs[2]),
  setField('eth_src', 7n, 0xffn),
  setField('vlan_vid', 0x1014n),
  setField('vlan_pcp', 3n),
  setField('ip_src', 0x0a000009n),
  setField('ip_dst', 0x0a000002n),
  setField('ip_dst', 0x100n, 0xff00n),
  setField('ipv6_src', (0xfdn << 120n) | 9n),
  setField('ipv6_dst', 9n, 0xffn),
  setField('ipv6_label', 5n),
  setField('nw_ttl', 2n),
  setField('ip_dscp', 8n),
  setField('nw_ecn', 1n),
  setField('tcp_dst', 80n),
  setField('tcp_src', 5n, 0xffn),
  setField('udp_src', 7n),
  setField('udp_dst', 1024n),
  setField('sctp_dst', 53n),
  setField('icmp_type', 0n),
  setField('icmpv6_code', 1n),
  setField('arp_op', 2n),
  setField('arp_spa', 0x0a000005n),
  setField('arp_tha', macs[0]),
  setField('mpls_label', 77n),
  setField('mpls_tc', 1n),
];
const METADATA: OfAction[] = [
  setField('reg0', 5n),
  setField('reg1', 0x400n, 0xff00n),
  setField('metadata', 1n, 3n),
  setField('in_port', 0n),
  setField('reg3', 2n),
];
const PIPELINE: OfAction[] = [
  { type: 'push_vlan', ethType: 0x8100 },
  { type: 'push_vlan', ethType: 0x88a8 },
  { type: 'strip_vlan', form: 'pop' },
  { type: 'strip_vlan', form: 'pop' },
  { type: 'dec_ttl', controllerIds: [0] },
  { type: 'push_mpls', ethType: 0x8847 },
  { type: 'pop_mpls', ethType: 0x0800 },
  { type: 'pop_mpls', ethType: 0x8847 },
  { type: 'set_mpls_ttl', ttl: 9 },
  { type: 'dec_mpls_ttl' },
];
const MOVES: OfAction[] = [
  { type: 'move', src: sub('eth_src', 0, 48), dst: sub('eth_dst', 0, 48) },
  { type: 'move', src: sub('tcp_dst', 0, 16), dst: sub('reg1', 0, 16) },
  { type: 'move', src: sub('ip_src', 0, 8), dst: sub('ip_dst', 4, 8) },
  { type: 'move', src: sub('reg0', 0, 16), dst: sub('udp_dst', 0, 16) },
  { type: 'move', src: sub('in_port', 0, 16), dst: sub('reg3', 0, 16) },
  { type: 'move', src: sub('metadata', 0, 2), dst: sub('reg2', 3, 2) },
  { type: 'stack_push', sub: sub('eth_src', 0, 48) },
  { type: 'stack_push', sub: sub('reg3', 0, 8) },
  { type: 'stack_push', sub: sub('in_port', 0, 16) },
  { type: 'stack_pop', sub: sub('reg3', 0, 32) },
  { type: 'stack_pop', sub: sub('eth_dst', 8, 16) },
  { type: 'stack_pop', sub: sub('metadata', 0, 64) },
  { type: 'check_pkt_larger', size: 80, dst: sub('reg0', 2, 1) },
  { type: 'output_reg', src: sub('reg3', 0, 16), maxLen: 0xffff },
];
const OUTPUTS = [...PORTS, OFPP.IN_PORT, OFPP.FLOOD, OFPP.ALL, OFPP.CONTROLLER, OFPP.LOCAL].map(
  output,
);
const TO_GROUP = GROUPS.map((group): OfAction => ({ type: 'group', group }));

const arbOutput = fc.constantFrom(...OUTPUTS, output(2), output(3));
const simple = fc.oneof(
  { weight: 4, arbitrary: arbOutput },
  { weight: 4, arbitrary: fc.constantFrom(...SETS) },
  { weight: 2, arbitrary: fc.constantFrom(...METADATA) },
  { weight: 3, arbitrary: fc.constantFrom(...PIPELINE) },
  { weight: 2, arbitrary: fc.constantFrom(...MOVES) },
);

/** Tables are only left forwards, so that every packet comes to an end. */
function jump(table: number): fc.Arbitrary<OfAction> {
  const later = fc.integer({ min: table + 1, max: N_TABLES - 1 });
  return fc.oneof(
    later.map((to): OfAction => ({ type: 'resubmit', table: to })),
    fc.tuple(later, fc.constantFrom(1, 3)).map(([to, inPort]): OfAction => {
      return { type: 'resubmit', table: to, inPort };
    }),
  );
}

const written = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: arbOutput },
    { weight: 2, arbitrary: fc.constantFrom(...SETS.filter((s) => !isMasked(s))) },
    { weight: 2, arbitrary: fc.constantFrom(...PIPELINE.filter((a) => a.type !== 'set_mpls_ttl')) },
    { weight: 1, arbitrary: fc.constantFrom(...TO_GROUP) },
  ),
  { minLength: 1, maxLength: 4 },
);

function isMasked(action: OfAction): boolean {
  return action.type === 'set_field' && action.mask.some((b) => b !== 255);
}

/** Actions that are applied, and then instructions in the specification's order. */
function actionsOf(table: number): fc.Arbitrary<OfAction[]> {
  const applied = fc.array(
    fc.oneof(
      { weight: 12, arbitrary: simple },
      { weight: table + 1 < N_TABLES ? 3 : 0, arbitrary: jump(Math.min(table, N_TABLES - 2)) },
      { weight: 1, arbitrary: fc.constantFrom(...TO_GROUP) },
      {
        weight: 1,
        arbitrary: fc
          .array(simple, { maxLength: 3 })
          .map((actions): OfAction => ({ type: 'clone', actions })),
      },
      { weight: 1, arbitrary: fc.constant<OfAction>({ type: 'exit' }) },
    ),
    { maxLength: 5 },
  );
  return fc
    .record({
      applied,
      clear: fc.nat(9),
      written: fc.option(written, { freq: 3 }),
      metadata: fc.option(fc.constantFrom(1n, 5n), { freq: 3 }),
      next: fc.option(fc.integer({ min: Math.min(table + 1, N_TABLES - 1), max: N_TABLES - 1 })),
    })
    .map((r) => {
      const list = [...r.applied];
      if (r.clear === 0) list.push({ type: 'clear_actions' });
      if (r.written !== null) list.push({ type: 'write_actions', actions: r.written });
      if (r.metadata !== null) {
        list.push({ type: 'write_metadata', metadata: r.metadata, mask: 7n });
      }
      if (r.next !== null && table + 1 < N_TABLES) list.push({ type: 'goto_table', table: r.next });
      return list;
    });
}

// Groups.

const bucket = (id: number): fc.Arbitrary<ModelBucket> =>
  fc.record({
    weight: fc.constantFrom(0, 1, 1, 3),
    watchPort: fc.constantFrom(...PORTS),
    actions: fc
      .array(
        fc.oneof(
          { weight: 3, arbitrary: arbOutput },
          { weight: 2, arbitrary: fc.constantFrom(...SETS.filter((s) => !isMasked(s))) },
          // Groups lead to groups of higher numbers only.
          { weight: 1, arbitrary: fc.constantFrom(...TO_GROUP.slice(id), output(1)) },
        ),
        { minLength: 1, maxLength: 3 },
      )
      .map(onePerKind),
  });

/** A bucket is a set: at most one action of each kind. */
function onePerKind(actions: OfAction[]): OfAction[] {
  const kind = (a: OfAction): string => (a.type === 'set_field' ? a.field : a.type);
  return actions.filter((a, i) => actions.findIndex((b) => kind(b) === kind(a)) === i);
}

function group(id: number): fc.Arbitrary<ModelGroup> {
  return fc
    .record({
      type: fc.constantFrom<ModelGroup['type']>('all', 'select', 'select', 'indirect', 'ff'),
      buckets: fc.array(bucket(id), { minLength: 1, maxLength: 3 }),
    })
    .map(({ type, buckets }) => {
      const kept = type === 'indirect' ? buckets.slice(0, 1) : buckets;
      return {
        type,
        buckets: kept.map((b) => ({ ...b, watchPort: type === 'ff' ? b.watchPort : null })),
      };
    });
}

// Changes.

const table = fc.constantFrom(0, 0, 0, 1, 1, 2, 3);
const flowMod: fc.Arbitrary<ModelFlowMod> = table.chain((tableId) =>
  fc.record({
    command: fc.constantFrom<ModelFlowMod['command']>(
      ...['add', 'add', 'add', 'add'].map(() => 'add' as const),
      ...(['modify', 'modify_strict', 'delete', 'delete_strict'] as const),
    ),
    table: fc.constant(tableId),
    priority: fc.nat(4),
    match,
    actions: actionsOf(tableId),
    cookie: fc.constant(0n),
    outPort: fc.option(fc.constantFrom(2, 3), { freq: 3 }),
    checkOverlap: fc.nat(9).map((n) => n === 0),
  }),
);

const change: fc.Arbitrary<Change> = fc.oneof(
  { weight: 12, arbitrary: flowMod.map((mod): Change => ({ type: 'flow', mod })) },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom(...GROUPS)
      .chain((id) =>
        fc.option(group(id), { freq: 6 }).map((g): Change => ({ type: 'group', id, group: g })),
      ),
  },
  {
    weight: 1,
    arbitrary: fc
      .record({ port: fc.constantFrom(...PORTS), up: fc.boolean() })
      .map((c): Change => ({ type: 'link', ...c })),
  },
  {
    weight: 1,
    arbitrary: fc
      .record({
        port: fc.constantFrom(...PORTS),
        ...{ noReceive: fc.boolean(), noForward: fc.boolean(), noFlood: fc.boolean() },
      })
      .map((c): Change => ({ type: 'port', ...c })),
  },
);

/** Each step changes something and then sends packets; the first one fills tables and groups. */
export const arbSteps: fc.Arbitrary<Step[]> = fc
  .record({
    groups: fc.tuple(...GROUPS.map(group)),
    first: fc.array(flowMod, { minLength: 2, maxLength: 10 }),
    packets: fc.array(packet, { minLength: 1, maxLength: 6 }),
    later: fc.array(
      fc.record({
        changes: fc.array(change, { minLength: 1, maxLength: 3 }),
        packets: fc.array(packet, { maxLength: 3 }),
      }),
      { maxLength: 3 },
    ),
  })
  .map(({ groups, first, packets, later }) => {
    const made = groups.map((g, i): Change => ({ type: 'group', id: GROUPS[i], group: g }));
    const filled = first.map((mod): Change => ({ type: 'flow', mod }));
    const steps = [{ changes: [...made, ...filled], packets }, ...later];
    // What was sent before is sent again: those packets have installed flows.
    return steps.map((step) => ({ ...step, packets: [...packets, ...step.packets] }));
  });
