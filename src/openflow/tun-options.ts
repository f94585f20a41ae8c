/**
 * Sets of tunnel options, as matches ask for them: the fields tun_metadata0 to tun_metadata63.
 *
 * Equal sets are one object with one number while anybody holds it, so that a word tells them apart
 * once options of one number have one length (tun-metadata.ts).
 */

/** One option: its low bytes, as many as the longer of value and mask needs. */
export interface TunOption {
  /** 0 to 63. */
  index: number;
  value: Uint8Array;
  mask: Uint8Array;
  /** Asked for with a mask; without one it is exact however many bytes it has. */
  masked: boolean;
}

export interface TunMetadata {
  /** From 1 to 2^31 - 1. */
  readonly id: number;
  /** By rising number. */
  readonly options: readonly TunOption[];
}

const ID_MAX = 0x7fff_ffff;

const known = new Map<string, WeakRef<TunMetadata>>();
/** Numbers of sets that somebody holds. */
const taken = new Set<number>();
const forgotten = new FinalizationRegistry<{ key: string; id: number }>(({ key, id }) => {
  taken.delete(id);
  if (known.get(key)?.deref() === undefined) known.delete(key);
});
let lastId = 0;

/** The number after `last` that is not taken; after the greatest comes 1. */
export function idAfter(last: number, without: ReadonlySet<number>): number {
  let id = last;
  do id = id === ID_MAX ? 1 : id + 1;
  while (without.has(id));
  return id;
}

const tail = (bytes: Uint8Array, n: number): Uint8Array => bytes.slice(bytes.length - n);
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

function keyOf(options: readonly TunOption[]): string {
  const text = ({ index, value, mask, masked }: TunOption): string =>
    `${index}=${hex(value)}${masked ? `/${hex(mask)}` : ''}`;
  return options.map(text).join();
}

/** The set of these options, the same one for equal options. */
export function setOf(options: TunOption[]): TunMetadata {
  options.sort((a, b) => a.index - b.index);
  const key = keyOf(options);
  const same = known.get(key)?.deref();
  if (same !== undefined) return same;
  lastId = idAfter(lastId, taken);
  taken.add(lastId);
  const made: TunMetadata = { id: lastId, options };
  known.set(key, new WeakRef(made));
  forgotten.register(made, { key, id: lastId });
  return made;
}

/** The low bytes, with others in front where there are too few. */
export function widened(bytes: Uint8Array, length: number, pad: number): Uint8Array {
  const out = new Uint8Array(length).fill(pad);
  const low = tail(bytes, Math.min(bytes.length, length));
  out.set(low, length - low.length);
  return out;
}

/** True when whatever satisfies `inner` satisfies `outer`. */
export function tunMetadataCovers(outer: TunMetadata, inner: TunMetadata | undefined): boolean {
  if (inner === undefined) return false;
  return outer.options.every((wide) => {
    const narrow = inner.options.find(({ index }) => index === wide.index);
    if (narrow === undefined) return false;
    const n = Math.max(wide.value.length, narrow.value.length);
    const bits = (option: TunOption): Uint8Array =>
      widened(option.mask, n, option.masked ? 0 : 0xff);
    const [a, b] = [widened(wide.value, n, 0), widened(narrow.value, n, 0)];
    const [need, have] = [bits(wide), bits(narrow)];
    return need.every((bit, i) => (bit & ~have[i]) === 0 && ((a[i] ^ b[i]) & bit) === 0);
  });
}
