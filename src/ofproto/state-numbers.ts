/**
 * Numbers for states that datapath actions name: one for each content, as long as some installed
 * flow holds it.
 *
 *     intern(key) --> 7      ref(7) flow installed      unref(7) flow gone
 *                                                        '-- a while later: 7 is given up
 *
 * Equal content has the same number, so that translating a flow again gives equal actions. What
 * none holds stays for a while, since packets that were executed once may still be on their way up.
 */
import { NEVER } from '../common/clock.js';

interface Entry<S> {
  readonly id: number;
  readonly key: string;
  readonly state: S;
  refs: number;
  idleSinceMs: number;
}

/** How long a number is kept that nothing holds, unless said otherwise. */
const IDLE_MS = 500;
/** Beyond this many of them, the oldest go at once. */
const IDLE_MAX = 16_384;

export interface NumberSource<S> {
  alloc(state: S): number;
  free(id: number): void;
  now(): number;
}

export class StateNumbers<S> {
  private readonly byKey = new Map<string, Entry<S>>();
  private readonly byId = new Map<number, Entry<S>>();
  /** Held by nothing, the longest first. */
  private readonly idle = new Set<Entry<S>>();

  /** @param idleMs how long a number is kept that nothing holds */
  constructor(
    private readonly source: NumberSource<S>,
    private readonly idleMs = IDLE_MS,
  ) {}

  get size(): number {
    return this.byId.size;
  }

  /** The number of the state that `key` describes wholly. */
  intern(key: string, make: () => S): number {
    const known = this.byKey.get(key);
    if (known !== undefined) {
      if (known.refs === 0) this.rest(known);
      return known.id;
    }
    const state = make();
    const id = this.source.alloc(state);
    const entry = { id, key, state, refs: 0, idleSinceMs: 0 };
    this.byKey.set(key, entry);
    this.byId.set(id, entry);
    this.rest(entry);
    return id;
  }

  get(id: number): S | null {
    return this.byId.get(id)?.state ?? null;
  }

  ref(ids: readonly number[]): void {
    for (const id of ids) {
      const entry = this.byId.get(id);
      if (entry === undefined) continue;
      entry.refs += 1;
      this.idle.delete(entry);
    }
  }

  unref(ids: readonly number[]): void {
    for (const id of ids) {
      const entry = this.byId.get(id);
      if (entry === undefined || entry.refs === 0) continue;
      entry.refs -= 1;
      if (entry.refs === 0) this.rest(entry);
    }
  }

  private rest(entry: Entry<S>): void {
    this.idle.delete(entry);
    entry.idleSinceMs = this.source.now();
    this.idle.add(entry);
    if (this.idle.size <= IDLE_MAX) return;
    for (const oldest of this.idle) {
      this.drop(oldest);
      return;
    }
  }

  private drop(entry: Entry<S>): void {
    this.byId.delete(entry.id);
    this.byKey.delete(entry.key);
    this.idle.delete(entry);
    this.source.free(entry.id);
  }

  /** Gives up every state that the condition holds for. */
  dropWhere(condition: (state: S) => boolean): void {
    for (const entry of [...this.byId.values()]) if (condition(entry.state)) this.drop(entry);
  }

  run(now: number): void {
    for (const entry of this.idle) {
      if (now < entry.idleSinceMs + this.idleMs) return;
      this.drop(entry);
    }
  }

  nextWake(): number {
    for (const entry of this.idle) return entry.idleSinceMs + this.idleMs;
    return NEVER;
  }
}
