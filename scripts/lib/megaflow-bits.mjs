/**
 * How many bits of a packet a megaflow compares, from its line in `dpctl/dump-flows -m`.
 *
 *     eth(src=50:54:00:00:00:01,dst=50:54:00:00:00:02/01:00:00:00:00:00)      48 + 1
 *     ipv4(src=10.0.0.0/255.0.0.0,proto=6,frag=no)                            8 + 8 + 2
 */

/** Bits of fields that have no mask in the text, or one that says nothing of the width. */
const WIDTHS = {
  ...{ recirc_id: 32, dp_hash: 32, in_port: 32, skb_priority: 32, skb_mark: 32, eth_type: 16 },
  ...{ 'eth.src': 48, 'eth.dst': 48, 'vlan.vid': 12, 'vlan.pcp': 3, 'vlan.cfi': 1, 'vlan.tci': 16 },
  ...{
    'ipv4.src': 32,
    'ipv4.dst': 32,
    'ipv4.proto': 8,
    'ipv4.tos': 8,
    'ipv4.ttl': 8,
    'ipv4.frag': 2,
  },
  ...{ 'ipv6.src': 128, 'ipv6.dst': 128, 'ipv6.label': 20, 'ipv6.proto': 8, 'ipv6.tclass': 8 },
  ...{
    'ipv6.hlimit': 8,
    'ipv6.frag': 2,
    'tcp.src': 16,
    'tcp.dst': 16,
    'udp.src': 16,
    'udp.dst': 16,
  },
  ...{ tcp_flags: 12, 'icmp.type': 8, 'icmp.code': 8, 'icmpv6.type': 8, 'icmpv6.code': 8 },
  ...{ 'arp.sip': 32, 'arp.tip': 32, 'arp.op': 16, 'arp.sha': 48, 'arp.tha': 48 },
};
/** Of every packet in the comparison the same, and always compared: they say nothing. */
const LEFT_OUT = new Set(['packet_type', 'ct_state', 'ct_zone', 'ct_mark', 'ct_label']);

const ones = (value) => value.toString(2).replaceAll('0', '').length;

function maskBits(mask) {
  if (mask.includes('.')) return ones(mask.split('.').reduce((n, b) => n * 256n + BigInt(b), 0n));
  if (/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mask))
    return ones(BigInt(`0x${mask.replaceAll(':', '')}`));
  if (mask.includes(':')) return ones(address6(mask));
  return ones(BigInt(mask));
}

function address6(text) {
  const [head, tail] = text.split('::');
  const words = (part) => (part ? part.split(':') : []);
  const [first, last] = [words(head), words(tail)];
  const zeros = tail === undefined ? 0 : 8 - first.length - last.length;
  const all = [...first, ...new Array(zeros).fill('0'), ...last];
  return all.reduce((n, word) => n * 65_536n + BigInt(`0x${word}`), 0n);
}

function fieldBits(name, text) {
  const [, mask] = text.split('/');
  if (mask !== undefined) return maskBits(mask);
  if (!(name in WIDTHS)) throw new Error(`unknown field ${name} in a megaflow`);
  return WIDTHS[name];
}

/** @param line of `dpctl/dump-flows -m` */
export function bitsOf(line) {
  const key = line.replace(/^ufid:\S+\s*/, '').replace(/, packets:.*$/, '');
  let bits = 0;
  // encap( ... ) stands around what is behind a tag.
  for (const [, name, body] of key.replaceAll('encap(', '').matchAll(/([a-z0-9_]+)\(([^()]*)\)/g)) {
    if (LEFT_OUT.has(name)) continue;
    for (const part of body.split(',')) {
      const [left, right] = part.split('=');
      bits += right === undefined ? fieldBits(name, left) : fieldBits(`${name}.${left}`, right);
    }
  }
  return bits;
}
