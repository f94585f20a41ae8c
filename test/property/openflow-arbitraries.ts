/**
 * Generators of matches, actions and messages for the properties of the OpenFlow codec and syntax.
 *
 * What they make is in the form in which decoding gives it back, so that round trips compare equal.
 */
import fc from 'fast-check';
import { OFPP, type OfAction } from '../../src/openflow/actions.js';
import { loadBits } from '../../src/openflow/codec/actions-set.js';
import { type Match, matchAny } from '../../src/openflow/match.js';
import type { FlowMod, FlowStatsEntry, OfMessage, PortDesc } from '../../src/openflow/messages.js';
import { addTunOption } from '../../src/openflow/tun-metadata.js';
import { FIELDS, type Field, fieldSet, mustField } from '../../src/packet/fields.js';

const u8 = fc.integer({ min: 0, max: 0xff });
const u16 = fc.integer({ min: 0, max: 0xffff });
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const u64 = fc.bigInt({ min: 0n, max: 0xffffffffffffffffn });
const port = fc.oneof(
  fc.integer({ min: 1, max: 0xfeff }),
  fc.constantFrom(OFPP.LOCAL, OFPP.IN_PORT, OFPP.CONTROLLER),
);

/** Values to set before a field so that its requirements hold. */
const REQUIRED: Partial<Record<Field['prereq'], [name: string, value: number][]>> = {
  arp: [['eth_type', 0x0806]],
  ipv4: [['eth_type', 0x0800]],
  ipv6: [['eth_type', 0x86dd]],
  ip_any: [['eth_type', 0x0800]],
  mpls: [['eth_type', 0x8847]],
  nsh: [
    ['eth_type', 0x894f],
    ['nsh_mdtype', 1],
  ],
  tcp: [
    ['eth_type', 0x0800],
    ['nw_proto', 6],
  ],
  udp: [
    ['eth_type', 0x86dd],
    ['nw_proto', 17],
  ],
  icmpv4: [
    ['eth_type', 0x0800],
    ['nw_proto', 1],
  ],
};

function numberBytes(value: number, n: number): Uint8Array {
  const out = new Uint8Array(n);
  for (let i = n - 1, v = value; i >= 0; i--, v = Math.floor(v / 256)) out[i] = v & 0xff;
  return out;
}

/** Fields whose any value and mask survive both NXM and OXM. */
const PLAIN = FIELDS.filter(
  (f) =>
    f.headers.length > 0 &&
    f.option === undefined &&
    f.name !== 'nsh_mdtype' &&
    f.name !== 'nsh_ttl' &&
    f.format !== 'ofport10' &&
    f.format !== 'ofport11' &&
    f.special === undefined &&
    f.name !== 'packet_type' &&
    (f.prereq === 'none' || f.prereq === 'ethernet' || REQUIRED[f.prereq] !== undefined),
);

/** No packet is a later fragment without being a fragment: that value has no name. */
const fragment = fc.constantFrom(0, 1, 3).map((bits) => Uint8Array.of(bits));

/** A value within the field's width. */
const fieldValue = (field: Field): fc.Arbitrary<Uint8Array> =>
  field.name === 'ip_frag' ? fragment : anyValue(field);

const anyValue = (field: Field): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: field.nBytes, maxLength: field.nBytes }).map((bytes) => {
    let spare = field.nBytes * 8 - Math.min(field.nBits, field.layoutBits);
    const out = bytes.slice();
    for (let i = 0; spare > 0; i++, spare -= 8) out[i] &= spare >= 8 ? 0 : 0xff >> spare;
    return out;
  });

/** One field with value and, where it may have one, mask. */
const fieldSetting = fc.constantFrom(...PLAIN).chain((field) =>
  fc.record({
    field: fc.constant(field),
    value: fieldValue(field),
    mask: field.maskable
      ? fc.option(fieldValue(field), { nil: undefined })
      : fc.constant(undefined),
  }),
);

/** Tunnel options by number, some of them with masks, which the values lie in, in any order. */
const tunOptions = fc.uniqueArray(
  fc.record({
    index: fc.nat(63),
    value: fc.uint8Array({ maxLength: 40 }),
    mask: fc.option(fc.uint8Array({ maxLength: 40 }), { nil: undefined }),
  }),
  { maxLength: 4, selector: ({ index }) => index },
);

/** A match on an input port, tunnel options, one field and what that field requires. */
export const match: fc.Arbitrary<Match> = fc
  .record({
    inPort: fc.option(port, { nil: null }),
    options: fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, tunOptions),
    setting: fieldSetting,
  })
  .map(({ inPort, options, setting }) => {
    const m = matchAny();
    if (inPort !== null) {
      fieldSet(m.flow, m.mask, mustField('in_port_oxm'), numberBytes(inPort, 4));
    }
    const { field, value, mask } = setting;
    for (const [name, v] of REQUIRED[field.prereq] ?? []) {
      const f = mustField(name);
      fieldSet(m.flow, m.mask, f, numberBytes(v, f.nBytes));
    }
    if (mask === undefined || mask.some((b) => b !== 0)) {
      fieldSet(m.flow, m.mask, field, value, mask);
    }
    for (const { index, value, mask } of options) {
      const low = mask === undefined ? value : mask.map((b, i) => b & (value[i] ?? 0));
      addTunOption(m, mustField(`tun_metadata${index}`), low, mask);
    }
    return m;
  });

const subfield = fc
  .record({ field: fc.constantFrom('reg0', 'reg7', 'xreg1', 'metadata'), ofs: u8, n: u8 })
  .map(({ field, ofs, n }) => {
    const { nBits } = mustField(field);
    const first = ofs % nBits;
    return { field, ofs: first, nBits: 1 + (n % Math.min(nBits - first, 32)) };
  });

const load: fc.Arbitrary<OfAction> = fc
  .record({ sub: subfield, bits: u32 })
  .map(({ sub, bits }) =>
    loadBits(sub, numberBytes(sub.nBits === 32 ? bits : bits % 2 ** sub.nBits, 4)),
  );

const learn: fc.Arbitrary<OfAction> = fc
  .record({ idle: u16, hard: u16, priority: u16, cookie: u64, table: u8, limit: u16, imm: u16 })
  .map((r) => ({
    type: 'learn',
    learn: {
      ...{ idleTimeout: r.idle, hardTimeout: r.hard, priority: r.priority, cookie: r.cookie },
      ...{ table: r.table % 255, finIdle: r.hard, finHard: r.idle, limit: r.limit },
      ...{ sendFlowRem: r.idle % 2 === 0, deleteLearned: r.hard % 2 === 0, writeResult: false },
      specs: [
        {
          nBits: 16,
          src: { immediate: numberBytes(r.imm, 2) },
          dst: { type: 'match', sub: { field: 'eth_type', ofs: 0, nBits: 16 } },
        },
        {
          nBits: 32,
          src: { field: 'reg1', ofs: 0, nBits: 32 },
          dst: { type: 'load', sub: { field: 'reg2', ofs: 0, nBits: 32 } },
        },
        { nBits: 16, src: { field: 'in_port', ofs: 0, nBits: 16 }, dst: { type: 'output' } },
      ],
    },
  }));

const note = fc
  .uint8Array({ minLength: 0, maxLength: 3 })
  .map(
    (b): OfAction => ({ type: 'note', data: Uint8Array.of(...b, 1, 2, 3, 4, 5, 6).slice(0, 6) }),
  );

/** Actions that every version from 1.0 to 1.4 carries in the same form. */
const leaf: fc.Arbitrary<OfAction> = fc.oneof(
  port.map((p): OfAction => {
    return { type: 'output', port: p, maxLen: p === OFPP.CONTROLLER ? 128 : 0 };
  }),
  load,
  learn,
  note,
  fc.record({ a: subfield, b: subfield }).map(({ a, b }): OfAction => {
    const nBits = Math.min(a.nBits, b.nBits);
    return { type: 'move', src: { ...a, nBits }, dst: { ...b, nBits } };
  }),
  subfield.map((sub): OfAction => ({ type: 'stack_push', sub })),
  subfield.map((sub): OfAction => ({ type: 'stack_pop', sub })),
  fc.record({ p: port, t: u8 }).map(({ p, t }): OfAction => {
    const at = p === OFPP.IN_PORT ? {} : { inPort: p };
    return { type: 'resubmit', table: t % 255, ...at };
  }),
  u32.map((queue): OfAction => ({ type: 'set_queue', queue })),
  u32.map((group): OfAction => ({ type: 'group', group })),
  fc.record({ maxLen: u16, id: u16, userdata: fc.uint8Array({ minLength: 1 }) }).map(
    ({ maxLen, id, userdata }): OfAction => ({
      ...{ type: 'controller', maxLen, controllerId: id, reason: 1, userdata },
    }),
  ),
  fc
    .record({ maxLen: u16, id: u16 })
    .map(
      ({ maxLen, id }): OfAction => ({ type: 'controller', maxLen, controllerId: id, reason: 0 }),
    ),
  fc.constantFrom<OfAction>({ type: 'exit' }, { type: 'ct_clear' }, { type: 'pop_queue' }),
  u16.map((port16): OfAction => ({ type: 'output_trunc', port: port16 % 0xff00, maxLen: 64 })),
  subfield.map((src): OfAction => ({ type: 'output_reg', src, maxLen: 0xffff })),
  fc.array(fc.integer({ min: 1, max: 0xfeff }), { maxLength: 5 }).map(
    (members): OfAction => ({
      type: 'bundle',
      load: false,
      bundle: { fields: 'nw_src', basis: 7, algorithm: 'hrw', members },
    }),
  ),
  u32.map(
    (id): OfAction => ({
      type: 'multipath',
      multipath: {
        ...{ fields: 'eth_src', basis: 1, algorithm: 'iter_hash', maxLink: 9, arg: id },
        dst: { field: 'reg3', ofs: 0, nBits: 16 },
      },
    }),
  ),
  u32.map(
    (id): OfAction => ({
      type: 'sample',
      sample: {
        ...{ probability: 1 + (id % 65535), collectorSetId: id, obsDomainId: 2, obsPointId: 3 },
        ...{ samplingPort: OFPP.NONE, direction: 'default' },
      },
    }),
  ),
);

const nested: fc.Arbitrary<OfAction> = fc
  .array(leaf, { maxLength: 3 })
  .map((actions): OfAction => ({ type: 'clone', actions }));

export const actions: fc.Arbitrary<OfAction[]> = fc.array(fc.oneof(leaf, nested), {
  maxLength: 6,
});

const noFlags = {
  ...{ sendFlowRem: false, checkOverlap: false, resetCounts: false },
  ...{ noPktCounts: false, noByteCounts: false },
};

/** A flow mod as OpenFlow 1.0 with table ids gives it back. */
export const flowMod: fc.Arbitrary<FlowMod> = fc
  .record({ match, actions, table: u8, priority: u16, cookie: u64, idle: u16, hard: u16, rem: u8 })
  .map((r) => {
    const cookie = r.cookie % 0xffffffffffffffffn;
    return {
      ...{ type: 'flow_mod', command: 'add', table: r.table % 255, match: r.match },
      ...{ priority: r.priority, cookie, cookieMask: 0n, newCookie: cookie },
      ...{ idleTimeout: r.idle, hardTimeout: r.hard, importance: 0, bufferId: 0xffffffff },
      ...{ outPort: OFPP.NONE, outGroup: 0xffffffff },
      flags: { ...noFlags, sendFlowRem: r.rem % 2 === 0, resetCounts: true },
      actions: r.actions,
    };
  });

const entry: fc.Arbitrary<FlowStatsEntry> = fc
  .record({ match, actions, table: u8, priority: u16, cookie: u64, sec: u32, n: u64 })
  .map((r) => ({
    ...{ table: r.table, match: r.match, priority: r.priority, cookie: r.cookie },
    ...{ durationSec: r.sec, durationNsec: 5, idleTimeout: 1, hardTimeout: 2 },
    ...{ idleAge: -1, hardAge: -1, importance: 0, packets: r.n, bytes: r.n },
    ...{ flags: { ...noFlags }, actions: r.actions },
  }));

const portDesc: fc.Arbitrary<PortDesc> = fc
  .record({
    portNo: port,
    hwAddr: fc.uint8Array({ minLength: 6, maxLength: 6 }),
    name: fc.stringMatching(/^[a-z0-9-]{1,15}$/),
    down: fc.boolean(),
  })
  .map((r) => ({
    ...{ portNo: r.portNo, hwAddr: r.hwAddr, name: r.name, config: r.down ? 1 : 0 },
    ...{ state: r.down ? 1 : 0, curr: 0, advertised: 0, supported: 0, peer: 0 },
    ...{ currSpeedKbps: 0, maxSpeedKbps: 0 },
  }));

/** Messages that read the same in every version from 1.0 to 1.4. */
export const commonMessage: fc.Arbitrary<OfMessage> = fc.oneof<fc.Arbitrary<OfMessage>[]>(
  fc.uint8Array().map((data) => ({ type: 'echo_request', data })),
  fc.constantFrom<OfMessage>(
    { type: 'features_request' },
    { type: 'get_config_request' },
    { type: 'barrier_request' },
    { type: 'barrier_reply' },
    { type: 'desc_stats_request' },
    { type: 'table_stats_request' },
  ),
  fc.record({ match, actions, data: fc.uint8Array({ maxLength: 99 }) }).map((r) => ({
    ...{ type: 'packet_out', bufferId: 0xffffffff, inPort: OFPP.CONTROLLER },
    ...{ data: r.data, actions: r.actions },
  })),
  fc.array(portDesc, { maxLength: 9 }).map((entries) => ({
    ...{ type: 'port_desc_reply', more: false, entries },
  })),
  fc.record({ packets: u64, bytes: u64, flows: u32 }).map((r) => ({
    ...{ type: 'aggregate_stats_reply', ...r },
  })),
  fc.record({ port, queue: u32 }).map((r) => ({ type: 'queue_stats_request', ...r })),
  fc.record({ a: u32, b: u32 }).map(({ a, b }) => ({
    ...{ type: 'error', error: 'OFPBRC_BAD_LEN', data: numberBytes(a ^ b, 8) },
  })),
  u8.map((n) => ({ type: 'port_status', reason: n % 3, desc: PORT })),
);

const PORT: PortDesc = {
  ...{ portNo: 3, hwAddr: Uint8Array.of(2, 0, 0, 0, 0, 3), name: 'p3', config: 0, state: 0 },
  ...{ curr: 0, advertised: 0, supported: 0, peer: 0, currSpeedKbps: 0, maxSpeedKbps: 0 },
};

export const nxFlowReply: fc.Arbitrary<OfMessage> = fc
  .array(entry, { maxLength: 5 })
  .map((entries) => ({ type: 'flow_stats_reply', nx: true, more: false, entries }));

export const flowReply: fc.Arbitrary<OfMessage> = fc
  .array(entry, { maxLength: 5 })
  .map((entries) => ({ type: 'flow_stats_reply', more: false, entries }));
