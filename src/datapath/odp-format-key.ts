/**
 * Prints megaflow keys in the datapath syntax:
 *     recirc_id(0),in_port(2),packet_type(ns=0,id=0),eth(src=...,dst=...),eth_type(0x0800),
 *     ipv4(frag=no)
 *
 * Attributes come in a fixed order, wholly wildcarded ones only in verbose text. What follows
 * eth_type depends on the key's own types (an ARP key has arp(...), never ipv4(...)).
 */
import {
  ETH_TYPE_ARP,
  ETH_TYPE_IP,
  ETH_TYPE_IPV6,
  ETH_TYPE_MPLS,
  ETH_TYPE_MPLS_MCAST,
  ETH_TYPE_NOT_ETHERNET,
  ETH_TYPE_NSH,
  ETH_TYPE_RARP,
  type FlowWords,
  NW_FRAG_ANY,
  NW_FRAG_LATER,
  W_ARP_SHA,
  W_ARP_SHA_THA,
  W_CT_LABEL,
  W_CT_MARK,
  W_CT_STATE,
  W_DL_DST,
  W_DL_DST_SRC,
  W_DL_TYPE,
  W_DP_HASH,
  W_IN_PORT,
  W_IPV6_DST,
  W_IPV6_LABEL,
  W_IPV6_SRC,
  W_MPLS,
  W_ND_TARGET,
  W_NSH,
  W_NSH_CONTEXT,
  W_NSH_PATH,
  W_NW,
  W_NW_DST,
  W_NW_SRC,
  W_PACKET_TYPE,
  W_PKT_MARK,
  W_RECIRC_ID,
  W_SKB_PRIORITY,
  W_TCP_FLAGS,
  W_TP,
  W_VLAN0,
  W_VLAN1,
} from '../packet/flow-layout.js';
import {
  chomp,
  formatCtStateField,
  formatIpv4,
  formatIpv6,
  formatMac,
  formatMplsLse,
  formatMplsLseMasked,
  formatTcpFlagsField,
  formatVlanTci,
  hex,
  hex4,
  maskedPart,
} from './odp-text.js';

export interface KeyFormatOptions {
  /** Print wildcarded fields too (`dpctl/dump-flows -m`). */
  verbose?: boolean;
  /** Names for in_port and outputs; numbers where it gives none. */
  portName?: (port: number) => string | undefined;
}

/** One key with its mask, and how to print it. */
class KeyText {
  readonly parts: string[] = [];

  constructor(
    readonly key: FlowWords,
    readonly mask: FlowWords,
    readonly verbose: boolean,
  ) {}

  /** Adds `name(text)`; an empty text adds nothing unless verbose. */
  attr(name: string, text: string): void {
    const inner = chomp(text);
    if (inner !== '' || this.verbose) this.parts.push(`${name}(${inner})`);
  }

  bits(
    name: string,
    word: number,
    shift: number,
    width: number,
    print: (v: number) => string,
    printMask?: (v: number) => string,
  ): string {
    const full = width === 32 ? 0xffffffff : 2 ** width - 1;
    const value = (this.key[word] >>> shift) & full;
    const mask = (this.mask[word] >>> shift) & full;
    return maskedPart(name, { value, mask, full }, this.verbose, print, printMask);
  }

  /** A 16- or 32-bit hexadecimal attribute, exact or with its mask. */
  hexAttr(name: string, word: number): void {
    const mask = this.mask[word] >>> 0;
    if (mask === 0 && !this.verbose) return;
    const text = hex(this.key[word]) + (mask === 0xffffffff ? '' : `/${hex(mask)}`);
    this.parts.push(`${name}(${text})`);
  }

  ipv6(name: string, word: number): string {
    const mask = this.mask.subarray(word, word + 4);
    if (mask.every((w) => w === 0) && !this.verbose) return '';
    const exact = mask.every((w) => w === -1);
    const value = formatIpv6(this.key.subarray(word, word + 4));
    return `${name}=${value}${exact ? '' : `/${formatIpv6(mask)}`},`;
  }
}

/** A MAC whose first four bytes are word `word` and whose last two are the top of the next. */
function leadingMac(flow: FlowWords, word: number): Mac {
  const first = flow[word] >>> 0;
  return { hi: first >>> 16, lo: (((first & 0xffff) << 16) | (flow[word + 1] >>> 16)) >>> 0 };
}

/** A MAC whose first two bytes are the bottom of word `word` and whose last four are the next. */
function trailingMac(flow: FlowWords, word: number): Mac {
  return { hi: flow[word] & 0xffff, lo: flow[word + 1] >>> 0 };
}

interface Mac {
  hi: number;
  lo: number;
}

function macPart(
  text: KeyText,
  name: string,
  read: (flow: FlowWords, word: number) => Mac,
  word: number,
): string {
  const value = read(text.key, word);
  const mask = read(text.mask, word);
  if (mask.hi === 0 && mask.lo === 0 && !text.verbose) return '';
  const exact = mask.hi === 0xffff && mask.lo === 0xffffffff;
  const suffix = exact ? '' : `/${formatMac(mask.hi, mask.lo)}`;
  return `${name}=${formatMac(value.hi, value.lo)}${suffix},`;
}

const dec = (v: number): string => String(v);

function formatEthBody(text: KeyText): string {
  return (
    macPart(text, 'src', trailingMac, W_DL_DST_SRC) + macPart(text, 'dst', leadingMac, W_DL_DST)
  );
}

function fragName(bits: number): string {
  if (bits & NW_FRAG_LATER) return 'later';
  return bits & NW_FRAG_ANY ? 'first' : 'no';
}

/** nw_frag prints as one word whenever any of its bits was consulted. */
function fragPart(text: KeyText): string {
  const mask = (text.mask[W_DL_TYPE] >>> 8) & 3;
  return mask === 0 ? '' : `frag=${fragName((text.key[W_DL_TYPE] >>> 8) & 3)},`;
}

function formatIpv4Body(text: KeyText): string {
  return (
    text.bits('src', W_NW_SRC, 0, 32, formatIpv4, formatIpv4) +
    text.bits('dst', W_NW_DST, 0, 32, formatIpv4, formatIpv4) +
    text.bits('proto', W_NW, 24, 8, dec) +
    text.bits('tos', W_NW, 16, 8, hex) +
    text.bits('ttl', W_NW, 8, 8, dec) +
    fragPart(text)
  );
}

function formatIpv6Body(text: KeyText): string {
  return (
    text.ipv6('src', W_IPV6_SRC) +
    text.ipv6('dst', W_IPV6_DST) +
    text.bits('label', W_IPV6_LABEL, 0, 20, hex) +
    text.bits('proto', W_NW, 24, 8, dec) +
    text.bits('tclass', W_NW, 16, 8, hex) +
    text.bits('hlimit', W_NW, 8, 8, dec) +
    fragPart(text)
  );
}

function formatPortsBody(text: KeyText): string {
  return text.bits('src', W_TP, 16, 16, dec) + text.bits('dst', W_TP, 0, 16, dec);
}

function formatIcmpBody(text: KeyText): string {
  return text.bits('type', W_TP, 16, 8, dec) + text.bits('code', W_TP, 0, 8, dec);
}

function formatArpBody(text: KeyText): string {
  return (
    text.bits('sip', W_NW_SRC, 0, 32, formatIpv4, formatIpv4) +
    text.bits('tip', W_NW_DST, 0, 32, formatIpv4, formatIpv4) +
    text.bits('op', W_NW, 24, 8, dec) +
    macPart(text, 'sha', leadingMac, W_ARP_SHA) +
    macPart(text, 'tha', trailingMac, W_ARP_SHA_THA)
  );
}

function formatNdBody(text: KeyText): string {
  return (
    text.ipv6('target', W_ND_TARGET) +
    macPart(text, 'sll', leadingMac, W_ARP_SHA) +
    macPart(text, 'tll', trailingMac, W_ARP_SHA_THA)
  );
}

function formatMplsBody(text: KeyText): string {
  const masks = text.mask.subarray(W_MPLS, W_MPLS + 3);
  const end = masks.indexOf(0);
  const used = end < 0 ? masks : masks.subarray(0, end);
  // One mask that is not exact makes all of them shown.
  const exact = used.every((mask) => mask === -1);
  return Array.from(used, (mask, i) => {
    const lse = text.key[W_MPLS + i];
    return exact ? formatMplsLse(lse) : formatMplsLseMasked(lse, mask);
  }).join(',');
}

function formatNshBody(text: KeyText): string {
  return (
    text.bits('flags', W_NSH, 24, 8, dec) +
    text.bits('ttl', W_NSH, 16, 8, dec) +
    text.bits('mdtype', W_NSH, 8, 8, dec) +
    text.bits('np', W_NSH, 0, 8, dec) +
    text.bits('spi', W_NSH_PATH, 8, 24, hex) +
    text.bits('si', W_NSH_PATH, 0, 8, dec) +
    [1, 2, 3, 4].map((n) => text.bits(`c${n}`, W_NSH_CONTEXT + n - 1, 0, 32, hex)).join('')
  );
}

function formatTransport(text: KeyText, proto: number, ipv6: boolean): void {
  if ((text.key[W_DL_TYPE] >>> 8) & NW_FRAG_LATER) return;
  if (proto === 6) {
    text.attr('tcp', formatPortsBody(text));
    const flags = text.key[W_TCP_FLAGS] >>> 16;
    const mask = text.mask[W_TCP_FLAGS] >>> 16;
    if (mask) text.attr('tcp_flags', formatTcpFlagsField(flags, mask));
    else if (text.verbose && flags !== 0) text.attr('tcp_flags', '0/0');
  } else if (proto === 17) text.attr('udp', formatPortsBody(text));
  else if (proto === 132) text.attr('sctp', formatPortsBody(text));
  else if (proto === 1 && !ipv6) text.attr('icmp', formatIcmpBody(text));
  else if (proto === 58 && ipv6) {
    text.attr('icmpv6', formatIcmpBody(text));
    const type = (text.key[W_TP] >>> 16) & 0xff;
    const shown = text.verbose || ((text.mask[W_TP] >>> 16) & 0xff) === 0xff;
    if (shown && (type === 135 || type === 136)) text.attr('nd', formatNdBody(text));
  }
}

/** The key's protocol, if the mask lets it be known; wildcarded it prints no transport header. */
function formatNetwork(text: KeyText): void {
  const dlType = text.key[W_DL_TYPE] >>> 16;
  const proto = text.key[W_NW] >>> 24;
  if (dlType === ETH_TYPE_IP) {
    text.attr('ipv4', formatIpv4Body(text));
    formatTransport(text, proto, false);
  } else if (dlType === ETH_TYPE_IPV6) {
    text.attr('ipv6', formatIpv6Body(text));
    formatTransport(text, proto, true);
  } else if (dlType === ETH_TYPE_ARP || dlType === ETH_TYPE_RARP) {
    text.attr('arp', formatArpBody(text));
  } else if (dlType === ETH_TYPE_MPLS || dlType === ETH_TYPE_MPLS_MCAST) {
    text.attr('mpls', formatMplsBody(text));
  } else if (dlType === ETH_TYPE_NSH) {
    text.attr('nsh', formatNshBody(text));
  }
}

function ethTypeAttr(dlType: number, mask: number, verbose: boolean): string | null {
  if (dlType === ETH_TYPE_NOT_ETHERNET) return null;
  if (mask === 0 && !verbose) return null;
  return `eth_type(${hex4(dlType)}${mask === 0xffff ? '' : `/${hex4(mask)}`})`;
}

/** eth_type and what follows, inside as many encap(...) as there are VLAN tags. */
function formatFromEthType(text: KeyText, depth: number): void {
  const vlanWord = depth === 0 ? W_VLAN0 : W_VLAN1;
  const key = text.key[vlanWord] >>> 0;
  const mask = text.mask[vlanWord] >>> 0;
  if (depth < 2 && key & 0x1000) {
    if (mask !== 0 || text.verbose) {
      text.parts.push(`eth_type(${hex4(key >>> 16)})`);
      text.parts.push(`vlan(${formatVlanTci(key & 0xffff, mask & 0xffff, text.verbose)})`);
    }
    const inner = new KeyText(text.key, text.mask, text.verbose);
    formatFromEthType(inner, depth + 1);
    if (inner.parts.length) text.parts.push(`encap(${inner.parts.join(',')})`);
    return;
  }
  const ethType = ethTypeAttr(
    text.key[W_DL_TYPE] >>> 16,
    text.mask[W_DL_TYPE] >>> 16,
    text.verbose,
  );
  if (ethType) text.parts.push(ethType);
  formatNetwork(text);
}

function formatMetadata(text: KeyText, options: KeyFormatOptions): void {
  text.hexAttr('skb_priority', W_SKB_PRIORITY);
  text.hexAttr('skb_mark', W_PKT_MARK);
  const state = text.mask[W_CT_STATE] >>> 16;
  if (state || text.verbose) {
    text.attr('ct_state', formatCtStateField(text.key[W_CT_STATE] >>> 16, state, text.verbose));
  }
  const zone = text.mask[W_CT_STATE] & 0xffff;
  if (zone || text.verbose) {
    const suffix = zone === 0xffff ? '' : `/${hex(zone)}`;
    text.attr('ct_zone', hex(text.key[W_CT_STATE] & 0xffff) + suffix);
  }
  text.hexAttr('ct_mark', W_CT_MARK);
  const label = wide(text.mask, W_CT_LABEL);
  if (label !== '0' || text.verbose) {
    const exact = label === `0x${'f'.repeat(32)}`;
    text.attr('ct_label', wide(text.key, W_CT_LABEL) + (exact ? '' : `/${label}`));
  }
  text.hexAttr('recirc_id', W_RECIRC_ID);
  text.hexAttr('dp_hash', W_DP_HASH);
  const port = text.key[W_IN_PORT] >>> 0;
  const portMask = text.mask[W_IN_PORT] >>> 0;
  if (portMask === 0xffffffff) {
    text.parts.push(`in_port(${options.portName?.(port) ?? port})`);
  } else if (portMask || text.verbose) text.parts.push(`in_port(${port}/${hex(portMask)})`);
  text.attr(
    'packet_type',
    text.bits('ns', W_PACKET_TYPE, 16, 16, dec) + text.bits('id', W_PACKET_TYPE, 0, 16, hex),
  );
}

/** 128 bits in hexadecimal without leading zeros. */
function wide(flow: FlowWords, word: number): string {
  let text = '';
  for (let i = 0; i < 4; i++) text += (flow[word + i] >>> 0).toString(16).padStart(8, '0');
  const trimmed = text.replace(/^0+/, '');
  return trimmed === '' ? '0' : `0x${trimmed}`;
}

/**
 * A megaflow key as `dpctl/dump-flows` prints it.
 * @param key values (bits outside the mask print only in verbose text)
 * @param mask what the datapath compares
 */
export function formatOdpKey(
  key: FlowWords,
  mask: FlowWords,
  options: KeyFormatOptions = {},
): string {
  const text = new KeyText(key, mask, options.verbose ?? false);
  formatMetadata(text, options);
  text.attr('eth', formatEthBody(text));
  formatFromEthType(text, 0);
  return text.parts.join(',');
}

/** The inner text of one `set(attr(...))`: only what the mask covers. */
export function formatSetBody(attr: string, value: FlowWords, mask: FlowWords): string {
  const text = new KeyText(value, mask, false);
  switch (attr) {
    case 'eth':
      return chomp(formatEthBody(text));
    case 'ipv4':
      return chomp(formatIpv4Body(text));
    case 'ipv6':
      return chomp(formatIpv6Body(text));
    case 'tcp':
    case 'udp':
    case 'sctp':
      return chomp(formatPortsBody(text));
    case 'icmp':
    case 'icmpv6':
      return chomp(formatIcmpBody(text));
    case 'arp':
      return chomp(formatArpBody(text));
    case 'nd':
      return chomp(formatNdBody(text));
    case 'mpls':
      return formatMplsBody(text);
    case 'vlan':
      return formatVlanTci(value[W_VLAN0] & 0xffff, mask[W_VLAN0] & 0xffff, false);
    case 'skb_priority':
      return maskedHex(value[W_SKB_PRIORITY], mask[W_SKB_PRIORITY]);
    case 'skb_mark':
      return maskedHex(value[W_PKT_MARK], mask[W_PKT_MARK]);
    default:
      return '';
  }
}

function maskedHex(value: number, mask: number): string {
  return hex(value) + (mask === -1 ? '' : `/${hex(mask)}`);
}
