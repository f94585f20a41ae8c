/**
 * The protocol's locks (RFC 7047, sections 4.1.8 to 4.1.12): by name, across all databases of a
 * server.
 *
 *     name -> [ owner, first waiter, second waiter, ... ]
 *
 * Not for: locks on files (lock-file.ts).
 */

/** Who can hold locks; is told when it gets one late, or loses one. */
export interface LockHolder {
  notifyLock(method: 'locked' | 'stolen', name: string): void;
}

interface Waiter {
  readonly holder: LockHolder;
  readonly name: string;
  readonly steals: boolean;
}

export class SessionLocks {
  private readonly queues = new Map<string, Waiter[]>();
  /** Each holder's requests that it has not taken back with an unlock. */
  private readonly requests = new Map<LockHolder, Map<string, Waiter>>();

  owns(holder: LockHolder, name: string): boolean {
    return this.queues.get(name)?.[0]?.holder === holder;
  }

  /** Has the holder asked for this lock, without an unlock since? */
  hasRequested(holder: LockHolder, name: string): boolean {
    return this.requests.get(holder)?.has(name) ?? false;
  }

  /** Names of the locks that the holder owns, waits for, and was robbed of. */
  namesOf(holder: LockHolder): { held: string[]; waiting: string[]; lost: string[] } {
    const names = { held: [] as string[], waiting: [] as string[], lost: [] as string[] };
    for (const [name, waiter] of this.requests.get(holder) ?? []) {
      const queue = this.queues.get(name) ?? [];
      if (queue[0] === waiter) names.held.push(name);
      else if (queue.includes(waiter) && !waiter.steals) names.waiting.push(name);
      else names.lost.push(name);
    }
    return names;
  }

  /** Asks for a lock; true when the holder has it now. */
  lock(holder: LockHolder, name: string, steals: boolean): boolean {
    const waiter: Waiter = { holder, name, steals };
    const queue = this.queues.get(name) ?? [];
    this.queues.set(name, queue);
    const own = this.requests.get(holder) ?? new Map<string, Waiter>();
    this.requests.set(holder, own.set(name, waiter));
    if (!steals) {
      queue.push(waiter);
    } else {
      const victim = queue[0];
      queue.unshift(waiter);
      // Who stole it does not wait to get it back.
      if (victim?.steals) queue.splice(1, 1);
      victim?.holder.notifyLock('stolen', name);
    }
    return queue[0] === waiter;
  }

  /** Takes back a request, or gives up the lock; the next waiter gets it. */
  unlock(holder: LockHolder, name: string): void {
    const waiter = this.requests.get(holder)?.get(name);
    const queue = this.queues.get(name);
    if (!waiter) return;
    this.requests.get(holder)?.delete(name);
    const at = queue?.indexOf(waiter) ?? -1;
    if (!queue || at < 0) return;
    queue.splice(at, 1);
    if (queue.length === 0) this.queues.delete(name);
    else if (at === 0) queue[0].holder.notifyLock('locked', name);
  }

  unlockAll(holder: LockHolder): void {
    for (const name of [...(this.requests.get(holder)?.keys() ?? [])]) this.unlock(holder, name);
    this.requests.delete(holder);
  }
}
