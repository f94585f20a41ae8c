/**
 * Lists of actions that were decoded before, by their bytes.
 *
 * Entries that a controller adds mostly do one of a few things: their actions are decoded once, and
 * shared from then on. Only lists of plain values are kept, frozen: nobody can change one for all.
 *
 *     slots[hash of the bytes]: version | bytes | actions      the last one with that hash
 */
import type { OfAction } from '../actions.js';

const SLOTS = 256;
/** Longer lists are hardly ever the same. */
const BYTES_MAX = 96;

interface Slot {
  version: number;
  bytes: Uint8Array;
  actions: OfAction[];
}

export class ActionMemo {
  private readonly slots: (Slot | undefined)[] = new Array(SLOTS).fill(undefined);

  /** The list that these bytes are in a version, or null. */
  find(bytes: Uint8Array, at: number, length: number, version: number): OfAction[] | null {
    if (length > BYTES_MAX) return null;
    const slot = this.slots[hashOf(bytes, at, length)];
    if (slot === undefined || slot.version !== version || slot.bytes.length !== length) return null;
    const known = slot.bytes;
    for (let i = 0; i < length; i++) if (known[i] !== bytes[at + i]) return null;
    return slot.actions;
  }

  /** Keeps a list, if it may be kept. */
  keep(bytes: Uint8Array, at: number, length: number, version: number, actions: OfAction[]): void {
    if (length > BYTES_MAX || !actions.every(isPlain)) return;
    for (const action of actions) Object.freeze(action);
    Object.freeze(actions);
    const copy = bytes.slice(at, at + length);
    this.slots[hashOf(copy, 0, length)] = { version, bytes: copy, actions };
  }
}

function hashOf(bytes: Uint8Array, at: number, length: number): number {
  let hash = length;
  for (let i = at; i < at + length; i++) hash = (Math.imul(hash, 31) + bytes[i]) | 0;
  return (hash ^ (hash >>> 8)) & (SLOTS - 1);
}

function isPlain(action: OfAction): boolean {
  return Object.values(action).every((value) => typeof value !== 'object');
}
