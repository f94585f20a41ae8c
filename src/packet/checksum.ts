/**
 * Internet checksums (RFC 1071), their incremental update (RFC 1624), and CRC-32C for SCTP.
 *
 * All on 16-bit values in host order of big-endian fields; sums are kept below 2^31, so that they
 * stay small integers.
 */
// hot path

/** Folds a sum of 16-bit values to 16 bits. */
export function foldSum(sum: number): number {
  sum = (sum & 0xffff) + (sum >>> 16);
  return (sum & 0xffff) + (sum >>> 16);
}

/**
 * Ones' complement sum of [off, off + len), added to `sum` and folded. Most of it is summed in
 * little-endian words, the machine's own order: such a sum is the other one with its bytes swapped
 * (RFC 1071 section 2B).
 */
export function addToSum(view: DataView, off: number, len: number, sum = 0): number {
  const wordsEnd = off + (len & ~7);
  let pos = off;
  let swapped = 0;
  while (pos < wordsEnd) {
    // 16,384 words of 16 bits fit in 31 bits.
    const stop = Math.min(wordsEnd, pos + 32_768);
    for (; pos < stop; pos += 8) {
      const one = view.getInt32(pos, true);
      const other = view.getInt32(pos + 4, true);
      swapped += (one & 0xffff) + (one >>> 16) + (other & 0xffff) + (other >>> 16);
    }
    swapped = foldSum(swapped);
  }
  sum += ((swapped & 0xff) << 8) | (swapped >>> 8);
  const end = off + (len & ~1);
  for (; pos < end; pos += 2) sum += view.getUint16(pos);
  sum = foldSum(sum);
  if ((len & 1) !== 0) sum = foldSum(sum + (view.getUint8(end) << 8));
  return sum;
}

/** The checksum of [off, off + len) with `sum` already counted, ready for the header field. */
export function finishSum(sum: number): number {
  return ~foldSum(sum) & 0xffff;
}

/** Pseudo-header of TCP and UDP over IPv4: addresses at `ip` + 12 (header at `ip`). */
export function pseudoSum4(view: DataView, ip: number, proto: number, l4Len: number): number {
  return addToSum(view, ip + 12, 8, proto + (l4Len & 0xffff) + (l4Len >>> 16));
}

/** Pseudo-header over IPv6 (RFC 8200 section 8.1): addresses at `ip` + 8 (header at `ip`). */
export function pseudoSum6(view: DataView, ip: number, proto: number, l4Len: number): number {
  return addToSum(view, ip + 8, 32, proto + (l4Len & 0xffff) + (l4Len >>> 16));
}

/** RFC 1624, equation 3: the checksum after a 16-bit word changed from `before` to `after`. */
export function updateChecksum16(checksum: number, before: number, after: number): number {
  return finishSum((~checksum & 0xffff) + (~before & 0xffff) + after);
}

/** The same for a 32-bit word (any int32). */
export function updateChecksum32(checksum: number, before: number, after: number): number {
  return finishSum(
    (~checksum & 0xffff) +
      (~before >>> 16) +
      (~before & 0xffff) +
      (after >>> 16) +
      (after & 0xffff),
  );
}

/**
 * The same for a field that holds a plain sum, not its complement: the pseudo-header sum that
 * stands in the checksum field of a frame whose checksum the device is to complete (NEEDS_CSUM).
 */
export function updatePartialSum32(sum: number, before: number, after: number): number {
  return foldSum(sum + (~before >>> 16) + (~before & 0xffff) + (after >>> 16) + (after & 0xffff));
}

const crc32cTable = makeCrc32cTable();

function makeCrc32cTable(): Int32Array {
  const table = new Int32Array(256);
  for (let i = 0; i < 256; i++) {
    let crc = i;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) !== 0 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
    table[i] = crc;
  }
  return table;
}

/** CRC-32C (RFC 9260 appendix A) of [off, off + len), continued from `crc` (start with -1). The
 * caller inverts the end result. */
export function crc32cUpdate(crc: number, bytes: Uint8Array, off: number, len: number): number {
  const table = crc32cTable;
  for (let i = off; i < off + len; i++) crc = table[(crc ^ bytes[i]) & 0xff] ^ (crc >>> 8);
  return crc | 0;
}
