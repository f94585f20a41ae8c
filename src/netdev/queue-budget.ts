/**
 * How much the queues for large frames may hold, shared among all packet sockets.
 *
 * A frame that does not fit a ring slot (a 64 KiB segment) waits whole on its socket. TCP wants
 * several megabytes of that for one busy port, two hundred ports must not have as much each:
 *
 *     sockets   each may hold        all together
 *        1         8 MiB                8 MiB
 *       48         8 MiB              384 MiB
 *      200         1.9 MiB            384 MiB
 *
 * Idle sockets hold nothing. Rings have their memory from the start, and lie in an arena of 2 GiB
 * of addresses: with more than 256 of them, further ones are a quarter as long.
 */
import type { NativeBinding } from '../native/binding.js';

/** Bound for all sockets together. */
const TOTAL_BYTES = 384 * 1024 * 1024;
/** Most for one socket: what 64 KiB segments of a few TCP connections take. */
const SOCKET_BYTES_MAX = 8 * 1024 * 1024;
/** Least for one socket: four of the largest frames. */
const SOCKET_BYTES_MIN = 512 * 1024;
/** Sockets with rings of full length. */
const LONG_RINGS = 256;

export class QueueBudget {
  private readonly fds = new Set<number>();
  private share = SOCKET_BYTES_MAX;

  constructor(private readonly native: Pick<NativeBinding, 'setReceiveBuffer'>) {}

  /** Bytes that each socket may hold now. */
  get socketBytes(): number {
    return this.share;
  }

  /** Slots of the next ring, where `slots` is what it should have. */
  ringSlots(slots: number): number {
    return this.fds.size < LONG_RINGS ? slots : Math.max(2, slots >> 2);
  }

  /** Counts a socket in; the share of all of them follows. */
  join(fd: number): void {
    this.fds.add(fd);
    this.native.setReceiveBuffer(fd, this.share);
    this.rebalance();
  }

  /** Counts a socket out, before its descriptor is closed. */
  leave(fd: number): void {
    if (this.fds.delete(fd)) this.rebalance();
  }

  private rebalance(): void {
    const fair = Math.floor(TOTAL_BYTES / Math.max(1, this.fds.size));
    const share = Math.max(SOCKET_BYTES_MIN, Math.min(SOCKET_BYTES_MAX, fair));
    if (share === this.share) return;
    this.share = share;
    for (const fd of this.fds) this.native.setReceiveBuffer(fd, share);
  }
}
