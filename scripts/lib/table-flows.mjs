/**
 * Flows for benchmarks of tables, and a packet that matches one.
 *
 *     exact:   in_port, protocol, both addresses, both ports
 *     masked:  in_port, protocol, prefixes of both addresses; every mask has a priority of its own
 */

/** Source prefixes come in ten lengths, destination prefixes too: a hundred masks. */
const LENGTHS = 10;
const LENGTH_MAX = 32;

/** Spreads consecutive numbers over all 32 bits; different ones stay different. */
const spread = (i) => Math.imul(i + 1, 0x9e3779b1) >>> 0;

export function exactFlow(i) {
  const srcPort = 1024 + (i % 60_000);
  return {
    src: spread(i),
    dst: (0x0a000000 + i) >>> 0,
    srcBits: LENGTH_MAX,
    dstBits: LENGTH_MAX,
    ports: [srcPort, 80],
    priority: 100,
  };
}

/** Flow `i` of a table with that many masks. */
export function maskedFlow(i, masks) {
  const mask = i % masks;
  const srcBits = LENGTH_MAX - (mask % LENGTHS);
  const dstBits = LENGTH_MAX - Math.floor(mask / LENGTHS);
  const n = Math.floor(i / masks);
  // Both prefixes differ between the flows of a mask, and masks do not shadow each other.
  const src = (((mask << 25) ^ (n << LENGTHS)) & prefix(srcBits)) >>> 0;
  const dst = (((mask << 25) ^ (spread(n) & 0x01fffc00)) & prefix(dstBits)) >>> 0;
  return { src, dst, srcBits, dstBits, ports: null, priority: 100 + mask };
}

function prefix(bits) {
  return bits === LENGTH_MAX ? -1 : ~(-1 >>> bits);
}

function address(n) {
  return `${n >>> 24}.${(n >>> 16) & 255}.${(n >>> 8) & 255}.${n & 255}`;
}

/** Text for ovs-ofctl add-flows, in pieces. */
export function* flowLines(count, flow, extra) {
  let piece = '';
  for (let i = 0; i < count; i++) {
    const { src, dst, srcBits, dstBits, ports, priority } = flow(i);
    const addresses = `nw_src=${address(src)}/${srcBits},nw_dst=${address(dst)}/${dstBits}`;
    const l4 = ports === null ? '' : `tp_src=${ports[0]},tp_dst=${ports[1]},`;
    piece += `${extra}priority=${priority},in_port=1,tcp,${addresses},${l4}actions=output:2\n`;
    if (piece.length < 1 << 20) continue;
    yield piece;
    piece = '';
  }
  yield piece;
}

/** A TCP packet, in hexadecimal digits. */
export function packetOf({ src, dst, ports }) {
  const bytes = Buffer.alloc(60);
  bytes.write('020000000001020000000002080045000028', 'hex');
  bytes.writeUInt8(64, 22);
  bytes.writeUInt8(6, 23);
  bytes.writeUInt32BE(src, 26);
  bytes.writeUInt32BE(dst, 30);
  const [tpSrc, tpDst] = ports ?? [1000, 80];
  bytes.writeUInt16BE(tpSrc, 34);
  bytes.writeUInt16BE(tpDst, 36);
  bytes.writeUInt16BE(0x5010, 46);
  let sum = 0;
  for (let at = 14; at < 34; at += 2) sum += bytes.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  bytes.writeUInt16BE(~sum & 0xffff, 24);
  return bytes.toString('hex');
}
