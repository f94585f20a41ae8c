/**
 * One OpenFlow table: a classifier, its counters and its settings.
 *
 * Not for: flow-mods (flow-mod.ts).
 */
import type { SubField } from '../openflow/actions.js';
import { Classifier } from './classifier.js';
import { EvictionIndex } from './eviction.js';
import type { RuleTimeouts } from './expiry.js';
import type { RemovedReason, Rule } from './rule.js';
import type { TableView } from './table-view.js';
import { DEFAULT_PREFIX_FIELDS } from './trie-set.js';

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
  /** Fields whose prefixes have a trie. */
  prefixes: readonly string[];
}

export const TABLE_DEFAULTS: TableSettings = {
  name: '',
  maxFlows: null,
  evicts: false,
  groups: [],
  prefixes: DEFAULT_PREFIX_FIELDS,
};

/** Notes what a bundle changes while it is being committed (table-draft.ts). */
export interface TableChanges {
  /** An entry was put into a table. */
  came(table: FlowTable, rule: Rule): void;
  /** An entry is to go. */
  goes(table: FlowTable, rule: Rule, why: RemovedReason): void;
  /** An entry is to go, and another one takes its place. */
  gives(table: FlowTable, old: Rule, rule: Rule): void;
}

export class FlowTable {
  readonly cls: Classifier<Rule>;
  /** The bundle whose turn it is: it notes what changes, and packets do not meet it yet. */
  draft: TableChanges | null = null;
  /** Packets that matched, and that did not. */
  nMatched = 0;
  nMissed = 0;
  private configName = '';
  /** Given by a controller; the configuration's goes first. */
  openflowName = '';
  maxFlows = MAX_FLOWS_DEFAULT;
  miss: TableMiss = 'default';
  /** A full table gives an entry up for a new one (eviction.ts). */
  private configEvicts = false;
  /** OpenFlow's table-mod may ask for it as well. */
  openflowEvicts = false;
  /** VACANCY.DOWN or UP: what is told next; 0: nothing. */
  vacancyEvent = 0;
  /** Percent of the table that is free. */
  vacancy = { down: 0, up: 0 };
  /** What its entries call when their timeouts became shorter. */
  onTimes: ((rule: Rule) => void) | null = null;
  /** What makes entries one group for that. */
  groups: readonly SubField[] = [];

  private eviction: EvictionIndex | null = null;
  /** Clock time at which its entries' statistics were last brought up to date for eviction. */
  statsMs = 0;

  constructor(
    readonly id: number,
    private readonly timeouts: RuleTimeouts,
    view: TableView,
  ) {
    this.cls = new Classifier<Rule>(view);
  }

  /** Puts an entry in. */
  insert(rule: Rule): void {
    this.cls.insert(rule);
    this.eviction?.add(rule);
    this.draft?.came(this, rule);
  }

  /** Takes an entry out. */
  remove(rule: Rule, why: RemovedReason): void {
    this.eviction?.remove(rule);
    if (this.draft === null) this.drop(rule);
    else this.draft.goes(this, rule, why);
  }

  /** Puts an entry in another's place. */
  replace(old: Rule, rule: Rule): void {
    this.eviction?.remove(old);
    if (this.draft === null) this.drop(old);
    else this.draft.gives(this, old, rule);
    this.insert(rule);
  }

  /** Takes an entry out at once, whoever changes the table. */
  drop(rule: Rule): void {
    rule.removed = true;
    this.timeouts.drop(rule);
    this.cls.remove(rule);
  }

  /** Takes every entry out: they are removed. */
  clear(): void {
    this.eviction = null;
    this.cls.every((rule) => {
      rule.removed = true;
      this.timeouts.drop(rule);
      return true;
    });
    this.cls.clear();
  }

  /** An entry's timeouts became shorter. */
  timesChanged(rule: Rule): void {
    if (!rule.removed) this.eviction?.add(rule);
  }

  /** What a bundle did to the table did not happen. */
  forgetEviction(): void {
    this.eviction = null;
  }

  /** True when an entry asks for the tunnel option. */
  usesTunOption(index: number): boolean {
    return this.cls.usesTunOption(index);
  }

  /** The entry that makes room for another one, or null when none does. */
  victim(): Rule | null {
    if (!this.evicts) {
      this.eviction = null;
      return null;
    }
    if (this.eviction?.fields !== this.groups) {
      this.eviction = new EvictionIndex(this.groups, this.cls.rules());
    }
    return this.eviction.victim();
  }

  /** @returns true when installed flows may consult more than they need now */
  configure(settings: TableSettings): boolean {
    this.configName = settings.name;
    this.maxFlows = settings.maxFlows ?? MAX_FLOWS_DEFAULT;
    this.configEvicts = settings.evicts;
    this.groups = settings.groups;
    return this.cls.setPrefixFields(settings.prefixes);
  }

  get name(): string {
    return this.configName || this.openflowName;
  }

  /** A controller may call the table so. */
  mayBeNamed(name: string): boolean {
    return this.configName === '' || this.configName === name;
  }

  get evicts(): boolean {
    return this.configEvicts || this.openflowEvicts;
  }

  get hidden(): boolean {
    return this.id === TBL_INTERNAL;
  }
}

/** All tables of a bridge. */
export function flowTables(timeouts: RuleTimeouts, view: TableView): FlowTable[] {
  return Array.from({ length: N_TABLES }, (_, id) => new FlowTable(id, timeouts, view));
}
