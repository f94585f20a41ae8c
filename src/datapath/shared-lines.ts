/**
 * Shared memory whose cache lines nobody else has anything in.
 *
 *     | 64 unused | bytes | 64 unused |
 *
 * Small buffers come from the heap, side by side: counters of two workers could lie in one line,
 * which both would then take from each other with every frame. Where a buffer starts is only known
 * to be a multiple of 16, so that rounding up does not help.
 */
const LINE_BYTES = 64;

/** @param bytes a multiple of 8 */
export function sharedLines(bytes: number): SharedArrayBuffer {
  return new SharedArrayBuffer(bytes + 2 * LINE_BYTES);
}

/** The bytes between, as doubles. */
export function sharedDoubles(buffer: ArrayBufferLike): Float64Array {
  return new Float64Array(buffer, LINE_BYTES, (buffer.byteLength - 2 * LINE_BYTES) / 8);
}

/** The bytes between, as 32-bit words. */
export function sharedWords(buffer: ArrayBufferLike): Int32Array {
  return new Int32Array(buffer, LINE_BYTES, (buffer.byteLength - 2 * LINE_BYTES) / 4);
}
