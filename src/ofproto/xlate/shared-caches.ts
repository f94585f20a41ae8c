/**
 * Lists of what statistics belong to that many flows have: kept once.
 *
 * Where packets go through the same entries and nothing else is met, all their flows have equal
 * lists; a flood of them would otherwise fill the heap with copies. Only the few lists that came
 * last are known, so that looking for one costs little.
 */
import type { XlateCacheEntry } from './cache.js';

const RECENT = 8;

export class SharedCaches {
  private readonly recent: (readonly XlateCacheEntry[])[] = [];
  private next = 0;

  /** A list with the same entries, as short as it can be, and not to be changed. */
  of(cache: readonly XlateCacheEntry[]): readonly XlateCacheEntry[] {
    if (!cache.every(isPlain)) return cache.slice();
    for (const each of this.recent) if (sameEntries(each, cache)) return each;
    const kept = cache.slice();
    this.recent[this.next] = kept;
    this.next = (this.next + 1) % RECENT;
    return kept;
  }
}

function isPlain({ type }: XlateCacheEntry): boolean {
  return type === 'rule' || type === 'table';
}

function sameEntries(a: readonly XlateCacheEntry[], b: readonly XlateCacheEntry[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!sameEntry(a[i], b[i])) return false;
  return true;
}

function sameEntry(a: XlateCacheEntry, b: XlateCacheEntry): boolean {
  if (a.type === 'rule') return b.type === 'rule' && a.rule === b.rule;
  if (a.type !== 'table' || b.type !== 'table') return false;
  return a.table === b.table && a.matched === b.matched;
}
