/**
 * Compiled actions against a naive model: immutable byte arrays, every list run as written,
 * checksums from scratch. Outputs are compared per port, in order.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { OdpAction, OdpSetAttr } from '../../src/datapath/odp-actions.js';
import { addToSum, pseudoSum4, pseudoSum6 } from '../../src/packet/checksum.js';
import { newFlow } from '../../src/packet/flow-layout.js';
import {
  arpFrame,
  concatBytes,
  ethFrame,
  icmpSegment,
  ipv4Packet,
  ipv6Packet,
  tcpSegment,
  udpSegment,
  withTransportChecksum,
} from '../support/frame-builder.js';
import { EngineFixture } from '../unit/datapath/engine-fixture.js';
import { anyFrame, soundFrame } from './datapath-frames.js';

type Set = Extract<OdpAction, { type: 'set' }>;

function set(attr: OdpSetAttr, words: [number, number, number][]): Set {
  const value = newFlow();
  const mask = newFlow();
  for (const [word, v, m] of words) {
    value[word] = v;
    mask[word] = m;
  }
  return { type: 'set', attr, value, mask };
}

const word = fc.integer();
const mask = fc.oneof(fc.constant(-1), fc.constant(0), fc.integer());
const setOf = (attr: OdpSetAttr, words: number[], keep = -1) =>
  fc.array(fc.tuple(word, mask), { minLength: words.length, maxLength: words.length }).map((list) =>
    set(
      attr,
      list.map(([v, m], i) => [words[i], v, m & keep]),
    ),
  );

/** Sets bits of the big-endian 32-bit word at `at`. */
function put32(bytes: Uint8Array, at: number, value: number, bits: number): Uint8Array {
  const out = bytes.slice();
  const view = new DataView(out.buffer);
  view.setInt32(at, (view.getInt32(at) & ~bits) | (value & bits));
  return out;
}

const tagged = (f: Uint8Array) => [0x8100, 0x88a8].includes(f[12] * 256 + f[13]) && f.length >= 18;

/** The model of layer 2 actions: what is sent, as 'port: hexadecimal'. */
function run(frame: Uint8Array, actions: readonly OdpAction[], out: string[], trunc = 0): void {
  for (const a of actions) {
    if (a.type === 'output') {
      const sent = trunc > 0 ? frame.subarray(0, Math.max(trunc, 14)) : frame;
      out.push(`${a.port}: ${Buffer.from(sent).toString('hex')}`);
      trunc = 0;
    } else if (a.type === 'push_vlan') {
      const tag = [a.tpid >>> 8, a.tpid & 255, (a.tci >>> 8) & 0xef, a.tci & 255];
      frame = concatBytes(frame.subarray(0, 12), tag, frame.subarray(12));
    } else if (a.type === 'pop_vlan') {
      if (tagged(frame)) frame = concatBytes(frame.subarray(0, 12), frame.subarray(16));
    } else if (a.type === 'trunc') {
      trunc = a.maxLen;
    } else if (a.type === 'clone') {
      run(frame, a.actions, out, trunc);
    } else if (a.type === 'sample') {
      if (a.probability === 0xffffffff) run(frame, a.actions, out, trunc);
    } else if (a.type === 'check_pkt_len') {
      run(frame, frame.length > a.size ? a.greater : a.lessEqual, out, trunc);
    } else if (a.type === 'set' && a.attr === 'eth') {
      for (let i = 0; i < 3; i++) {
        frame = put32(frame, 4 * i, a.value[2 + i], a.mask[2 + i]);
      }
    } else if (a.type === 'set' && a.attr === 'vlan') {
      if (tagged(frame)) frame = put32(frame, 12, a.value[5], a.mask[5] & ~0x1000);
    }
  }
}

const { list: layer2 } = fc.letrec<{ list: OdpAction[]; action: OdpAction }>((tie) => ({
  list: fc.array(tie('action'), { maxLength: 6 }),
  action: fc.oneof(
    { depthSize: 'small' },
    fc.record({ type: fc.constant('output' as const), port: fc.integer({ min: 1, max: 4 }) }),
    fc.record({ type: fc.constant('output' as const), port: fc.integer({ min: 1, max: 4 }) }),
    fc.record({
      type: fc.constant('push_vlan' as const),
      tpid: fc.constantFrom(0x8100, 0x88a8),
      tci: fc.nat(0xffff),
    }),
    fc.constant({ type: 'pop_vlan' as const }),
    setOf('eth', [2, 3, 4]),
    fc.nat(0xffff).map((tci) => set('vlan', [[5, tci, 0xefff]])),
    fc.record({ type: fc.constant('trunc' as const), maxLen: fc.integer({ min: 14, max: 80 }) }),
    fc.record({ type: fc.constant('clone' as const), actions: tie('list') }),
    fc.record({
      type: fc.constant('sample' as const),
      probability: fc.constantFrom(0, 0xffffffff),
      actions: tie('list'),
    }),
    fc.record({
      type: fc.constant('check_pkt_len' as const),
      size: fc.integer({ min: 14, max: 100 }),
      greater: tie('list'),
      lessEqual: tie('list'),
    }),
  ),
}));

function sentText(fixture: EngineFixture): string[] {
  return fixture.sent.map((s) => `${s.port}: ${Buffer.from(s.frame).toString('hex')}`).sort();
}

describe('layer 2 actions', () => {
  it('send what the naive model sends, however they nest', () => {
    const fixture = new EngineFixture();
    fc.assert(
      fc.property(soundFrame, layer2, (frame, actions) => {
        const wanted: string[] = [];
        run(frame, actions, wanted);
        fixture.run(frame, actions);
        expect(sentText(fixture)).toEqual(wanted.sort());
      }),
      { numRuns: 3000 },
    );
  });

  it('do so when copies run out of space in the middle of a packet', () => {
    // Room for a few frames only; a megabyte-sized nest of copies must go through it.
    const fixture = new EngineFixture({ rxBytes: 1 << 17, copyHalfBytes: 2048 });
    fc.assert(
      fc.property(soundFrame, fc.array(layer2, { maxLength: 6 }), (frame, lists) => {
        const actions: OdpAction[] = lists.map((l) => ({ type: 'clone', actions: l }));
        actions.push({ type: 'output', port: 1 });
        const wanted: string[] = [];
        run(frame, actions, wanted);
        fixture.run(frame, actions);
        expect(sentText(fixture)).toEqual(wanted.sort());
      }),
      { numRuns: 1000 },
    );
  });
});

const octets = (n: number) => fc.uint8Array({ minLength: n, maxLength: n });
const body = fc.uint8Array({ maxLength: 33 });
const tags = fc.array(fc.record({ tci: fc.nat(0xffff) }), { maxLength: 2 });

/** Unfragmented packets with complete headers: [version, protocol, segment]. */
const plainSegment = fc.oneof(
  fc.tuple(fc.nat(65_535), fc.nat(65_535), body).map(([s, d, p]) => ({
    protocol: 17,
    segment: udpSegment(s, d, p),
  })),
  fc.tuple(fc.nat(65_535), fc.nat(65_535), body).map(([s, d, p]) => ({
    protocol: 6,
    segment: tcpSegment(s, d, 0x10, p),
  })),
  fc.tuple(fc.nat(255), fc.nat(255), body, fc.boolean()).map(([t, c, p, six]) => ({
    protocol: six ? 58 : 1,
    segment: icmpSegment(t, c, 7, p),
  })),
);
interface Plain {
  vlans: { tci: number }[];
  six: boolean;
  src: Uint8Array;
  dst: Uint8Array;
  protocol: number;
  segment: Uint8Array;
}
const plain: fc.Arbitrary<Plain> = fc
  .record({ vlans: tags, six: fc.boolean(), src: octets(16), dst: octets(16), body: plainSegment })
  .map(({ body: { protocol, segment }, ...p }) => {
    // ICMP belongs to IPv4, ICMPv6 to IPv6.
    const six = protocol === 58 ? true : protocol === 1 ? false : p.six;
    return { ...p, six, protocol, segment };
  });

const MAC = Uint8Array.of(2, 0, 0, 0, 0, 1);
const be32At = (bytes: Uint8Array, at: number) => new DataView(bytes.buffer).getInt32(at);

function packetOf(p: Plain): Uint8Array {
  const packet = p.six
    ? ipv6Packet({ src: p.src, dst: p.dst, nextHeader: p.protocol }, p.segment)
    : ipv4Packet({ src: be32At(p.src, 0), dst: be32At(p.dst, 0), protocol: p.protocol }, p.segment);
  return withTransportChecksum(packet);
}
const frameOf = (p: Plain, packet: Uint8Array) =>
  ethFrame({ dst: MAC, src: MAC, vlans: p.vlans }, p.six ? 0x86dd : 0x0800, packet);

const NAMES: Record<number, OdpSetAttr> = { 1: 'icmp', 6: 'tcp', 17: 'udp', 58: 'icmpv6' };
const layer3 = fc.oneof(
  setOf('ipv4', [8, 9, 10], -1),
  setOf('ipv6', [8, 21, 13, 14, 15, 16, 17, 18, 19, 20]),
  fc.constantFrom(1, 6, 17, 58).chain((n) => setOf(NAMES[n], [11])),
);

/** The model: sets bytes of an IP packet, checksums afterwards. */
function applySet(p: Plain, packet: Uint8Array, a: Set): Uint8Array {
  const l4 = p.six ? 40 : 20;
  const put = (at: number, w: number, shiftLeft = 0, bits = -1) => {
    packet = put32(packet, at, a.value[w] << shiftLeft, (a.mask[w] << shiftLeft) & bits);
  };
  if (a.attr === 'ipv4' && !p.six) {
    put(12, 9);
    put(16, 10);
    put(0, 8, 0, 0x00ff0000);
    packet = put32(packet, 8, a.value[8] << 16, (a.mask[8] << 16) & 0xff000000);
    packet[10] = packet[11] = 0;
    const sum = ~addToSum(new DataView(packet.buffer), 0, 20) & 0xffff;
    packet[10] = sum >>> 8;
    packet[11] = sum & 255;
  } else if (a.attr === 'ipv6' && p.six) {
    for (let i = 0; i < 8; i++) put(8 + 4 * i, 13 + i);
    put(0, 8, 4, 0x0ff00000);
    put(0, 21, 0, 0xfffff);
    packet = put32(packet, 4, a.value[8] >>> 8, (a.mask[8] >>> 8) & 0xff);
  } else if (a.attr === NAMES[p.protocol]) {
    if (p.protocol === 1 || p.protocol === 58) {
      put(l4, 11, 8, 0xff000000 | 0);
      put(l4, 11, 16, 0x00ff0000);
    } else {
      put(l4, 11);
    }
  }
  return withTransportChecksum(packet);
}

describe('header changes', () => {
  it('leave the bytes and checksums that a rebuilt packet has', () => {
    const fixture = new EngineFixture();
    fc.assert(
      fc.property(plain, fc.array(layer3, { maxLength: 3 }), (p, sets) => {
        let packet = packetOf(p);
        const before = frameOf(p, packet);
        for (const s of sets) packet = applySet(p, packet, s);
        const [sent] = fixture.run(before, [...sets, { type: 'output', port: 2 }]);
        expect(Buffer.from(sent.frame).toString('hex')).toBe(
          Buffer.from(frameOf(p, packet)).toString('hex'),
        );
      }),
      { numRuns: 3000 },
    );
  });

  it('leave a checksum that the device completes right when it does', () => {
    const fixture = new EngineFixture();
    const offloaded = plain.filter((p) => p.protocol === 6 || p.protocol === 17);
    const list = fc.array(fc.oneof(layer3, fc.constant({ type: 'pop_vlan' } as OdpAction)), {
      maxLength: 3,
    });
    fc.assert(
      fc.property(offloaded, list, (p, actions) => {
        let packet = packetOf(p);
        const l4 = p.six ? 40 : 20;
        const at = p.protocol === 6 ? 16 : 6;
        const view = new DataView(packet.buffer);
        const pseudo = p.six ? pseudoSum6 : pseudoSum4;
        const partial = packet.slice();
        new DataView(partial.buffer).setUint16(
          l4 + at,
          pseudo(view, 0, p.protocol, packet.length - l4),
        );
        const l3 = 14 + 4 * p.vlans.length;
        const start = l3 + l4;
        const vnet = Uint8Array.of(1, 0, 0, 0, 0, 0, start & 255, start >>> 8, at, 0);
        const wanted = { ...p, vlans: p.vlans.slice() };
        for (const a of actions) {
          if (a.type === 'set') packet = applySet(p, packet, a);
          else wanted.vlans.shift();
        }
        const [sent] = fixture.run(
          frameOf(p, partial),
          [...actions, { type: 'push_vlan', tpid: 0x8100, tci: 9 }, { type: 'output', port: 2 }],
          vnet,
        );
        // What a device does with NEEDS_CSUM.
        const device = new DataView(sent.vnet.buffer);
        const csumStart = device.getUint16(6, true);
        const out = new DataView(sent.frame.buffer);
        const sum = ~addToSum(out, csumStart, sent.frame.length - csumStart) & 0xffff;
        out.setUint16(
          csumStart + device.getUint16(8, true),
          p.protocol === 17 && !sum ? 0xffff : sum,
        );
        wanted.vlans.unshift({ tci: 9 });
        expect(Buffer.from(sent.frame).toString('hex')).toBe(
          Buffer.from(frameOf(wanted, packet)).toString('hex'),
        );
      }),
      { numRuns: 2000 },
    );
  });

  it('set every field of ARP', () => {
    const fixture = new EngineFixture();
    const fields = fc.record({
      op: fc.constantFrom(1, 2, 0x101),
      sha: octets(6),
      spa: word,
      tha: octets(6),
      tpa: word,
    });
    fc.assert(
      fc.property(fields, setOf('arp', [8, 9, 10, 26, 27, 28]), (f, a) => {
        const arp = arpFrame({ dst: MAC, src: MAC }, f);
        let wanted = put32(arp, 18, a.value[8] >>> 24, a.mask[8] >>> 24);
        // Opcode: the low byte of the half at 20, that is of the word at 18.
        wanted = put32(wanted, 28, a.value[9], a.mask[9]);
        wanted = put32(wanted, 38, a.value[10], a.mask[10]);
        wanted = put32(wanted, 22, a.value[26], a.mask[26]);
        wanted = put32(wanted, 24, a.value[27] >>> 16, a.mask[27] >>> 16);
        wanted = put32(wanted, 30, a.value[27], a.mask[27] & 0xffff);
        wanted = put32(wanted, 34, a.value[28], a.mask[28]);
        const [sent] = fixture.run(arp, [a, { type: 'output', port: 3 }]);
        expect(Buffer.from(sent.frame).toString('hex')).toBe(Buffer.from(wanted).toString('hex'));
      }),
    );
  });

  it('set every field of a neighbour solicitation, with its checksum', () => {
    const fixture = new EngineFixture();
    fc.assert(
      fc.property(
        octets(16),
        octets(6),
        fc.constantFrom(1, 2),
        setOf('nd', [22, 23, 24, 25, 26, 27, 28]),
        (target, address, option, a) => {
          const ip = { src: octetsOf(1), dst: octetsOf(2), nextHeader: 58 };
          const make = (t: Uint8Array, m: Uint8Array) =>
            ethFrame(
              { dst: MAC, src: MAC },
              0x86dd,
              withTransportChecksum(
                ipv6Packet(ip, icmpSegment(135, 0, 0, concatBytes(t, [option, 1], m))),
              ),
            );
          let wantedTarget: Uint8Array = target;
          for (let i = 0; i < 4; i++) {
            wantedTarget = put32(wantedTarget, 4 * i, a.value[22 + i], a.mask[22 + i]);
          }
          let pad = concatBytes([0, 0], address);
          if (option === 1) {
            pad = put32(pad, 2, a.value[26], a.mask[26]);
            pad = put32(pad, 4, a.value[27] >>> 16, a.mask[27] >>> 16);
          } else {
            pad = put32(pad, 0, a.value[27], a.mask[27] & 0xffff);
            pad = put32(pad, 4, a.value[28], a.mask[28]);
          }
          const [sent] = fixture.run(make(target, address), [a, { type: 'output', port: 3 }]);
          expect(Buffer.from(sent.frame).toString('hex')).toBe(
            Buffer.from(make(wantedTarget, pad.subarray(2))).toString('hex'),
          );
        },
      ),
    );
  });
});

describe('any action on any frame', () => {
  it('writes nowhere but in the frame and its headroom, and sends no other length', () => {
    const canary = 0xa5;
    const fixture = new EngineFixture();
    const { u8 } = fixture.memory;
    const sets = fc.oneof(
      layer3,
      setOf('arp', [8, 9, 10, 26, 27, 28]),
      setOf('nd', [22, 23, 24, 25, 26, 27, 28]),
      setOf('sctp', [11]),
      setOf('eth', [2, 3, 4]),
      setOf('vlan', [5]),
      fc.constant<OdpAction>({ type: 'hash', algorithm: 'sym_l4', basis: 1 }),
    );
    const vnet = fc.uint8Array({ minLength: 10, maxLength: 10 });
    fc.assert(
      fc.property(anyFrame, fc.array(sets, { maxLength: 5 }), vnet, (frame, actions, header) => {
        u8.fill(canary, 0, 512);
        const off = 64;
        fixture.sent.length = 0;
        fixture.flow(0, newFlow(), newFlow(), [...actions, { type: 'output', port: 1 }]);
        u8.set(header, off - 10);
        u8.set(frame, off);
        fixture.engine.receive(off, frame.length, 1, 0);
        fixture.engine.endBatch();
        fixture.engine.flowDel(0);
        expect(fixture.sent[0].frame.length).toBe(frame.length);
        expect(u8.subarray(0, off - 10).every((b) => b === canary)).toBe(true);
        expect(u8.subarray(off + frame.length, 512).every((b) => b === canary)).toBe(true);
      }),
      { numRuns: 3000 },
    );
  });
});

function octetsOf(n: number): Uint8Array {
  return Uint8Array.from({ length: 16 }, (_, i) => (i === 15 ? n : 0xfd));
}
