/**
 * Properties of the OpenFlow codec: encoding and decoding are inverse, and decoding is total: any
 * bytes give a message or an error that can be sent.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type CodecOptions,
  decodeMessage,
  encodeMessage,
  encodeReplies,
} from '../../src/openflow/codec/index.js';
import { errorNumbers } from '../../src/openflow/errors.js';
import { matchAny } from '../../src/openflow/match.js';
import type { OfMessage } from '../../src/openflow/messages.js';
import { formatMessage } from '../../src/openflow/syntax/message-format.js';
import { commonMessage, flowMod, flowReply, nxFlowReply } from './openflow-arbitraries.js';

const NXM: CodecOptions = { flowFormat: 'nxm', tableId: true };

function roundTrip(version: number, msg: OfMessage, options?: CodecOptions): OfMessage | string {
  const frame = encodeMessage(version, msg, 7, options);
  expect((frame[2] << 8) | frame[3]).toBe(frame.length);
  const decoded = decodeMessage(version, frame, options);
  expect(decoded.xid).toBe(7);
  return decoded.msg ?? decoded.error;
}

describe('decoding gives back what was encoded', () => {
  it.each([1, 4, 5])('messages that every version has, in version %i', (version) => {
    fc.assert(
      fc.property(commonMessage, (msg) => {
        expect(roundTrip(version, msg)).toEqual(msg);
      }),
    );
  });

  it('flow mods in NXM', () => {
    fc.assert(
      fc.property(flowMod, (msg) => {
        expect(roundTrip(1, msg, NXM)).toEqual(msg);
      }),
    );
  });

  it.each([4, 5])('flow mods in version %i', (version) => {
    fc.assert(
      fc.property(flowMod, (msg) => {
        expect(roundTrip(version, msg)).toEqual(msg);
      }),
    );
  });

  it('flow statistics in NXM and OXM', () => {
    fc.assert(
      fc.property(nxFlowReply, flowReply, (nx, plain) => {
        expect(roundTrip(1, nx)).toEqual(nx);
        expect(roundTrip(4, plain)).toEqual(plain);
      }),
    );
  });
});

describe('version 1.5, which loads with set_field', () => {
  it('reads what it wrote after the first reading', () => {
    const messages = fc.oneof(commonMessage, flowMod, flowReply);
    fc.assert(
      fc.property(messages, (msg) => {
        const once = roundTrip(6, msg);
        expect(once).toHaveProperty('type', msg.type);
        expect(roundTrip(6, once as OfMessage)).toEqual(once);
      }),
    );
  });
});

describe('what some versions carry in a form of their own', () => {
  const removed: OfMessage = {
    ...{ type: 'flow_removed', match: matchAny(), table: 3, priority: 9, cookie: 5n },
    ...{ reason: 1, durationSec: 7, durationNsec: 8, idleTimeout: 1, hardTimeout: 2 },
    ...{ packets: 10n, bytes: 640n },
  };
  const queues: OfMessage = {
    ...{ type: 'queue_stats_reply', more: false },
    entries: [
      {
        ...{ port: 1, queue: 2, txBytes: 3n, txPackets: 4n, txErrors: 5n },
        ...{ durationSec: 6, durationNsec: 7 },
      },
    ],
  };

  it.each([4, 5, 6])('flow removed and queue statistics, version %i', (version) => {
    expect(roundTrip(version, removed)).toEqual(removed);
    expect(roundTrip(version, queues)).toEqual(queues);
  });
});

describe('any bytes', () => {
  /** Decodes and checks what must hold for anything. */
  function total(frame: Uint8Array): void {
    const decoded = decodeMessage(0, frame, { tableId: true });
    if (decoded.error === undefined) return;
    const version = Math.min(Math.max(frame[0] ?? 1, 1), 6);
    const { type, code } = errorNumbers(decoded.error, version);
    expect(type).toBeLessThan(0x10000);
    const error: OfMessage = { type: 'error', error: decoded.error, data: frame.slice(0, 64) };
    const reply = decodeMessage(0, encodeMessage(version, error, decoded.xid));
    expect(reply.msg?.type).toBe('error');
    expect(code).toBeGreaterThanOrEqual(0);
  }

  it('random ones give a message or an error', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), total), { numRuns: 3000 });
  });

  it('random bodies under a right header give a message or an error', () => {
    const frames = fc
      .record({
        version: fc.constantFrom(1, 4, 5, 6),
        type: fc.integer({ min: 0, max: 34 }),
        body: fc.uint8Array({ maxLength: 160 }),
      })
      .map(({ version, type, body }) => {
        const length = 8 + body.length;
        return Uint8Array.of(version, type, length >> 8, length & 0xff, 0, 0, 0, 1, ...body);
      });
    fc.assert(fc.property(frames, total), { numRuns: 5000 });
  });

  it('mutated messages give a message or an error, and can be printed', () => {
    const mutations = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), {
      minLength: 1,
      maxLength: 6,
    });
    fc.assert(
      fc.property(flowMod, mutations, fc.constantFrom(1, 4), (msg, changes, version) => {
        const frame = encodeMessage(version, msg, 1, NXM);
        for (const [at, byte] of changes) {
          // The length stays right, so that more than the length check is reached.
          const i = at % frame.length;
          if (i !== 2 && i !== 3) frame[i] = byte;
        }
        total(frame);
        expect(formatMessage(frame).endsWith('\n')).toBe(true);
      }),
      { numRuns: 3000 },
    );
  });
});

describe('long replies', () => {
  it('come in frames of at most 64 KiB, the last without the more flag', () => {
    fc.assert(
      fc.property(nxFlowReply, fc.integer({ min: 100, max: 900 }), (reply, n) => {
        if (reply.type !== 'flow_stats_reply' || reply.entries.length === 0) return;
        const entries = Array.from(
          { length: n },
          (_, i) => reply.entries[i % reply.entries.length],
        );
        const frames = encodeReplies(1, { ...reply, entries }, 9);
        const parts = frames.map((frame) => decodeMessage(1, frame).msg);
        const got = parts.flatMap((p) => (p?.type === 'flow_stats_reply' ? p.entries : []));
        expect(got).toEqual(entries);
        const more = parts.map((p) => p?.type === 'flow_stats_reply' && p.more === true);
        expect(more).toEqual(frames.map((_f, i) => i < frames.length - 1));
      }),
      { numRuns: 20 },
    );
  });
});
