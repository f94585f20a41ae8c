/**
 * Groups of a bridge: what group-mods make, change and delete, and what the groups have counted.
 *
 *     GroupTable   number -> Group (type, buckets, how a select group chooses)
 *     Group.hashMap   select by dp_hash: low bits of the hash -> bucket, by weight
 *
 * A changed group is a new object: whoever holds the old one (cached statistics) credits in vain.
 * Not for: what a packet does in a group (xlate/groups.ts). OpenFlow 1.5, sections 6.7 and 7.3.4.3.
 */
import type { Clock } from '../common/clock.js';
import { getLogger } from '../common/log.js';
import { fail } from '../openflow/errors.js';
import {
  BUCKET,
  type Bucket,
  type GroupMod,
  type GroupProps,
  type GroupType,
  NO_GROUP_PROPS,
  OFPG,
} from '../openflow/messages-groups.js';
import { checkActions } from './action-check.js';
import type { StatsDelta } from './stats-delta.js';

const log = getLogger('ofproto_dpif');

/** Hash values that a select group's buckets are spread over, at most. */
const HASH_VALUES_MAX = 256;
const HASH_VALUES_MIN = 16;
/** Groups of one bridge. */
export const GROUPS_MAX = 65_536;

export interface GroupBucket extends Bucket {
  packets: number;
  bytes: number;
}

/** How a select group chooses: by the datapath's hash, by fields, or by the 5-tuple. */
export type Selection =
  | { method: 'dp_hash'; algorithm: 'l4' | 'sym_l4'; basis: number; map: GroupBucket[] }
  | { method: 'hash' }
  | { method: 'default' };

export class Group {
  readonly buckets: GroupBucket[];
  readonly selection: Selection;
  packets = 0;
  bytes = 0;

  constructor(
    readonly id: number,
    readonly type: GroupType,
    buckets: readonly Bucket[],
    readonly props: GroupProps,
    readonly createdMs: number,
  ) {
    this.buckets = buckets.map((bucket) => ({ ...bucket, packets: 0, bytes: 0 }));
    if (type === 'select') log.dbg(`Constructing select group ${id}`);
    this.selection = type === 'select' ? chooseSelection(this.buckets, props) : NO_SELECTION;
  }

  /** Counts packets: of one bucket, or (all, indirect) of every one. */
  credit(bucket: GroupBucket | null, delta: StatsDelta): void {
    this.packets += delta.packets;
    this.bytes += delta.bytes;
    for (const each of bucket === null ? this.buckets : [bucket]) {
      each.packets += delta.packets;
      each.bytes += delta.bytes;
    }
  }
}

const NO_SELECTION: Selection = { method: 'default' };

function chooseSelection(buckets: readonly GroupBucket[], props: GroupProps): Selection {
  const chosen = (map: GroupBucket[], algorithm: 'l4' | 'sym_l4', basis: number): Selection => {
    const number = algorithm === 'l4' ? 0 : 1;
    log.dbg(`Use dp_hash with ${map.length} hash values using algorithm ${number}.`);
    return { method: 'dp_hash', algorithm, basis, map };
  };
  switch (props.selectionMethod) {
    case '': {
      log.dbg('No selection method specified. Trying dp_hash.');
      const map = spread(buckets, HASH_VALUES_MAX);
      return map ? chosen(map, 'sym_l4', 0) : defaultSelection();
    }
    case 'dp_hash': {
      log.dbg('Selection method specified: dp_hash.');
      const map = spread(buckets, HASH_VALUES_MAX);
      const param = props.selectionMethodParam;
      const algorithm = param >> 32n === 1n ? 'sym_l4' : 'l4';
      const basis = Number(param & 0xffffffffn);
      return map ? chosen(map, algorithm, basis) : defaultSelection();
    }
    default:
      log.dbg('Selection method specified: hash.');
      if (props.fields.length === 0) {
        log.dbg('No hash fields. Falling back to default hash method.');
        return NO_SELECTION;
      }
      return { method: 'hash' };
  }
}

function defaultSelection(): Selection {
  log.dbg('Falling back to default hash method.');
  return NO_SELECTION;
}

/**
 * Hash values dealt to buckets in proportion to their weights (Webster's method): a power of two of
 * them, so that the hash's low bits are the index. Null when there would have to be too many.
 */
function spread(buckets: readonly GroupBucket[], valuesMax: number): GroupBucket[] | null {
  const weights = buckets.map((bucket) => bucket.weight).filter((weight) => weight > 0);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  if (total === 0) {
    log.dbg(
      buckets.length === 0
        ? "  Don't apply dp_hash method without buckets."
        : '  Total weight is zero. No active buckets.',
    );
    return null;
  }
  const least = Math.min(...weights);
  log.dbg(`  Minimum weight: ${least}, total weight: ${total}`);
  const wanted = Math.ceil(total / least);
  let size = HASH_VALUES_MIN;
  while (size < wanted) size *= 2;
  if (size > valuesMax) {
    log.dbg(`  Too many hash values required: ${size}`);
    return null;
  }
  log.dbg(`  Using ${size} hash values:`);
  const quotients = buckets.map((bucket) => bucket.weight);
  const divisors = buckets.map(() => 1);
  const map: GroupBucket[] = [];
  for (let value = 0; value < size; value++) {
    let winner = 0;
    for (let i = 1; i < buckets.length; i++) if (quotients[i] > quotients[winner]) winner = i;
    divisors[winner] += 2;
    quotients[winner] = buckets[winner].weight / divisors[winner];
    map.push(buckets[winner]);
  }
  for (const bucket of buckets) {
    const target = ((size * bucket.weight) / total).toFixed(2);
    const hits = map.filter((other) => other === bucket).length;
    log.dbg(`  Bucket ${bucket.id}: weight=${bucket.weight}, target=${target} hits=${hits}`);
  }
  return map;
}

/** The bridge that the groups are of. */
interface GroupBridge {
  readonly clock: Clock;
  /** A bundle that is being committed, and whether something of it runs. */
  readonly draft: { readonly running: boolean } | null;
  /** What packets meet has changed. */
  tablesChanged(): void;
  deleteRulesWithGroup(group: number): void;
}

export class GroupTable {
  /** What packets meet. */
  private inForce = new Map<number, Group>();
  /** What a bundle makes of it, once it changes any; seen from inside it alone. */
  private drafted: Map<number, Group> | null = null;

  constructor(private readonly ofproto: GroupBridge) {}

  private get groups(): Map<number, Group> {
    return this.drafted !== null && this.ofproto.draft?.running ? this.drafted : this.inForce;
  }

  get(id: number): Group | null {
    return this.groups.get(id) ?? null;
  }

  /** One group, or all in the order of their numbers. */
  select(id: number): Group[] {
    if (id !== OFPG.ALL) return [this.groups.get(id) ?? []].flat();
    return [...this.groups.values()].sort((a, b) => a.id - b.id);
  }

  get size(): number {
    return this.groups.size;
  }

  /** Executes a group-mod. @throws OfpError; nothing has changed then */
  execute(mod: GroupMod): void {
    if (this.ofproto.draft?.running) this.drafted ??= new Map(this.inForce);
    switch (mod.command) {
      case 'add':
        this.add(mod);
        break;
      case 'add_or_mod':
        if (this.groups.has(mod.group)) this.modify(mod);
        else this.add(mod);
        break;
      case 'delete':
        this.delete(mod.group);
        break;
      default:
        this.modify(mod);
    }
    this.ofproto.tablesChanged();
  }

  /** Takes all groups out, and the entries that use them. */
  clear(): void {
    this.delete(OFPG.ALL);
    this.ofproto.tablesChanged();
  }

  /** From now on packets meet the groups as the bundle made them. */
  publish(): void {
    if (this.drafted !== null) this.inForce = this.drafted;
    this.drafted = null;
  }

  /** What the bundle made of them is not to be. */
  forget(): void {
    this.drafted = null;
  }

  private add(mod: GroupMod): void {
    if (mod.group > OFPG.MAX) fail('OFPGMFC_INVALID_GROUP');
    if (this.groups.has(mod.group)) fail('OFPGMFC_GROUP_EXISTS');
    if (this.groups.size >= GROUPS_MAX) fail('OFPGMFC_OUT_OF_GROUPS');
    this.check(mod.groupType, mod.buckets);
    const now = this.ofproto.clock.now();
    const props = mod.props ?? NO_GROUP_PROPS;
    this.groups.set(mod.group, new Group(mod.group, mod.groupType, mod.buckets, props, now));
  }

  private modify(mod: GroupMod): void {
    const old = this.groups.get(mod.group) ?? fail('OFPGMFC_UNKNOWN_GROUP');
    const bucketsOnly = mod.command === 'insert_bucket' || mod.command === 'remove_bucket';
    const type = bucketsOnly ? old.type : mod.groupType;
    const props = bucketsOnly ? old.props : (mod.props ?? NO_GROUP_PROPS);
    let buckets: readonly Bucket[] = mod.buckets;
    if (mod.command === 'insert_bucket') buckets = inserted(old.buckets, mod);
    else if (mod.command === 'remove_bucket') buckets = remaining(old.buckets, mod);
    this.check(type, buckets);
    const group = new Group(mod.group, type, buckets, props, old.createdMs);
    this.groups.set(mod.group, group);
  }

  private check(type: GroupType, buckets: readonly Bucket[]): void {
    if (type === 'indirect' && buckets.length !== 1) fail('OFPGMFC_INVALID_GROUP');
    for (const bucket of buckets) {
      checkActions(bucket.actions, { table: null, ofproto: null });
    }
  }

  private delete(id: number): void {
    for (const group of this.select(id)) {
      this.groups.delete(group.id);
      this.ofproto.deleteRulesWithGroup(group.id);
    }
  }
}

function inserted(old: readonly Bucket[], mod: GroupMod): Bucket[] {
  const { commandBucketId: at, buckets } = mod;
  const known = new Set(old.map((bucket) => bucket.id));
  const after = old.findIndex((bucket) => bucket.id === at);
  if (at <= BUCKET.MAX && after < 0) fail('OFPGMFC_UNKNOWN_BUCKET');
  if (buckets.some((bucket) => known.has(bucket.id))) fail('OFPGMFC_BUCKET_EXISTS');
  if (at === BUCKET.FIRST) return [...buckets, ...old];
  if (at === BUCKET.LAST) return [...old, ...buckets];
  return [...old.slice(0, after + 1), ...buckets, ...old.slice(after + 1)];
}

function remaining(old: readonly Bucket[], mod: GroupMod): Bucket[] {
  const { commandBucketId: at } = mod;
  if (at === BUCKET.ALL) return [];
  if (at === BUCKET.FIRST) return old.slice(1);
  if (at === BUCKET.LAST) return old.slice(0, -1);
  if (!old.some((bucket) => bucket.id === at)) fail('OFPGMFC_UNKNOWN_BUCKET');
  return old.filter((bucket) => bucket.id !== at);
}
