/**
 * Properties of the codec of groups and meters: what was encoded is decoded again, in each
 * version's own form of buckets.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OFPP } from '../../src/openflow/actions.js';
import { decodeMessage, encodeMessage } from '../../src/openflow/codec/index.js';
import type { OfMessage } from '../../src/openflow/messages.js';
import {
  BUCKET,
  type GroupMod,
  type GroupProps,
  OFPG,
} from '../../src/openflow/messages-groups.js';

const u16 = fc.integer({ min: 0, max: 0xffff });
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const u64 = fc.bigInt({ min: 0n, max: 0xffffffffffffffffn });
const NO_PROPS = { selectionMethod: '', selectionMethodParam: 0n, fields: [] };

const simpleActions = fc.array(
  fc.record({
    type: fc.constant('output' as const),
    port: fc.integer({ min: 1, max: 0xfe00 }),
    maxLen: fc.constant(0),
  }),
  { maxLength: 3 },
);

const bucket = fc.record({
  weight: u16,
  watchPort: fc.oneof(fc.integer({ min: 1, max: 0xfe00 }), fc.constant<number>(OFPP.NONE)),
  watchGroup: fc.oneof(fc.integer({ min: 0, max: OFPG.MAX }), fc.constant<number>(OFPG.ANY)),
  actions: simpleActions,
});

/** Buckets numbered from 0, as versions without bucket numbers give them. */
const buckets = fc
  .array(bucket, { maxLength: 5 })
  .map((list) => list.map((b, id) => ({ id, ...b })));

const select = fc.record({
  type: fc.constant('group_mod' as const),
  command: fc.constantFrom('add' as const, 'modify' as const, 'add_or_mod' as const),
  groupType: fc.constant('select' as const),
  group: u32,
  commandBucketId: fc.constant(BUCKET.ALL),
  buckets,
  props: fc.constant(NO_PROPS),
});

const hashProps = fc.record({
  selectionMethod: fc.constant('hash'),
  selectionMethodParam: u64,
  fields: fc.constantFrom<GroupProps['fields'][]>(
    [],
    [{ field: 'ip_src', mask: Uint8Array.of(255, 255, 255, 0) }],
    [
      { field: 'eth_dst', mask: new Uint8Array(6).fill(255) },
      { field: 'tcp_src', mask: Uint8Array.of(255, 255) },
    ],
  ),
});

const meter = fc.record({
  meter: u32,
  flags: fc.constantFrom(1, 2, 5, 6, 13),
  bands: fc.array(
    fc.oneof(
      fc.record({
        type: fc.constant('drop' as const),
        rate: u32,
        burstSize: u32,
        precLevel: fc.constant(0),
      }),
      fc.record({
        type: fc.constant('dscp_remark' as const),
        rate: u32,
        burstSize: u32,
        precLevel: fc.integer({ min: 0, max: 255 }),
      }),
    ),
    { maxLength: 4 },
  ),
});

function same(version: number, msg: OfMessage): void {
  const frame = encodeMessage(version, msg, 9);
  const decoded = decodeMessage(version, frame);
  expect(decoded.msg ?? decoded.error).toEqual(msg);
}

describe.each([1, 2, 3, 4, 5, 6])('version %i', (version) => {
  it('group mods and descriptions', () => {
    fc.assert(
      fc.property(select, (msg) => {
        same(version, msg);
        const { group, groupType, props } = msg;
        const entries = [{ group, groupType, buckets: msg.buckets, props }];
        same(version, { type: 'group_desc_reply', more: false, entries });
      }),
      { numRuns: 50 },
    );
  });

  it('group statistics and features', () => {
    const timed = version === 1 || version >= 4;
    const time = timed ? u32 : fc.constant(0xffffffff);
    const entry = fc.record({
      ...{ group: u32, refCount: u32, packets: u64, bytes: u64 },
      ...{ durationSec: time, durationNsec: time },
      buckets: fc.array(fc.record({ packets: u64, bytes: u64 }), { maxLength: 3 }),
    });
    const four = fc.tuple(u32, u32, u32, u32);
    fc.assert(
      fc.property(fc.array(entry), four, four, (entries, maxGroups, acts) => {
        same(version, { type: 'group_stats_reply', more: false, entries });
        const bits = { types: 15, capabilities: 7 };
        same(version, { type: 'group_features_reply', ...bits, maxGroups, actions: acts });
      }),
      { numRuns: 50 },
    );
  });
});

describe.each([1, 6])('version %i, with the buckets of 1.5', (version) => {
  it('selection methods, bucket commands and bucket numbers', () => {
    const id = fc.constantFrom(0, 77, BUCKET.FIRST, BUCKET.LAST);
    fc.assert(
      fc.property(select, hashProps, id, (msg, props, commandBucketId) => {
        same(version, { ...msg, props });
        same(version, { ...msg, command: 'insert_bucket', commandBucketId });
        const remove = { ...msg, command: 'remove_bucket' as const, buckets: [], commandBucketId };
        same(version, remove);
      }),
      { numRuns: 50 },
    );
  });

  it('buckets without a number get free ones', () => {
    const make = (ids: number[]) => {
      const msg: OfMessage = {
        ...{ type: 'group_mod', command: 'add', groupType: 'all', group: 1, props: NO_PROPS },
        commandBucketId: BUCKET.ALL,
        buckets: ids.map((n) => ({
          ...{ id: n, weight: 0, watchPort: OFPP.NONE, watchGroup: OFPG.ANY, actions: [] },
        })),
      };
      const { msg: got } = decodeMessage(version, encodeMessage(version, msg, 1));
      return got?.type === 'group_mod' ? got.buckets.map((b) => b.id) : got;
    };
    expect(make([BUCKET.ALL, 0, BUCKET.ALL, 2, BUCKET.ALL])).toEqual([1, 0, 3, 2, 4]);
  });
});

describe.each([4, 5, 6])('version %i', (version) => {
  it('meters', () => {
    fc.assert(
      fc.property(fc.array(meter), meter, (entries, one) => {
        same(version, { type: 'meter_config_reply', more: false, entries });
        same(version, { type: 'meter_mod', command: 'add', meter: one });
        const stats = entries.map((m) => ({
          ...{ meter: m.meter, flows: 3, packets: 4n, bytes: 5n, durationSec: 6, durationNsec: 7 },
          bands: m.bands.map((b) => ({ packets: BigInt(b.rate), bytes: 0n })),
        }));
        same(version, { type: 'meter_stats_reply', more: false, entries: stats });
      }),
      { numRuns: 50 },
    );
  });
});

describe('what a group mod gets wrong', () => {
  type Asked = Pick<GroupMod, 'groupType' | 'buckets'>;
  const base = { type: 'group_mod' as const, command: 'add' as const, group: 1, props: NO_PROPS };
  const plain = { id: 0, weight: 0, watchPort: OFPP.NONE, watchGroup: OFPG.ANY, actions: [] };
  const refused = (version: number, msg: Asked) => {
    const full: GroupMod = { ...base, commandBucketId: BUCKET.ALL, ...msg };
    return decodeMessage(version, encodeMessage(version, full, 1)).error;
  };

  it.each<[Asked, string]>([
    [{ groupType: 'indirect', buckets: [] }, 'OFPGMFC_INVALID_GROUP'],
    [{ groupType: 'all', buckets: [{ ...plain, weight: 4 }] }, 'OFPGMFC_INVALID_GROUP'],
    [{ groupType: 'all', buckets: [{ ...plain, watchPort: 2 }] }, 'OFPGMFC_WATCH_UNSUPPORTED'],
    [{ groupType: 'ff', buckets: [plain] }, 'OFPGMFC_INVALID_GROUP'],
    [{ groupType: 'select', buckets: [{ ...plain, watchPort: 0xff01 }] }, 'OFPGMFC_BAD_WATCH'],
  ])('%o', (msg, error) => {
    for (const version of [1, 4, 6]) expect(refused(version, msg)).toBe(error);
  });

  it('two buckets of one number', () => {
    const msg: Asked = { groupType: 'all', buckets: [plain, plain] };
    expect(refused(6, msg)).toBe('OFPGMFC_BAD_BUCKET');
    expect(refused(4, msg)).toBeUndefined();
  });

  it('an unknown type and an unknown command', () => {
    const full = { ...base, commandBucketId: BUCKET.ALL, groupType: 'all', buckets: [] };
    const frame = encodeMessage(4, full as OfMessage, 1);
    const other = (at: number, byte: number) => {
      const copy = frame.slice();
      copy[at] = byte;
      return decodeMessage(4, copy).error;
    };
    expect(other(10, 9)).toBe('OFPGMFC_BAD_TYPE');
    expect(other(9, 9)).toBe('OFPGMFC_BAD_COMMAND');
  });
});
