/**
 * Arbitrary frames: well-formed ones of every kind that the extractor knows, then damaged: cut,
 * padded, single bytes changed.
 */
import fc from 'fast-check';
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

const bytes = (n: number) => fc.uint8Array({ minLength: n, maxLength: n });
/** Few values, so that flows and packets meet. */
const mac = fc
  .constantFrom(1, 2, 3, 0xff)
  .map((n) => Uint8Array.of(n === 0xff ? 0xff : 2, 0, 0, 0, n, n));
const address4 = fc.constantFrom(0x0a000001, 0x0a000002, 0x0a000102, -1);
const address6 = fc
  .constantFrom(1, 2, 3)
  .map((n) => Uint8Array.from({ length: 16 }, (_, i) => (i === 15 ? n : i === 0 ? 0xfd : 0)));
const port = fc.constantFrom(53, 80, 4789, 65_535);
const tag = fc.record({ tpid: fc.constantFrom(0x8100, 0x88a8), tci: fc.nat(0xffff) });
const payload = fc.uint8Array({ maxLength: 40 });

const ndOption = fc
  .record({ type: fc.constantFrom(1, 2, 5), units: fc.constantFrom(1, 1, 1, 0, 2), mac: bytes(6) })
  .map((o) => concatBytes([o.type, o.units], o.mac));
const nd = fc
  .record({
    type: fc.constantFrom(135, 136),
    code: fc.constantFrom(0, 0, 0, 1),
    rest: fc.integer(),
    target: bytes(16),
    options: fc.array(ndOption, { maxLength: 3 }),
  })
  .map((n) => icmpSegment(n.type, n.code, n.rest, concatBytes(n.target, ...n.options)));

/** [protocol for IPv4, protocol for IPv6, segment] */
const segment = fc.oneof(
  fc.tuple(port, port, payload).map(([s, d, p]) => [17, 17, udpSegment(s, d, p)] as const),
  fc
    .tuple(port, port, fc.nat(0xfff), payload)
    .map(([s, d, f, p]) => [6, 6, tcpSegment(s, d, f, p)] as const),
  fc
    .tuple(fc.nat(255), fc.nat(255), fc.integer(), payload)
    .map(([t, c, r, p]) => [1, 58, icmpSegment(t, c, r, p)] as const),
  nd.map((n) => [58, 58, n] as const),
  fc
    .tuple(port, port, payload)
    .map(([s, d, p]) => [132, 132, concatBytes(udpSegment(s, d, p), new Uint8Array(4))] as const),
  payload.map((p) => [2, 47, icmpSegment(0x16, 0, 0x0e000001, p)] as const),
);

const ipv4 = fc
  .record({
    src: address4,
    dst: address4,
    tos: fc.nat(255),
    ttl: fc.nat(255),
    frag: fc.constantFrom(0, 0, 0, 0x4000, 0x2000, 0x2001, 5),
    options: fc.constantFrom(0, 0, 4, 12).map((n) => new Uint8Array(n).fill(1)),
    segment,
    pad: fc.nat(6),
  })
  .map(({ segment: [protocol, , body], pad, ...ip }) => ({
    type: 0x0800,
    payload: concatBytes(
      withTransportChecksum(ipv4Packet({ ...ip, protocol }, body)),
      new Uint8Array(pad),
    ),
  }));

/** Extension headers: [its number, its bytes without 'next header']. */
const extension = fc.oneof(
  fc
    .tuple(fc.constantFrom(0, 43, 60), fc.nat(1), bytes(14))
    .map(([n, units, b]) => [n, concatBytes([units], b.subarray(0, 6 + 8 * units))] as const),
  fc.constantFrom(0, 1, 8, 0x1234).map((f) => [44, [0, f >>> 8, f & 255, 0, 0, 0, 7]] as const),
  bytes(10).map((b) => [51, concatBytes([1], b)] as const),
);
const ipv6 = fc
  .record({
    src: address6,
    dst: address6,
    trafficClass: fc.nat(255),
    label: fc.nat(0xfffff),
    hopLimit: fc.nat(255),
    segment,
    extensions: fc.oneof(fc.constant([]), fc.array(extension, { maxLength: 3 })),
    pad: fc.nat(6),
  })
  .map(({ segment: [, protocol, body], extensions, pad, ...ip }) => {
    let next: number = protocol;
    let rest: Uint8Array = body;
    for (const [number, header] of extensions) {
      rest = concatBytes([next], header, rest);
      next = number;
    }
    let packet = ipv6Packet({ ...ip, nextHeader: next }, rest);
    if (extensions.length === 0) packet = withTransportChecksum(packet);
    return { type: 0x86dd, payload: concatBytes(packet, new Uint8Array(pad)) };
  });

const arp = fc
  .record({
    op: fc.constantFrom(1, 2, 0x101),
    sha: mac,
    spa: address4,
    tha: mac,
    tpa: address4,
    type: fc.constantFrom(0x0806, 0x8035),
  })
  .map(({ type, ...fields }) => {
    const eth = { dst: fields.sha, src: fields.sha };
    return { type, payload: arpFrame(eth, fields).subarray(14) };
  });

/** NSH, right and wrong: version, length and metadata type may not fit each other. */
const nsh = fc
  .record({
    base: fc.constantFrom(0x0fc6, 0x1246, 0x3fc2, 0x0fc7, 0x4fc6, 0x0fff),
    mdtype: fc.constantFrom(1, 1, 2, 9),
    np: fc.nat(255),
    rest: bytes(20),
    body: payload,
  })
  .map(({ base, mdtype, np, rest, body }) => ({
    type: 0x894f,
    payload: concatBytes([base >>> 8, base & 255, mdtype, np], rest, body),
  }));

const other = fc.oneof(
  nsh,
  payload.map((p) => ({ type: 0x88cc, payload: p })),
  fc.array(bytes(4), { maxLength: 4 }).map((l) => ({ type: 0x8847, payload: concatBytes(...l) })),
  payload.map((p) => ({ type: p.length, payload: concatBytes([0x42, 0x42, 3], p) })),
  fc.tuple(fc.constantFrom(0x0800, 0x0805, 0x10), payload).map(([t, p]) => ({
    type: 100,
    payload: concatBytes([0xaa, 0xaa, 3, 0, 0, 0, t >>> 8, t & 255], p),
  })),
);

/** A frame as it should be: at least 14 bytes. */
export const soundFrame: fc.Arbitrary<Uint8Array> = fc
  .record({
    dst: mac,
    src: mac,
    vlans: fc.oneof(fc.constant([]), fc.array(tag, { maxLength: 3 })),
    body: fc.oneof(ipv4, ipv4, ipv6, ipv6, arp, other),
  })
  .map(({ dst, src, vlans, body }) => ethFrame({ dst, src, vlans }, body.type, body.payload));

/** A frame that may be damaged: cut anywhere, single bytes changed. */
export const anyFrame: fc.Arbitrary<Uint8Array> = fc
  .record({
    frame: soundFrame,
    cut: fc.oneof(fc.constant(0), fc.nat(60)),
    changes: fc.oneof(
      fc.constant([]),
      fc.array(fc.tuple(fc.nat(120), fc.nat(255)), { maxLength: 3 }),
    ),
  })
  .map(({ frame, cut, changes }) => {
    const out = frame.slice(0, Math.max(14, frame.length - cut));
    for (const [at, value] of changes) if (at < out.length) out[at] = value;
    return out;
  });
