/**
 * Large frames cut into packets, against a naive model that builds each packet from its fields with
 * checksums from scratch; and a reader of packets that trusts nothing.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { OdpAction } from '../../src/datapath/odp-actions.js';
import { addToSum, pseudoSum4, pseudoSum6 } from '../../src/packet/checksum.js';
import {
  be16,
  be32,
  concatBytes,
  ethFrame,
  ipv4Packet,
  ipv6Packet,
  withTransportChecksum,
} from '../support/frame-builder.js';
import { EngineFixture } from '../unit/datapath/engine-fixture.js';

const OUT = 3;
const bytes = (n: number) => fc.uint8Array({ minLength: n, maxLength: n });

const large = fc.record({
  v4: fc.boolean(),
  tcp: fc.boolean(),
  ecn: fc.boolean(),
  partial: fc.boolean(),
  vlans: fc.array(fc.record({ tpid: fc.constantFrom(0x8100, 0x88a8), tci: fc.nat(0xffff) }), {
    maxLength: 2,
  }),
  labels: fc.array(fc.nat(0xfffff), { maxLength: 3 }),
  id: fc.constantFrom(0, 7, 0xfffe),
  ipOptions: fc.constantFrom(0, 4, 40),
  tcpOptions: fc.constantFrom(0, 12, 40),
  flags: fc.nat(0xff),
  seq: fc.oneof(fc.constant(-5), fc.integer()),
  ports: bytes(4),
  addresses: bytes(32),
  payload: fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.nat(9000).map((n) => Uint8Array.from({ length: n }, (_, i) => (i * i + n) >>> 3)),
  ),
  size: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 500, max: 1500 })),
});
type Large = typeof large extends fc.Arbitrary<infer T> ? T : never;

/** One IP packet with `payload`, its checksum zero. */
function packet(f: Large, payload: Uint8Array, seq: number, flags: number, id: number) {
  const offset = ((20 + f.tcpOptions) / 4) << 4;
  const l4 = f.tcp
    ? concatBytes(
        f.ports,
        be32(seq),
        [1, 2, 3, 4, offset, flags, 5, 6, 0, 0, 0, 0],
        new Uint8Array(f.tcpOptions).fill(1),
        payload,
      )
    : concatBytes(f.ports, be16(8 + payload.length), [0, 0], payload);
  const protocol = f.tcp ? 6 : 17;
  if (f.v4) {
    const view = new DataView(f.addresses.buffer, f.addresses.byteOffset);
    const options = new Uint8Array(f.ipOptions).fill(1);
    const ip = { src: view.getInt32(0), dst: view.getInt32(4), protocol, id, options };
    return ipv4Packet({ ...ip, frag: 0x4000 }, l4);
  }
  const src = f.addresses.subarray(0, 16);
  return ipv6Packet({ src, dst: f.addresses.subarray(16), nextHeader: protocol }, l4);
}

function front(f: Large, labels: readonly number[], ip: Uint8Array): Uint8Array {
  const stack = labels.map((l, i) => be32((l << 12) | (i === labels.length - 1 ? 0x140 : 0x40)));
  const type = labels.length > 0 ? 0x8847 : f.v4 ? 0x0800 : 0x86dd;
  const macs = { dst: bytes6(1), src: bytes6(2), vlans: f.vlans };
  return ethFrame(macs, type, concatBytes(...stack, ip));
}

const bytes6 = (n: number) => Uint8Array.of(2, 0, 0, 0, 0, n);

/** The large frame as a host hands it over, with its virtio header. */
function wholeFrame(f: Large): { frame: Uint8Array; vnet: Uint8Array } {
  const ip = packet(f, f.payload, f.seq, f.flags, f.id);
  const ipLen = f.v4 ? 20 + f.ipOptions : 40;
  const l4Len = ip.length - ipLen;
  const view = new DataView(ip.buffer);
  const csum = f.tcp ? 16 : 6;
  const protocol = f.tcp ? 6 : 17;
  const sum = f.v4 ? pseudoSum4(view, 0, protocol, l4Len) : pseudoSum6(view, 0, protocol, l4Len);
  if (f.partial) view.setUint16(ipLen + csum, sum);
  const frame = front(f, f.labels, ip);
  const vnet = new DataView(new ArrayBuffer(10));
  const type = f.tcp ? (f.v4 ? 1 : 4) : 5;
  vnet.setUint8(1, type | (f.tcp && f.ecn ? 0x80 : 0));
  vnet.setUint16(2, frame.length - f.payload.length, true);
  vnet.setUint16(4, f.size, true);
  if (f.partial) {
    vnet.setUint8(0, 1);
    vnet.setUint16(6, frame.length - l4Len, true);
    vnet.setUint16(8, csum, true);
  }
  return { frame, vnet: new Uint8Array(vnet.buffer) };
}

/** The model: the packets of a large frame behind `labels`. */
function packets(f: Large, labels: readonly number[]): Uint8Array[] {
  const out: Uint8Array[] = [];
  const n = Math.max(1, Math.ceil(f.payload.length / f.size));
  for (let i = 0; i < n; i++) {
    let flags = f.flags;
    if (i < n - 1) flags &= ~0x09;
    if (i > 0) flags &= ~0x80;
    const payload = f.payload.slice(i * f.size, (i + 1) * f.size);
    const seq = (f.seq + i * f.size) | 0;
    const ip = packet(f, payload, seq, flags, (f.id + i) & 0xffff);
    out.push(front(f, labels, withTransportChecksum(ip)));
  }
  return out;
}

const hex = (frame: Uint8Array) => Buffer.from(frame).toString('hex');
const output: OdpAction = { type: 'output', port: OUT };
const push: OdpAction = { type: 'push_mpls', lse: 0x00064140, ethType: 0x8847 };

describe('large frames', () => {
  // Room for a few dozen packets: larger frames go out in several batches.
  const fixture = new EngineFixture({ rxBytes: 1 << 17, copyHalfBytes: 48 << 10 });

  function run(f: Large, actions: OdpAction[]) {
    const { frame, vnet } = wholeFrame(f);
    const sent = fixture.run(frame, actions, vnet);
    return { frame, vnet, sent };
  }

  it('are cut where a label is in front', () => {
    fc.assert(
      fc.property(large, (f) => {
        fc.pre(f.labels.length > 0);
        const { sent } = run(f, [output]);
        expect(sent.map((s) => hex(s.frame))).toEqual(packets(f, f.labels).map(hex));
        expect(sent.every((s) => s.vnet.every((b) => b === 0))).toBe(true);
      }),
      { numRuns: 250 },
    );
  });

  it('are cut when a label has been pushed, and whole again without it', () => {
    fc.assert(
      fc.property(large, (f) => {
        f.labels = [];
        const pop: OdpAction = { type: 'pop_mpls', ethType: f.v4 ? 0x0800 : 0x86dd };
        const { frame, vnet, sent } = run(f, [output, push, output, pop, output]);
        const whole = sent.filter((s) => hex(s.frame) === hex(frame));
        expect(whole.map((s) => hex(s.vnet))).toEqual([hex(vnet), hex(vnet)]);
        const cut = sent.filter((s) => !whole.includes(s)).map((s) => hex(s.frame));
        expect(cut).toEqual(packets(f, [0x64]).map((p) => hex(p)));
      }),
      { numRuns: 150 },
    );
  });

  it('have each packet truncated, with the checksum of all of it', () => {
    fc.assert(
      fc.property(large, fc.integer({ min: 14, max: 1600 }), (f, maxLen) => {
        const { frame, vnet, sent } = run(f, [{ type: 'trunc', maxLen }, output]);
        const model = packets(f, f.labels);
        if (f.labels.length > 0 || model[0].length > maxLen) {
          expect(sent.map((s) => hex(s.frame))).toEqual(
            model.map((p) => hex(p.subarray(0, maxLen))),
          );
        } else {
          expect(sent.map((s) => [hex(s.frame), hex(s.vnet)])).toEqual([[hex(frame), hex(vnet)]]);
        }
      }),
      { numRuns: 250 },
    );
  });

  it('never read or write outside of them, whatever their bytes say', () => {
    const damage = fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 6 });
    const virtio = fc.array(fc.tuple(fc.nat(9), fc.nat(255)), { maxLength: 3 });
    fc.assert(
      fc.property(large, damage, virtio, fc.nat(2000), (f, changes, header, maxLen) => {
        f.payload = f.payload.subarray(0, 1000);
        const { frame, vnet } = wholeFrame(f);
        for (const [at, value] of changes) if (at < frame.length) frame[at] = value;
        for (const [at, value] of header) vnet[at] = value;
        const sent = fixture.run(frame, [{ type: 'trunc', maxLen }, output, push, output], vnet);
        // Cut or whole: nothing is longer than what came in with its label.
        expect(sent.every((s) => s.frame.length <= frame.length + 4)).toBe(true);
        expect(sent.length).toBeGreaterThan(0);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('a truncated single packet', () => {
  it('has its checksum completed', () => {
    const fixture = new EngineFixture();
    fc.assert(
      fc.property(large, fc.integer({ min: 100, max: 1600 }), (f, maxLen) => {
        f.partial = true;
        f.size = 9000;
        const { frame, vnet } = wholeFrame(f);
        vnet.fill(0, 1, 6);
        const [sent] = fixture.run(frame, [{ type: 'trunc', maxLen }, output], vnet);
        if (maxLen >= frame.length) {
          expect(hex(sent.vnet)).toBe(hex(vnet));
        } else if (maxLen >= 14 + 8 + 12 + 60 + 18) {
          const view = new DataView(frame.buffer);
          const start = vnet[6];
          const field = start + vnet[8];
          const sum = addToSum(view, start, frame.length - start) ^ 0xffff;
          view.setUint16(field, sum === 0 ? 0xffff : sum);
          expect(hex(sent.frame)).toBe(hex(frame.subarray(0, maxLen)));
          expect(sent.vnet.every((b) => b === 0)).toBe(true);
        }
      }),
    );
  });
});
