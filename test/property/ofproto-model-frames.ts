/**
 * Random frames for the property of ofproto-model.test.ts: sound ones of every kind that the model
 * knows, in few values, so that entries and packets meet.
 */
import fc from 'fast-check';
import { completeChecksums } from '../support/openflow-model/frame.js';

export const macs = [0x505400000001n, 0x505400000002n, 0x505400000003n];
const mac = fc.constantFrom(...macs);
const dst = fc.constantFrom(...macs, 0xffffffffffffn, 0x01005e000001n);
const ip4 = fc.constantFrom(0x0a000001n, 0x0a000002n, 0x0a000102n);
const ip6 = fc.constantFrom(1n, 2n, 0x10002n).map((n) => (0xfdn << 120n) | n);
const tpPort = fc.constantFrom(53n, 80n, 1024n);

/** A number's bytes, the highest first. */
export function be(value: bigint | number, bytes: number): number[] {
  return Array.from({ length: bytes }, (_, i) =>
    Number((BigInt(value) >> BigInt(8 * (bytes - 1 - i))) & 255n),
  );
}

const segment = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.tuple(tpPort, tpPort, fc.constantFrom(2, 0x10, 0x11)).map(([s, d, flags]) => ({
      proto: [6, 6],
      body: [...be(s, 2), ...be(d, 2), ...be(7, 4), ...be(9, 4), 0x50, flags, 1, 0, 0, 0, 0, 0, 5],
    })),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(tpPort, tpPort).map(([s, d]) => ({
      proto: [17, 17],
      body: [...be(s, 2), ...be(d, 2), 0, 14, 0, 0, 1, 2, 3, 4, 5, 6],
    })),
  },
  fc.tuple(tpPort, tpPort).map(([s, d]) => ({
    proto: [132, 132],
    body: [...be(s, 2), ...be(d, 2), 0, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4],
  })),
  fc.constantFrom(8, 0, 3).map((type) => ({
    proto: [1, 58],
    body: [type === 3 ? 128 : type, 0, 0, 0, 1, 2, 3, 4, 5],
  })),
  fc.constant({ proto: [47, 47], body: [0, 0, 8, 0] }),
);

const network4 = fc
  .record({
    src: ip4,
    dst: ip4,
    tos: fc.constantFrom(0, 0x20, 0x29),
    ttl: fc.constantFrom(1, 2, 64),
    frag: fc.constantFrom(0, 0, 0, 0x4000, 0x2000, 0x0010),
    segment,
  })
  .map((p) => ({
    type: 0x0800,
    body: [
      ...[0x45, p.tos, ...be(20 + p.segment.body.length, 2), 0, 9, ...be(p.frag, 2)],
      ...[p.ttl, p.segment.proto[0], 0, 0, ...be(p.src, 4), ...be(p.dst, 4), ...p.segment.body],
    ],
  }));
const network6 = fc
  .record({ src: ip6, dst: ip6, head: fc.constantFrom(0, 0x02000003), segment, hop: fc.nat(3) })
  .map((p) => ({
    type: 0x86dd,
    body: [
      ...[...be(0x60000000 + p.head, 4), ...be(p.segment.body.length, 2), p.segment.proto[1]],
      ...[p.hop, ...be(p.src, 16), ...be(p.dst, 16), ...p.segment.body],
    ],
  }));
const networkArp = fc
  .record({ op: fc.constantFrom(1, 2), spa: ip4, tpa: ip4, sha: mac, tha: mac })
  .map((p) => ({
    type: 0x0806,
    body: [
      ...[0, 1, 8, 0, 6, 4, ...be(p.op, 2)],
      ...[...be(p.sha, 6), ...be(p.spa, 4), ...be(p.tha, 6), ...be(p.tpa, 4)],
    ],
  }));
const networkOther = fc.constant({ type: 0x88b5, body: [1, 2, 3, 4] });
const network = fc.oneof(
  { weight: 5, arbitrary: network4 },
  { weight: 2, arbitrary: network6 },
  { weight: 1, arbitrary: networkArp },
  { weight: 1, arbitrary: networkOther },
);

const label = fc
  .record({ label: fc.constantFrom(16, 77), tc: fc.nat(1), ttl: fc.constantFrom(1, 9) })
  .map((l) => l.label * 0x1000 + l.tc * 0x200 + l.ttl);
const tag = fc
  .record({ tpid: fc.constantFrom(0x8100, 0x8100, 0x88a8), vid: fc.constantFrom(0, 10, 20) })
  .chain((t) =>
    fc.constantFrom(0, 3).map((pcp) => [...be(t.tpid, 2), ...be(pcp * 8192 + t.vid, 2)]),
  );

/** A frame with right checksums. */
export const arbFrame: fc.Arbitrary<Uint8Array> = fc
  .record({
    dst,
    src: mac,
    tags: fc.oneof(
      { weight: 3, arbitrary: fc.constant<number[][]>([]) },
      { weight: 2, arbitrary: fc.array(tag, { maxLength: 2 }) },
    ),
    labels: fc.oneof(
      { weight: 4, arbitrary: fc.constant<number[]>([]) },
      { weight: 1, arbitrary: fc.array(label, { maxLength: 2 }) },
    ),
    network,
    pad: fc.constantFrom(0, 0, 7, 60),
  })
  .map((p) => {
    const head = [...be(p.dst, 6), ...be(p.src, 6), ...p.tags.flat()];
    const inner = [...p.network.body, ...new Array<number>(p.pad).fill(0)];
    // Checksums are made before the labels hide what they are in.
    const plain = Uint8Array.from([...head, ...be(p.network.type, 2), ...inner]);
    completeChecksums(plain);
    if (p.labels.length === 0) return plain;
    const stack = p.labels.flatMap((lse, i) => be(lse + (i + 1 === p.labels.length ? 256 : 0), 4));
    return Uint8Array.from([...head, 0x88, 0x47, ...stack, ...plain.subarray(head.length + 2)]);
  });
