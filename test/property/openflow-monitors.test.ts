/** Flow monitors read back what was written, whatever they watch and tell. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decodeMessage, encodeReplies } from '../../src/openflow/codec/index.js';
import type { OfMessage } from '../../src/openflow/messages.js';
import type { FlowMonitor, FlowUpdate } from '../../src/openflow/messages-monitor.js';
import { actions, match } from './openflow-arbitraries.js';

const u16 = fc.integer({ min: 0, max: 0xffff });
const u32 = fc.integer({ min: 0, max: 0xffffffff });

const monitor: fc.Arbitrary<FlowMonitor> = fc.record({
  id: u32,
  command: fc.constant('add' as const),
  // Some event is always asked for; NO_ABBREV is 1.4's alone.
  flags: fc.integer({ min: 0, max: 0x7f }).map((bits) => (bits | 2) & ~0x20),
  outPort: fc.integer({ min: 1, max: 0xfeff }),
  outGroup: fc.constant(0xffffffff),
  table: fc.integer({ min: 0, max: 255 }),
  match,
});

const update: fc.Arbitrary<FlowUpdate> = fc.oneof(
  fc.record({ event: fc.constant('abbrev' as const), xid: u32 }),
  fc.record({
    event: fc.constantFrom('added' as const, 'removed' as const, 'modified' as const),
    reason: fc.integer({ min: 0, max: 5 }),
    table: fc.integer({ min: 0, max: 254 }),
    priority: u16,
    idleTimeout: u16,
    hardTimeout: u16,
    cookie: fc.bigInt({ min: 0n, max: 0xffffffffffffffffn }),
    match,
    actions,
  }),
);

/** What the frames of a message hold, put together again. */
function readBack(version: number, msg: OfMessage): unknown[] {
  return encodeReplies(version, msg, 9).flatMap((frame) => {
    const decoded = decodeMessage(version, frame).msg;
    if (decoded === undefined || decoded.type !== msg.type) throw new Error('does not decode');
    return (decoded as { entries: unknown[] }).entries;
  });
}

it.each([1, 4, 5])('in version %i', (version) => {
  fc.assert(
    fc.property(fc.array(monitor, { maxLength: 4 }), (entries) => {
      expect(readBack(version, { type: 'flow_monitor_request', entries })).toEqual(entries);
    }),
    { numRuns: 150 },
  );
  fc.assert(
    fc.property(fc.array(update, { maxLength: 4 }), (entries) => {
      expect(readBack(version, { type: 'flow_monitor_reply', entries })).toEqual(entries);
    }),
    { numRuns: 150 },
  );
});
