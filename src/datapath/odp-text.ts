/**
 * Pieces of the datapath text syntax: how single values print, with and without a mask.
 *
 * The syntax is what `ovs-appctl dpctl/dump-flows` prints, so that scripts which read it go on
 * working. A value that is wholly wildcarded prints only in verbose text; a mask prints only where
 * it is not exact. Not for: whole keys (odp-format-key.ts) or actions (odp-format-actions.ts).
 */

/** A field's value and mask as plain numbers (32 bits at most, unsigned). */
export interface Masked {
  value: number;
  mask: number;
  /** The mask that means 'exact'. */
  full: number;
}

/** C's %#x: zero has no prefix. */
export function hex(value: number): string {
  const v = value >>> 0;
  return v === 0 ? '0' : `0x${v.toString(16)}`;
}

export function hex4(value: number): string {
  return `0x${(value >>> 0).toString(16).padStart(4, '0')}`;
}

export function formatIpv4(value: number): string {
  const v = value >>> 0;
  return `${v >>> 24}.${(v >>> 16) & 255}.${(v >>> 8) & 255}.${v & 255}`;
}

/** A MAC from its high 16 and low 32 bits. */
export function formatMac(hi16: number, lo32: number): string {
  const text = (hi16 & 0xffff).toString(16).padStart(4, '0') + hex8(lo32);
  return text.match(/../g)!.join(':');
}

function hex8(value: number): string {
  return (value >>> 0).toString(16).padStart(8, '0');
}

/**
 * An IPv6 address from four words, as inet_ntop writes it: the longest run of zero groups (two at
 * least) is '::', and IPv4-mapped addresses end in dotted form.
 */
export function formatIpv6(words: ArrayLike<number>): string {
  const groups: number[] = [];
  for (let i = 0; i < 4; i++) groups.push((words[i] >>> 16) & 0xffff, words[i] & 0xffff);
  let best = { at: -1, length: 1 };
  for (let i = 0; i < 8; i++) {
    let end = i;
    while (end < 8 && groups[end] === 0) end++;
    if (end - i > best.length) best = { at: i, length: end - i };
    if (end > i) i = end;
  }
  const dotted =
    best.at === 0 && (best.length === 6 || (best.length === 5 && groups[5] === 0xffff));
  const last = dotted ? 6 : 8;
  let text = '';
  for (let i = 0; i < last; ) {
    if (i === best.at) {
      text += '::';
      i += best.length;
    } else {
      if (i > 0 && !text.endsWith(':')) text += ':';
      text += groups[i].toString(16);
      i++;
    }
  }
  if (!dotted) return text;
  if (!text.endsWith(':')) text += ':';
  return text + formatIpv4(words[3]);
}

/** `name=value[/mask],`, or nothing when wildcarded and not verbose. */
export function maskedPart(
  name: string,
  field: Masked,
  verbose: boolean,
  print: (v: number) => string,
  printMask: (v: number) => string = hex,
): string {
  const mask = (field.mask & field.full) >>> 0;
  if (mask === 0 && !verbose) return '';
  const exact = mask === field.full >>> 0;
  return `${name}=${print(field.value >>> 0)}${exact ? '' : `/${printMask(mask)}`},`;
}

const TCP_FLAG_NAMES = [
  'fin',
  'syn',
  'rst',
  'psh',
  'ack',
  'urg',
  'ece',
  'cwr',
  'ns',
  '[200]',
  '[400]',
  '[800]',
];

const CT_STATE_NAMES = ['new', 'est', 'rel', 'rpl', 'inv', 'trk', 'snat', 'dnat'];

function flagName(names: readonly string[], bit: number): string {
  return names[bit] ?? hex(1 << bit);
}

/** `syn|ack`, or '0' when no flag is set. */
export function formatFlags(names: readonly string[], value: number): string {
  const parts: string[] = [];
  for (let bit = 0; bit < 16; bit++) if (value & (1 << bit)) parts.push(flagName(names, bit));
  return parts.length ? parts.join('|') : '0';
}

/** `+syn-ack`: each bit of the mask with its sign. Set bits outside the mask are left out. */
export function formatFlagsMasked(names: readonly string[], value: number, mask: number): string {
  let text = '';
  for (let bit = 0; bit < 16; bit++) {
    if (mask & (1 << bit)) text += (value & (1 << bit) ? '+' : '-') + flagName(names, bit);
  }
  return text;
}

export function formatTcpFlagsField(value: number, mask: number): string {
  if ((mask & 0xfff) === 0xfff) return formatFlags(TCP_FLAG_NAMES, value);
  if ((mask & 0xfff) === 0) return '0/0';
  return formatFlagsMasked(TCP_FLAG_NAMES, value, mask);
}

export function formatCtStateField(value: number, mask: number, verbose: boolean): string {
  if (verbose) return hex(value) + (mask === 0xffff ? '' : `/${hex(mask)}`);
  return formatFlagsMasked(CT_STATE_NAMES, value, mask);
}

/** Seen TCP flags as in `flags:SFP.`, the short form of statistics. */
export function formatTcpFlagsSeen(flags: number): string {
  const letters = 'FSRP.UEC';
  let text = '';
  for (let bit = 0; bit < 8; bit++) if (flags & (1 << bit)) text += letters[bit];
  if (flags & 0x100) text += '[100]';
  if (flags & 0x200) text += '[200]';
  if (flags & 0x400) text += '[400]';
  if (flags & 0x800) text += '[800]';
  return text;
}

export function chomp(text: string): string {
  return text.endsWith(',') ? text.slice(0, -1) : text;
}

/** `vid=10,pcp=0[,cfi=0]`. */
export function formatVlanTci(tci: number, mask: number, verbose: boolean): string {
  const vid = tci & 0xfff;
  const vidMask = mask & 0xfff;
  const pcp = (tci >> 13) & 7;
  const pcpMask = (mask >> 13) & 7;
  let text = '';
  if (verbose || vid || vidMask) {
    text += `vid=${vid}${vidMask === 0xfff ? '' : `/0x${vidMask.toString(16)}`},`;
  }
  if (verbose || pcp || pcpMask) {
    text += `pcp=${pcp}${pcpMask === 7 ? '' : `/0x${pcpMask.toString(16)}`},`;
  }
  if (!(tci & 0x1000)) text += 'cfi=0,';
  return chomp(text);
}

/** `label=100,tc=0,ttl=64,bos=1`. */
export function formatMplsLse(lse: number): string {
  const v = lse >>> 0;
  return `label=${v >>> 12},tc=${(v >>> 9) & 7},ttl=${v & 255},bos=${(v >>> 8) & 1}`;
}

export function formatMplsLseMasked(lse: number, mask: number): string {
  const v = lse >>> 0;
  const m = mask >>> 0;
  const label = `label=${v >>> 12}/0x${(m >>> 12).toString(16)}`;
  const tc = `tc=${(v >>> 9) & 7}/${((m >>> 9) & 7).toString(16)}`;
  const ttl = `ttl=${v & 255}/0x${(m & 255).toString(16)}`;
  return `${label},${tc},${ttl},bos=${(v >>> 8) & 1}/${(m >>> 8) & 1}`;
}
