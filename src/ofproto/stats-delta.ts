/**
 * What is credited to everything that packets passed: entries, tables, groups, exporters.
 *
 * Not for: to what it is credited (xlate/cache.ts).
 */

/** Packets and bytes to credit, and when the last of them came (clock ms). */
export interface StatsDelta {
  packets: number;
  bytes: number;
  usedMs: number;
  /** TCP flags of these packets, or of all so far; absent: unknown. */
  tcpFlags?: number;
}
