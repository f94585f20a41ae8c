/**
 * How the packet path hands packets to the main thread: what kinds there are, and who takes them.
 *
 * Not for: the ring that they go through (upcall-ring.ts).
 */
export const UPCALL_MISS = 0;
export const UPCALL_ACTION = 1;
/** A packet that was dropped, for whoever wants to see these. */
export const UPCALL_DROP = 2;

/** Who takes packets for the main thread. */
export interface UpcallSink {
  /**
   * Copies a packet out of the packet path.
   * @param kind UPCALL_*
   * @param cookie words with the cookie at `cookieAt` (UPCALL_ACTION only)
   * @returns false when there is no room
   */
  upcall(
    kind: number,
    off: number,
    len: number,
    key: Int32Array,
    cookie: Int32Array,
    cookieAt: number,
  ): boolean;
}
