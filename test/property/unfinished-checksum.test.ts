/**
 * Checksums that a host left to its device are found, and finish as the complete ones; what is
 * complete, or has none, comes out unchanged.
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { finishChecksum } from '../../src/datapath/segment.js';
import { markUnfinished } from '../../src/datapath/unfinished-checksum.js';
import { VNET_FLAGS } from '../../src/datapath/vlan-edit.js';
import { finishSum, pseudoSum4, pseudoSum6 } from '../../src/packet/checksum.js';
import {
  type EthFields,
  ethFrame,
  ipv4Packet,
  ipv6Packet,
  tcpSegment,
  udpSegment,
  withTransportChecksum,
} from '../support/frame-builder.js';

const HEADROOM = 64;

const word = fc.integer({ min: 0, max: 0xffffffff });
const bytes16 = fc.uint8Array({ minLength: 16, maxLength: 16 });
const port = fc.integer({ min: 0, max: 0xffff });
const cases = fc.record({
  tags: fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 2 }),
  tcp: fc.boolean(),
  v4: fc.boolean(),
  src: word,
  dst: word,
  src6: bytes16,
  dst6: bytes16,
  options: fc.constantFrom(0, 4, 40),
  ports: fc.tuple(port, port),
  payload: fc.uint8Array({ maxLength: 300 }),
});
type Case = typeof cases extends fc.Arbitrary<infer T> ? T : never;

/** A frame with complete checksums, and where its parts begin. */
function build(c: Case) {
  const { tcp, v4 } = c;
  const [from, to] = c.ports;
  const segment = tcp ? tcpSegment(from, to, 0x18, c.payload) : udpSegment(from, to, c.payload);
  const protocol = tcp ? 6 : 17;
  const ip = v4
    ? ipv4Packet(
        { src: c.src, dst: c.dst, protocol, options: new Uint8Array(c.options).fill(1) },
        segment,
      )
    : ipv6Packet({ src: c.src6, dst: c.dst6, nextHeader: protocol }, segment);
  const mac = Uint8Array.of(2, 0, 0, 0, 0, 1);
  const eth: EthFields = { dst: mac, src: mac, vlans: c.tags.map((tci) => ({ tci })) };
  const frame = ethFrame(eth, v4 ? 0x0800 : 0x86dd, withTransportChecksum(ip));
  const l3 = 14 + 4 * c.tags.length;
  const l4 = l3 + (v4 ? 20 + c.options : 40);
  return { frame, l3, l4, field: l4 + (tcp ? 16 : 6), protocol, length: segment.length };
}

/** Frame behind headroom, marked; then finished, as whoever sends it does. */
function finished(frame: Uint8Array): { marked: boolean; frame: Uint8Array } {
  const memory = new Uint8Array(HEADROOM + frame.length);
  memory.set(frame, HEADROOM);
  const view = new DataView(memory.buffer);
  markUnfinished(view, HEADROOM, frame.length);
  const marked = view.getUint8(HEADROOM + VNET_FLAGS) !== 0;
  if (marked) finishChecksum(view, HEADROOM, frame.length, HEADROOM, frame.length);
  return { marked, frame: memory.slice(HEADROOM) };
}

it('finishes what a host left to its device', () => {
  fc.assert(
    fc.property(cases, (c) => {
      const { frame, l3, field, protocol, length } = build(c);
      const unfinished = frame.slice();
      const view = new DataView(unfinished.buffer);
      const sum = (c.v4 ? pseudoSum4 : pseudoSum6)(view, l3, protocol, length);
      view.setUint16(field, finishSum(sum) ^ 0xffff);
      const result = finished(unfinished);
      expect(result.marked).toBe(true);
      expect(equalChecksums(result.frame, frame, field)).toBe(true);
    }),
  );
});

it('leaves what is complete as it is', () => {
  fc.assert(
    fc.property(cases, (c) => {
      const { frame, field } = build(c);
      expect(equalChecksums(finished(frame).frame, frame, field)).toBe(true);
    }),
  );
});

it('does not mark other frames, nor those that end early or are fragments', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 14, maxLength: 90 }), (noise) => {
      const type = (noise[12] << 8) | noise[13];
      fc.pre(![0x0800, 0x86dd, 0x8100, 0x88a8].includes(type));
      expect(finished(noise)).toEqual({ marked: false, frame: noise });
    }),
  );
  fc.assert(
    fc.property(cases, fc.nat({ max: 400 }), (c, cut) => {
      const { frame, field } = build(c);
      const short = frame.slice(0, Math.max(14, Math.min(frame.length, cut)));
      if (short.length < field + 2) expect(finished(short).marked).toBe(false);
    }),
  );
  const segment = tcpSegment(1, 2, 0x10, new Uint8Array(40));
  const packet = ipv4Packet({ src: 1, dst: 2, protocol: 6, frag: 0x2000 }, segment);
  const view = new DataView(packet.buffer);
  view.setUint16(20 + 16, finishSum(pseudoSum4(view, 0, 6, segment.length)) ^ 0xffff);
  const mac = new Uint8Array(6);
  expect(finished(ethFrame({ dst: mac, src: mac }, 0x0800, packet)).marked).toBe(false);
});

/** Equal but for 0 and 0xffff, which are the same number in a checksum. */
function equalChecksums(one: Uint8Array, other: Uint8Array, field: number): boolean {
  const bytes = (frame: Uint8Array) => {
    const copy = frame.slice();
    if (copy[field] === 0xff && copy[field + 1] === 0xff) copy.fill(0, field, field + 2);
    return Buffer.from(copy).toString('hex');
  };
  return bytes(one) === bytes(other);
}
