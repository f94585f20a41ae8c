/**
 * Spreading a balance-tcp bond's packets in the datapath, with at most 256 megaflows however many
 * connections there are.
 *
 *     NORMAL: hash(l4(0)),recirc(7)       recirc_id=7,dp_hash=0x00/0xff  actions=output:1
 *             for all packets      --->   recirc_id=7,dp_hash=0x01/0xff  actions=output:2
 *                                         ...  one entry of table 254 for each bucket
 *
 * The entries follow the bond's buckets, and what they count is the buckets' load. With
 * lb-output-action there are none: the datapath has the buckets in a table of its own
 * (src/datapath/bond-buckets.ts), and one megaflow with lb_output(7) for all packets.
 */
import { getLogger } from '../common/log.js';
import { BOND_BUCKETS } from '../datapath/shared-stats.js';
import { matchAny } from '../openflow/match.js';
import { W_DP_HASH, W_RECIRC_ID } from '../packet/flow-layout.js';
import type { Bond } from './bond.js';
import { TBL_INTERNAL } from './flow-table.js';
import type { Ofproto } from './ofproto.js';
import type { OfPort } from './port.js';
import { NO_FLAGS, Rule } from './rule.js';

const log = getLogger('bond');

const RECIRC_RULE_PRIORITY = 20;
const BUCKET_MASK = BOND_BUCKETS - 1;

export class BondRecirc {
  readonly id: number;
  private readonly rules: (Rule | null)[] = new Array(BOND_BUCKETS).fill(null);
  /** Bytes of each rule, or of the table, that its bucket has been credited with. */
  private readonly accounted = new Float64Array(BOND_BUCKETS);
  /** The datapath's table as it was filled last. */
  private readonly table = new Int32Array(BOND_BUCKETS);
  private refused = false;
  /** Entries and table are what the buckets said when the bond changed last. */
  private current = false;

  constructor(
    private readonly ofproto: Ofproto,
    private readonly bond: Bond,
    private readonly portOf: (link: object) => OfPort | null,
  ) {
    this.id = ofproto.backer.recircIds.alloc({ ofproto, tableId: TBL_INTERNAL });
    bond.recircId = this.id;
  }

  /** Makes the entries, or the datapath's table, what the buckets say. Cheap when they are. */
  update(): void {
    const { bond } = this;
    if (this.current && !bond.changePending) return;
    if (bond.mayRecirc) bond.fillBuckets();
    const lbOutput = bond.mayRecirc && bond.settings.useLbOutput && this.fillTable();
    let changed = lbOutput !== bond.lbOutput;
    if (changed) this.switchTo(lbOutput);
    for (let hash = 0; hash < BOND_BUCKETS; hash++) {
      const port = lbOutput ? null : this.bucketPort(hash);
      if (this.setRule(hash, port?.ofPort ?? null)) changed = true;
    }
    if (changed) this.ofproto.markRevalidate();
    // A table that the datapath had no room for is offered again.
    this.current = lbOutput || !bond.settings.useLbOutput;
  }

  private bucketPort(hash: number): OfPort | null {
    const member = this.bond.mayRecirc ? (this.bond.buckets?.[hash].member ?? null) : null;
    return member === null ? null : this.portOf(member.link);
  }

  /** Tells the datapath where each bucket leads. @returns false when it cannot take that */
  private fillTable(): boolean {
    const { bonds } = this.ofproto.backer.dpif;
    const ports = Int32Array.from(
      { length: BOND_BUCKETS },
      (_, hash) => this.bucketPort(hash)?.odpPort ?? -1,
    );
    if (this.bond.lbOutput && ports.every((port, i) => port === this.table[i])) return true;
    if (bonds?.set(this.id, ports)) {
      this.table.set(ports);
      return true;
    }
    if (!this.refused) {
      log.warn(`${this.bond.name}: Datapath does not support 'lb_output' action, disabled.`);
    }
    this.refused = true;
    return false;
  }

  private switchTo(lbOutput: boolean): void {
    this.bond.lbOutput = lbOutput;
    this.accounted.fill(0);
    if (!lbOutput) this.ofproto.backer.dpif.bonds?.remove(this.id);
  }

  private setRule(hash: number, port: number | null): boolean {
    const { cls } = this.ofproto.tables[TBL_INTERNAL];
    const old = this.rules[hash];
    if (port === null) {
      if (old === null) return false;
      old.removed = true;
      cls.remove(old);
      this.rules[hash] = null;
      return true;
    }
    if (old?.outputsTo(port)) return false;
    const rule = old ?? this.newRule(hash);
    rule.actions = [{ type: 'output', port, maxLen: 0 }];
    if (old === null) cls.insert(rule);
    this.rules[hash] = rule;
    return true;
  }

  private newRule(hash: number): Rule {
    const match = matchAny();
    match.flow[W_RECIRC_ID] = this.id;
    match.mask[W_RECIRC_ID] = -1;
    match.flow[W_DP_HASH] = hash;
    match.mask[W_DP_HASH] = BUCKET_MASK;
    this.accounted[hash] = 0;
    const spec = {
      match,
      priority: RECIRC_RULE_PRIORITY,
      tableId: TBL_INTERNAL,
      cookie: 0n,
      idleTimeout: 0,
      hardTimeout: 0,
      importance: 0,
      flags: NO_FLAGS,
      actions: [],
    };
    return new Rule(spec, this.ofproto.clock.now());
  }

  /** Credits the buckets with what their entries counted. Statistics must have been pushed. */
  account(): void {
    if (this.bond.lbOutput) this.accountTable();
    else this.accountRules();
  }

  private accountTable(): void {
    this.ofproto.backer.dpif.bonds?.bytes(this.id).forEach((bytes, hash) => {
      const bucket = this.bond.buckets?.[hash];
      if (bucket === undefined) return;
      bucket.txBytes += bytes - this.accounted[hash];
      this.accounted[hash] = bytes;
    });
  }

  private accountRules(): void {
    this.rules.forEach((rule, hash) => {
      const bucket = this.bond.buckets?.[hash];
      if (rule === null || bucket === undefined) return;
      bucket.txBytes += rule.bytes - this.accounted[hash];
      this.accounted[hash] = rule.bytes;
    });
  }

  /** Takes all entries out and gives the number up. */
  close(): void {
    for (let hash = 0; hash < BOND_BUCKETS; hash++) this.setRule(hash, null);
    if (this.bond.lbOutput) this.switchTo(false);
    this.ofproto.backer.recircIds.free(this.id);
    if (this.bond.recircId === this.id) this.bond.recircId = 0;
    this.ofproto.markRevalidate();
  }
}
