/** Upcalls in two rings: others pass a flood, and each port's own order stays. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  FAST_PER_PORT,
  UpcallLanes,
  upcallLaneBuffers,
} from '../../../src/datapath/upcall-lanes.js';
import { UPCALL_MISS } from '../../../src/datapath/upcall-sink.js';
import { newFlow, W_IN_PORT } from '../../../src/packet/flow-layout.js';

const COOKIE = new Int32Array(8);

function push(lanes: UpcallLanes, port: number, n: number): boolean {
  const memory = new Uint8Array(128);
  new DataView(memory.buffer).setUint32(64, n);
  const key = newFlow();
  key[W_IN_PORT] = port;
  return lanes.push(UPCALL_MISS, memory, 64, 60, key, COOKIE, 0);
}

function pop(lanes: UpcallLanes): { port: number; n: number } | null {
  const record = lanes.pop();
  if (record === null) return null;
  const { frame, key } = record;
  const n = new DataView(frame.buffer, frame.byteOffset).getUint32(0);
  return { port: key[W_IN_PORT], n };
}

describe('upcalls in two rings', () => {
  it('let a port pass another one that floods', () => {
    const buffers = upcallLaneBuffers();
    const [writer, reader] = [new UpcallLanes(buffers), new UpcallLanes(buffers)];
    let sent = 0;
    while (push(writer, 1, sent)) sent += 1;
    expect(sent).toBeGreaterThan(1000);
    expect(push(writer, 2, 7)).toBe(true);
    let before = 0;
    for (let got = pop(reader); got?.port !== 2; got = pop(reader)) before += 1;
    expect(before).toBe(FAST_PER_PORT);
  });

  it("keep each port's order, whatever comes between", () => {
    const step = fc.record({ port: fc.integer({ min: 1, max: 3 }), n: fc.nat({ max: 90 }) });
    fc.assert(
      fc.property(fc.array(fc.tuple(step, fc.nat({ max: 120 })), { maxLength: 30 }), (steps) => {
        const buffers = upcallLaneBuffers();
        const [writer, reader] = [new UpcallLanes(buffers), new UpcallLanes(buffers)];
        const next = [0, 0, 0, 0];
        const seen = [0, 0, 0, 0];
        const take = (): boolean => {
          const got = pop(reader);
          if (got === null) return false;
          expect(got.n).toBe(seen[got.port]);
          seen[got.port] += 1;
          return true;
        };
        for (const [{ port, n }, taken] of steps) {
          for (let i = 0; i < n; i++) if (push(writer, port, next[port])) next[port] += 1;
          for (let i = 0; i < taken; i++) take();
        }
        while (take());
        expect(seen).toEqual(next);
      }),
      { numRuns: 60 },
    );
  });
});
