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

/** Two options of one number, made equally long: their values, and the bits that each asks for. */
function aligned(one: TunOption, other: TunOption): [Uint8Array, Uint8Array][] {
  const n = Math.max(one.value.length, other.value.length);
  return [one, other].map(({ value, mask, masked }) => [
    widened(value, n, 0),
    widened(mask, n, masked ? 0 : 0xff),
  ]);
}

/** True when whatever satisfies `inner` satisfies `outer`. */
export function tunMetadataCovers(outer: TunMetadata, inner: TunMetadata | undefined): boolean {
  if (inner === undefined) return false;
  return outer.options.every((wide) => {
    const narrow = inner.options.find(({ index }) => index === wide.index);
    if (narrow === undefined) return false;
    const [[a, need], [b, have]] = aligned(wide, narrow);
    return need.every((bit, i) => (bit & ~have[i]) === 0 && ((a[i] ^ b[i]) & bit) === 0);
  });
}

/** True when something may satisfy both. */
export function tunMetadataMeet(
  one: TunMetadata | undefined,
  other: TunMetadata | undefined,
): boolean {
  if (one === undefined || other === undefined) return true;
  return one.options.every((option) => {
    const same = other.options.find(({ index }) => index === option.index);
    if (same === undefined) return true;
    const [[a, needA], [b, needB]] = aligned(option, same);
    return a.every((byte, i) => ((byte ^ b[i]) & needA[i] & needB[i]) === 0);
  });
}
