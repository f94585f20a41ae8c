/** The upcall ring: order, wrapping, bounds. */
import { describe, expect, it } from 'vitest';
import {
  UpcallRing,
  upcallRingBuffer,
  WAITING_PER_PORT_MAX,
} from '../../../src/datapath/upcall-ring.js';
import { newFlow } from '../../../src/packet/flow-layout.js';

const NO_COOKIE = new Int32Array(4);

function frameOf(n: number, len: number): Uint8Array {
  return Uint8Array.from({ length: len }, (_, i) => (n * 7 + i) & 0xff);
}

/** Pushes frame number n: 10 bytes of virtio header n, then the frame. */
function push(ring: UpcallRing, n: number, len: number): boolean {
  const memory = new Uint8Array(64 + len);
  memory.fill(n & 0xff, 54, 64);
  memory.set(frameOf(n, len), 64);
  const key = newFlow();
  key[1] = n;
  key[36] = ~n;
  return ring.push(1 + (n & 1), memory, 64, len, key, Int32Array.of(0, 1, n, 3, 4), 1);
}

describe('UpcallRing', () => {
  it('gives records back in order, whole, over many turns of the ring', () => {
    const buffer = upcallRingBuffer();
    const writer = new UpcallRing(buffer);
    const reader = new UpcallRing(buffer);
    let read = 0;
    for (let n = 0; n < 5000; n++) {
      expect(push(writer, n, 14 + ((n * 131) % 3000))).toBe(true);
      if (n % 3 === 0) continue;
      const record = reader.pop()!;
      expect(record.kind).toBe(1 + (read & 1));
      expect(record.key[1]).toBe(read);
      expect(record.key[36]).toBe(~read);
      expect(record.cookieWords[record.cookieAt + 1]).toBe(read);
      expect(record.vnetHdr).toEqual(new Uint8Array(10).fill(read & 0xff));
      const wanted = frameOf(read, 14 + ((read * 131) % 3000));
      expect(Buffer.compare(record.frame, wanted)).toBe(0);
      read++;
      if (n > 600) while (reader.pop()) read++;
    }
    while (reader.pop()) read++;
    expect(read).toBe(5000);
  });

  it('lets one port have only its share, and others theirs', () => {
    const ring = new UpcallRing(upcallRingBuffer());
    for (let n = 0; n < WAITING_PER_PORT_MAX; n++) expect(push(ring, 5, 60)).toBe(true);
    expect(push(ring, 5, 60)).toBe(false);
    expect(push(ring, 6, 60)).toBe(true);
    ring.pop();
    expect(push(ring, 5, 60)).toBe(true);
    expect(push(ring, 5, 60)).toBe(false);
  });

  it('refuses when it is full and goes on when there is room', () => {
    const ring = new UpcallRing(upcallRingBuffer());
    let taken = 0;
    while (push(ring, taken, 60_000)) taken++;
    expect(taken).toBeGreaterThan(20);
    expect(push(ring, 0, 60_000)).toBe(false);
    expect(ring.pop()!.key[1]).toBe(0);
    expect(push(ring, taken, 60_000)).toBe(true);
    for (let n = 1; n <= taken; n++) expect(ring.pop()!.key[1]).toBe(n);
    expect(ring.pop()).toBeNull();
  });

  it('is empty at first', () => {
    const ring = new UpcallRing(upcallRingBuffer());
    expect(ring.pop()).toBeNull();
    expect(ring.push(0, new Uint8Array(100), 20, 60, newFlow(), NO_COOKIE, 0)).toBe(true);
    expect(ring.pop()!.frame.length).toBe(60);
  });
});
