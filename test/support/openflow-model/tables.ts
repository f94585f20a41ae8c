/**
 * The model's flow tables: lists of entries, searched from the first to the last.
 *
 * OpenFlow 1.5, sections 5.1 to 5.4 and 6.4 (flow-mods), without anything that makes it fast.
 */
import type { OfAction } from '../../../src/openflow/actions.js';
import { matchedValue, type Packet } from './fields.js';
import { Unspecified } from './frame.js';

/** Bits of a field that must have a value; bits of `value` outside of `mask` are 0. */
export interface FieldMatch {
  field: string;
  value: bigint;
  mask: bigint;
}

export interface ModelEntry {
  table: number;
  priority: number;
  match: readonly FieldMatch[];
  actions: readonly OfAction[];
  cookie: bigint;
  packets: number;
}

export interface ModelFlowMod {
  command: 'add' | 'modify' | 'modify_strict' | 'delete' | 'delete_strict';
  /** 255 in deletions: every table. */
  table: number;
  priority: number;
  match: readonly FieldMatch[];
  actions: readonly OfAction[];
  cookie: bigint;
  /** Deletions: only entries that output to this port. */
  outPort: number | null;
  checkOverlap: boolean;
}

const ALL_TABLES = 255;

function sameMatch(a: readonly FieldMatch[], b: readonly FieldMatch[]): boolean {
  return covers(a, b) && covers(b, a);
}

/** Every packet that `inner` matches is matched by `outer`. */
function covers(outer: readonly FieldMatch[], inner: readonly FieldMatch[]): boolean {
  return outer.every((o) => {
    const i = inner.find((other) => other.field === o.field);
    return i !== undefined && (i.mask & o.mask) === o.mask && (i.value & o.mask) === o.value;
  });
}

function overlap(a: readonly FieldMatch[], b: readonly FieldMatch[]): boolean {
  return a.every((one) => {
    const other = b.find(({ field }) => field === one.field);
    return other === undefined || ((one.value ^ other.value) & one.mask & other.mask) === 0n;
  });
}

/** Some action, nested ones included, outputs to the port. */
function outputsTo(actions: readonly OfAction[], port: number): boolean {
  return actions.some((action) => {
    if (action.type === 'output') return action.port === port;
    if (action.type !== 'write_actions' && action.type !== 'clone') return false;
    return outputsTo(action.actions, port);
  });
}

function usesGroup(actions: readonly OfAction[], group: number): boolean {
  return actions.some((action) => {
    if (action.type === 'group') return action.group === group;
    if (action.type !== 'write_actions' && action.type !== 'clone') return false;
    return usesGroup(action.actions, group);
  });
}

export class ModelTables {
  entries: ModelEntry[] = [];

  /** The entry of highest priority, null for none. @throws Unspecified when there are several */
  lookup(table: number, packet: Packet): ModelEntry | null {
    const found = this.entries.filter(
      (entry) => entry.table === table && entry.match.every((m) => matches(packet, m)),
    );
    const highest = Math.max(...found.map(({ priority }) => priority));
    const best = found.filter(({ priority }) => priority === highest);
    if (best.length > 1) throw new Unspecified('entries of the same priority');
    return best[0] ?? null;
  }

  /** @returns false when the switch must refuse it */
  flowMod(mod: ModelFlowMod): boolean {
    if (mod.command === 'add') return this.add(mod);
    const strict = mod.command.endsWith('_strict');
    const chosen = this.entries.filter((entry) => {
      if (mod.table !== ALL_TABLES && entry.table !== mod.table) return false;
      if (strict) return entry.priority === mod.priority && sameMatch(entry.match, mod.match);
      return covers(mod.match, entry.match);
    });
    if (mod.command.startsWith('modify')) {
      for (const entry of chosen) entry.actions = mod.actions;
      return true;
    }
    const gone = chosen.filter(
      (entry) => mod.outPort === null || outputsTo(entry.actions, mod.outPort),
    );
    this.entries = this.entries.filter((entry) => !gone.includes(entry));
    return true;
  }

  private add(mod: ModelFlowMod): boolean {
    const clashes = this.entries.filter(
      (e) => e.table === mod.table && e.priority === mod.priority && overlap(e.match, mod.match),
    );
    const same = clashes.find((e) => sameMatch(e.match, mod.match));
    if (mod.checkOverlap && clashes.length > 0 && same === undefined) return false;
    this.entries = this.entries.filter((e) => e !== same);
    const { table, priority, match, actions, cookie } = mod;
    this.entries.push({ table, priority, match, actions, cookie, packets: 0 });
    return true;
  }

  /** A group is gone, and with it the entries that send packets there. */
  groupDeleted(group: number): void {
    this.entries = this.entries.filter((entry) => !usesGroup(entry.actions, group));
  }
}

function matches(packet: Packet, match: FieldMatch): boolean {
  const value = matchedValue(packet, match.field);
  return value !== null && (value & match.mask) === match.value;
}
