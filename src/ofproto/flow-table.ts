/**
 * One OpenFlow table: a classifier, its counters and its settings.
 *
 * Not for: flow-mods (flow-mod.ts).
 */
import type { SubField } from '../openflow/actions.js';
import { Classifier } from './classifier.js';
import type { Rule } from './rule.js';

/** Tables 0..253 are the controller's; 254 holds what the switch made for itself. */
export const N_TABLES = 255;
export const TBL_INTERNAL = 254;
/** In requests and flow-mods: every table. */
export const TBL_ALL = 255;

/** What a packet without a matching entry meets; 'default' follows the connections' versions. */
export type TableMiss = 'default' | 'controller' | 'continue' | 'drop';

/** Entries that one table takes unless configured otherwise. */
export const MAX_FLOWS_DEFAULT = 1_000_000;

/** What the configuration says of a table. */
export interface TableSettings {
  name: string;
  /** null: the default. */
  maxFlows: number | null;
  evicts: boolean;
  groups: readonly SubField[];
}

export const TABLE_DEFAULTS: TableSettings = {
  name: '',
  maxFlows: null,
  evicts: false,
  groups: [],
};

export class FlowTable {
  readonly cls = new Classifier<Rule>();
  /** Packets that matched, and that did not. */
  nMatched = 0;
  nMissed = 0;
  name = '';
  maxFlows = MAX_FLOWS_DEFAULT;
  miss: TableMiss = 'default';
  /** A full table gives an entry up for a new one (eviction.ts). */
  evicts = false;
  /** What makes entries one group for that. */
  groups: readonly SubField[] = [];

  constructor(readonly id: number) {}

  configure(settings: TableSettings): void {
    this.name = settings.name;
    this.maxFlows = settings.maxFlows ?? MAX_FLOWS_DEFAULT;
    this.evicts = settings.evicts;
    this.groups = settings.groups;
  }

  get hidden(): boolean {
    return this.id === TBL_INTERNAL;
  }
}
