/**
 * Flow extraction against a naive model that reads checked slices, on sound and damaged frames. The
 * frame stands between two kinds of garbage: an answer that depended on it would show.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FlowExtractor } from '../../src/packet/extract.js';
import { newFlow } from '../../src/packet/flow-layout.js';
import { anyFrame } from './datapath-frames.js';

class Short extends Error {}

/** A cursor that refuses to read past its end. */
class Cursor {
  constructor(
    private bytes: number[],
    public pos = 0,
  ) {}
  get left(): number {
    return this.bytes.length - this.pos;
  }
  number(n: number, at = 0): number {
    if (this.pos + at + n > this.bytes.length) throw new Short();
    return this.bytes
      .slice(this.pos + at, this.pos + at + n)
      .reduce((value, byte) => value * 256 + byte, 0);
  }
  take(n: number): number[] {
    if (n > this.left) throw new Short();
    this.pos += n;
    return this.bytes.slice(this.pos - n, this.pos);
  }
  limit(n: number): void {
    this.bytes = this.bytes.slice(0, this.pos + n);
  }
}

type Key = Record<number, number>;

function words(key: Key, first: number, bytes: number[]): void {
  for (let i = 0; i < bytes.length; i += 4) {
    key[first + i / 4] = bytes.slice(i, i + 4).reduce((v, b) => v * 256 + b, 0);
  }
}

function model(frame: Uint8Array): Key {
  const key: Key = {};
  const at = new Cursor([...frame]);
  words(key, 2, at.take(12));
  for (let i = 0; i < 2; i++) {
    if (![0x8100, 0x88a8].includes(at.number(2)) || at.left < 6) break;
    key[5 + i] = at.number(4) - (at.number(4) & 0x1000) + 0x1000;
    at.take(4);
  }
  let type = at.number(2);
  at.take(2);
  if (type < 0x600) {
    const snap = at.left >= 8 && [0xaa, 0xaa, 3, 0, 0, 0].every((b, i) => at.number(1, i) === b);
    type = snap && at.number(2, 6) >= 0x600 ? at.number(2, 6) : 0x5ff;
    if (type !== 0x5ff) at.take(8);
  }
  key[7] = type * 65_536;
  try {
    if (type === 0x0800) ipv4(key, at);
    else if (type === 0x86dd) ipv6(key, at);
    else if (type === 0x0806 || type === 0x8035) arp(key, at);
    else if (type === 0x894f) nsh(key, at);
    else if (type === 0x8847 || type === 0x8848) {
      for (let i = 0; i < 3; i++) {
        key[29 + i] = at.number(4);
        if (at.take(4)[2] & 1) break;
      }
    }
  } catch (error) {
    if (!(error instanceof Short)) throw error;
  }
  return key;
}

function nsh(key: Key, at: Cursor): void {
  at.number(8);
  const base = at.number(2);
  const length = (base % 64) * 4;
  const mdtype = at.number(1, 2);
  if (base >= 0x4000 || length > at.left) return;
  if (mdtype === 1 && length !== 24) return;
  if (mdtype === 2 && length < 8) return;
  const ttl = Math.floor(base / 64) % 64;
  words(key, 22, [Math.floor(base / 4096), ttl, mdtype, at.number(1, 3)]);
  at.take(4);
  words(key, 23, at.take(4));
  if (mdtype === 1) words(key, 24, at.take(16));
}

function ipv4(key: Key, at: Cursor): void {
  at.number(20);
  const header = (at.number(1) & 15) * 4;
  const total = at.number(2, 2);
  if (header < 20 || header > total || total > at.left) return;
  at.limit(total);
  const frag = at.number(2, 6) & 0x3fff;
  const nwFrag = frag === 0 ? 0 : frag & 0x1fff ? 3 : 1;
  key[7] += nwFrag * 256;
  const protocol = at.number(1, 9);
  key[8] = protocol * 2 ** 24 + at.number(1, 1) * 65_536 + at.number(1, 8) * 256;
  key[9] = at.number(4, 12);
  key[10] = at.number(4, 16);
  at.take(header);
  if (nwFrag < 2) transport(key, at, protocol);
}

function ipv6(key: Key, at: Cursor): void {
  at.number(40);
  if (at.number(2, 4) + 40 > at.left) return;
  at.limit(40 + at.number(2, 4));
  const flow = at.number(4);
  const hops = at.number(1, 7);
  let next = at.number(1, 6);
  at.take(8);
  words(key, 13, at.take(32));
  let nwFrag = 0;
  while ([0, 43, 44, 51, 60].includes(next) && nwFrag < 2) {
    at.number(8);
    const kind = next;
    next = at.number(1);
    if (kind === 44) {
      const offset = at.number(2, 2);
      at.take(8);
      if (offset !== 0) nwFrag = offset >= 8 ? 3 : 1;
      if (nwFrag === 3) next = 44;
    } else {
      at.take(kind === 51 ? (at.number(1, 1) + 2) * 4 : (at.number(1, 1) + 1) * 8);
    }
  }
  key[7] += nwFrag * 256;
  key[21] = flow % 2 ** 20;
  key[8] = next * 2 ** 24 + (Math.floor(flow / 2 ** 20) % 256) * 65_536 + hops * 256;
  if (nwFrag < 2) transport(key, at, next);
}

function transport(key: Key, at: Cursor, protocol: number): void {
  if (protocol === 6) {
    at.number(20);
    const header = (at.number(1, 12) >>> 4) * 4;
    if (header < 20 || header > at.left) return;
    key[11] = at.number(4);
    key[12] = (at.number(2, 12) & 0xfff) * 65_536;
  } else if (protocol === 17) {
    at.number(8);
    key[11] = at.number(4);
  } else if (protocol === 132) {
    at.number(12);
    key[11] = at.number(4);
  } else if (protocol === 1 || protocol === 2) {
    at.number(8);
    key[11] = at.number(1) * 65_536 + at.number(1, 1);
    if (protocol === 2) key[32] = at.number(4, 4);
  } else if (protocol === 58) {
    icmpv6(key, at);
  }
}

function icmpv6(key: Key, at: Cursor): void {
  at.number(8);
  const [type, code] = at.take(4);
  key[11] = type * 65_536 + code;
  if (code !== 0 || (type !== 135 && type !== 136)) return;
  key[32] = at.number(4);
  at.take(4);
  const target = at.take(16);
  const addresses: Record<number, number[]> = { 1: [], 2: [] };
  let twice = false;
  let first = 0;
  while (at.left >= 8 && !twice) {
    const option = at.number(1);
    const len = at.number(1, 1) * 8;
    if (len === 0 || len > at.left) break;
    const body = at.take(len).slice(2);
    if (len === 8 && (option === 1 || option === 2)) {
      twice = addresses[option].some((b) => b !== 0);
      if (!twice) addresses[option] = body;
      if (!twice && first === 0) first = option;
    }
  }
  key[12] = first * 65_536;
  if (twice) return;
  words(key, 22, target);
  const pad = (a: number[]) => (a.length === 0 ? [0, 0, 0, 0, 0, 0] : a);
  words(key, 26, [...pad(addresses[1]), ...pad(addresses[2])]);
}

function arp(key: Key, at: Cursor): void {
  at.number(28);
  if (![0, 1, 8, 0, 6, 4].every((b, i) => at.number(1, i) === b)) return;
  const op = at.number(2, 6);
  if (op < 256) key[8] = op * 2 ** 24;
  at.take(8);
  const sha = at.take(6);
  key[9] = at.number(4);
  at.take(4);
  const tha = at.take(6);
  key[10] = at.number(4);
  words(key, 26, [...sha, ...tha]);
}

/** One extractor for all runs: what an earlier frame left behind must not show. */
function fixture() {
  const memory = new Uint8Array(2048);
  const extractor = new FlowExtractor(new DataView(memory.buffer));
  return (frame: Uint8Array, garbage: number) => {
    memory.fill(garbage);
    memory.set(frame, 512);
    extractor.parse(512, frame.length);
    return Array.from(extractor.key);
  };
}

describe('flow extraction', () => {
  it('equals the naive model on any frame, whatever stands around it', () => {
    const extract = fixture();
    fc.assert(
      fc.property(anyFrame, (frame) => {
        const wanted = newFlow();
        for (const [word, value] of Object.entries(model(frame))) wanted[Number(word)] = value;
        expect(extract(frame, 0xff)).toEqual(Array.from(wanted));
        expect(extract(frame, 0x45)).toEqual(Array.from(wanted));
      }),
      { numRuns: 3000 },
    );
  });

  it('takes random bytes', () => {
    const extract = fixture();
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 14, maxLength: 128 }), (frame) => {
        const wanted = newFlow();
        for (const [word, value] of Object.entries(model(frame))) wanted[Number(word)] = value;
        expect(extract(frame, 0)).toEqual(Array.from(wanted));
      }),
      { numRuns: 1000 },
    );
  });
});
