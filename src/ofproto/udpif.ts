/**
 * Upcalls and the megaflows that answer them: the main thread's record of what is installed.
 *
 *     upcall miss --> known megaflow? --> execute its actions        (several packets of one flow
 *                  \                                                   were on their way up)
 *                   -> translate --> execute --> flowPut + Ukey
 *
 *     Ukey: the datapath flow (its key is the first packet's), the statistics pushed so far and
 *     where further ones go (xlate/cache.ts)
 *
 * Every installed flow can be translated again from its key: revalidate.ts does so when anything
 * changed, and lets idle flows go. Work is bounded: flows by `flowLimit`, a revalidation step by
 * the number of flows that it visits.
 */
import { TapswitchError } from '../common/errors.js';
import { getLogger } from '../common/log.js';
import { type DpFlow, FLOW_SLOTS, type Upcall } from '../datapath/dpif.js';
import { DropReason } from '../datapath/drop-reasons.js';
import type { OdpAction } from '../datapath/odp-actions.js';
import { odpActionsEqual } from '../datapath/odp-equal.js';
import {
  DP_FLOW_WORDS,
  type FlowWords,
  W_CT_STATE,
  W_IN_PORT,
  W_RECIRC_ID,
  W_TCP_FLAGS,
} from '../packet/flow-layout.js';
import type { OfprotoBacker } from './backer.js';
import { giveFlow, takeFlowCopy } from './flow-pool.js';
import { MacDependents } from './mac-dependents.js';
import { logFailure } from './trace-run.js';
import { pushStats, type XlateCacheEntry } from './xlate/cache.js';
import type { XlateOut } from './xlate/context.js';
import { SharedCaches } from './xlate/shared-caches.js';
import { installed } from './xlate/slow-path.js';
import { megaflowMask, translate } from './xlate/translate.js';

const log = getLogger('ofproto_dpif_upcall');

/** Shared by the many flows that have none. */
const NONE: readonly number[] = [];

/** An installed megaflow. */
export class Ukey {
  cache: readonly XlateCacheEntry[];
  controllerIds: readonly number[];
  recircIds: readonly number[];
  /** Statistics that were pushed already. */
  packets = 0;
  bytes = 0;
  tcpFlags = 0;
  usedMs: number;

  /**
   * @param cache of `out`
   * @param serial grows from flow to flow
   */
  constructor(
    readonly dpFlow: DpFlow,
    out: XlateOut,
    cache: readonly XlateCacheEntry[],
    readonly serial: number,
    nowMs: number,
  ) {
    this.cache = cache;
    this.controllerIds = orNone(out.controllerIds);
    this.recircIds = orNone(out.recircIds);
    this.usedMs = nowMs;
  }

  /** The key of the packet that it was made for, datapath port in W_IN_PORT: a copy. */
  get flow(): FlowWords {
    return this.dpFlow.key;
  }
}

function orNone(ids: readonly number[]): readonly number[] {
  return ids.length === 0 ? NONE : ids;
}

export class Udpif {
  readonly ukeys = new Set<Ukey>();
  readonly macDependents = new MacDependents();
  private readonly caches = new SharedCaches();
  /** Of the next flow; the set of ukeys is in their order. */
  nextSerial = 1;
  /** Deleted from the datapath; their last statistics come after `dpif.sync()`. */
  private dying: Ukey[] = [];
  private syncing = false;
  private limitReported = false;
  maxFlows = 0;
  /** What revalidation in good time allows, at most `flow-limit` (Revalidator.adaptLimit). */
  affordableFlows = Number.POSITIVE_INFINITY;
  /** Off: every flow matches one packet's headers exactly. */
  megaflows = true;
  /** Moving average of the number of flows, taken once per revalidation. */
  avgFlows = 0;

  constructor(private readonly backer: OfprotoBacker) {}

  /** Flows that may be installed now. */
  get flowLimit(): number {
    return Math.min(this.affordableFlows, this.backer.settings.flowLimit, FLOW_SLOTS);
  }

  /** Takes one packet from the datapath. */
  upcall(upcall: Upcall): void {
    const { cookie } = upcall;
    if (upcall.type === 'action' && cookie?.type === 'controller') {
      this.backer.packetIn(cookie, upcall);
      return;
    }
    if (cookie !== undefined && 'bridge' in cookie) {
      this.backer.sampled(cookie, upcall);
      return;
    }
    const known = upcall.type === 'miss' ? this.lookup(upcall.key) : null;
    const valid = known !== null && this.backer.revalidator.isCurrent(known);
    if (valid && this.runKnown(known, upcall)) return;
    this.handleMiss(upcall, known);
  }

  /** The installed flow that a packet's key matches, or null. */
  private lookup(key: FlowWords): Ukey | null {
    return (this.backer.dpif.flowMatch(key)?.owner as Ukey | undefined) ?? null;
  }

  /** The flow was installed while the packet was on its way: do what the flow does. */
  private runKnown(ukey: Ukey, upcall: Upcall): boolean {
    if (ukey.dpFlow.actions.some(needsTranslation)) return false;
    this.backer.dpif.execute(upcall.frame, upcall.key, ukey.dpFlow.actions);
    this.credit(ukey.cache, upcall);
    return true;
  }

  /** @param learned translation has learned from the packet */
  private credit(cache: readonly XlateCacheEntry[], upcall: Upcall, learned = false): void {
    const usedMs = this.backer.clock.now();
    const tcpFlags = upcall.key[W_TCP_FLAGS] >>> 16;
    pushStats(cache, { packets: 1, bytes: upcall.frame.data.length, usedMs, tcpFlags }, learned);
  }

  /** @param known the flow that the packet's key matches now, if any */
  private handleMiss(upcall: Upcall, known: Ukey | null): void {
    const { changes } = this.backer.revalidator;
    const { nextSerial } = this;
    const out = this.translateKey(upcall.key, true, upcall.frame.data);
    if (out === null) {
      log.dbg(`received packet on unassociated datapath port ${upcall.key[W_IN_PORT]}`);
      this.backer.dpif.countDrop(DropReason.bridgeNotFound);
      return;
    }
    // A packet that an installed flow sent up is counted by that flow.
    if (upcall.type === 'miss') this.credit(out.cache, upcall, true);
    if (out.actions.length > 0 || this.backer.dpif.showsDrops) {
      this.backer.dpif.execute(upcall.frame, upcall.key, out.actions);
    } else {
      this.backer.dpif.countDrop(DropReason.pipeline);
    }
    if (upcall.type === 'miss') {
      // What others have installed meanwhile may match as well.
      const old = nextSerial === this.nextSerial ? known : this.lookup(upcall.key);
      this.install(upcall.key, out, old !== null && this.ukeys.has(old) ? old : null);
    }
    // The packet itself changed the tables (learn): what was installed may be of before.
    if (this.backer.revalidator.changes !== changes) this.backer.tablesChanged();
  }

  /** Translates a datapath key, or null when its port belongs to no bridge. */
  translateKey(key: FlowWords, hasPacket: boolean, packet?: Uint8Array): XlateOut | null {
    const port = this.backer.portByOdp(key[W_IN_PORT]);
    if (port === null) return null;
    const flow = takeFlowCopy(key);
    flow[W_IN_PORT] = port.ofPort;
    // A packet comes back from a recirculation to the bridge that asked for it.
    const ofproto = this.backer.recircIds.get(key[W_RECIRC_ID])?.ofproto ?? port.ofproto;
    const xin = { ofproto, flow, sideEffects: hasPacket, hasPacket, packet };
    const out = translate(xin);
    if (hasPacket && out.error !== 'ok') logFailure(ofproto, flow, out.error);
    giveFlow(flow);
    return out;
  }

  /** @param old the flow that matches the key, if any */
  private install(key: FlowWords, out: XlateOut, old: Ukey | null): void {
    if (this.ukeys.size >= this.flowLimit) {
      if (!this.limitReported) log.warn(`flow limit ${this.ukeys.size} reached`);
      this.limitReported = true;
      return;
    }
    const mask = megaflowMask(out.wc, key);
    if (!this.megaflows) exactMask(mask);
    if (old !== null) {
      if (odpActionsEqual(old.dpFlow.actions, installed(out)) && masksEqual(old, mask)) return;
      this.remove(old);
    }
    try {
      // The whole key, for the text of dumps: bits outside the mask do not count.
      const dpFlow = this.backer.dpif.flowPut({ key, mask, actions: installed(out) });
      giveFlow(mask);
      const nowMs = this.backer.clock.now();
      const ukey = new Ukey(dpFlow, out, this.caches.of(out.cache), this.nextSerial++, nowMs);
      dpFlow.owner = ukey;
      this.backer.controllerActions.ref(ukey.controllerIds);
      this.backer.frozenStates.ref(ukey.recircIds);
      this.ukeys.add(ukey);
      this.macDependents.add(ukey);
      if (this.ukeys.size === 1) this.backer.wake();
      this.maxFlows = Math.max(this.maxFlows, this.ukeys.size);
    } catch (error) {
      if (!(error instanceof TapswitchError)) throw error;
      log.dbg(`flow not installed: ${error.message}`);
    }
  }

  /**
   * Credits what the datapath has counted for a flow since the last time.
   * @returns how many packets
   */
  pushFlowStats(ukey: Ukey): number {
    if (this.backer.dpif.flowPackets(ukey.dpFlow) <= ukey.packets) return 0;
    const stats = this.backer.dpif.flowStats(ukey.dpFlow);
    const packets = stats.packets - ukey.packets;
    const bytes = stats.bytes - ukey.bytes;
    ukey.tcpFlags |= stats.tcpFlags;
    if (packets <= 0) return 0;
    ukey.packets = stats.packets;
    ukey.bytes = stats.bytes;
    ukey.usedMs = Math.max(ukey.usedMs, stats.usedMs);
    pushStats(ukey.cache, { packets, bytes, usedMs: stats.usedMs, tcpFlags: stats.tcpFlags });
    return packets;
  }

  /** Brings every rule's, port's and MAC's statistics up to date. */
  pushAllStats(): void {
    for (const ukey of this.ukeys) this.pushFlowStats(ukey);
  }

  /** Gives an installed flow other actions. */
  modify(ukey: Ukey, out: XlateOut): void {
    this.backer.dpif.flowModify(ukey.dpFlow, installed(out));
  }

  adoptCache(ukey: Ukey, out: XlateOut): void {
    this.backer.controllerActions.ref(out.controllerIds);
    this.backer.frozenStates.ref(out.recircIds);
    this.backer.frozenStates.unref(ukey.recircIds);
    this.backer.controllerActions.unref(ukey.controllerIds);
    this.macDependents.remove(ukey);
    ukey.cache = this.caches.of(out.cache);
    ukey.controllerIds = orNone(out.controllerIds);
    ukey.recircIds = orNone(out.recircIds);
    this.macDependents.add(ukey);
  }

  remove(ukey: Ukey): void {
    if (!this.ukeys.delete(ukey)) return;
    this.macDependents.remove(ukey);
    this.backer.revalidator.forget(ukey);
    this.limitReported = false;
    this.pushFlowStats(ukey);
    this.backer.dpif.flowDel(ukey.dpFlow);
    this.dying.push(ukey);
    this.reapLater();
  }

  removeAll(): void {
    for (const ukey of [...this.ukeys]) this.remove(ukey);
  }

  /** Removes a flow of the datapath, whoever put it there. */
  removeDpFlow(flow: DpFlow): void {
    for (const ukey of this.ukeys) {
      if (ukey.dpFlow !== flow) continue;
      this.remove(ukey);
      return;
    }
    this.backer.dpif.flowDel(flow);
  }

  /** Reads the last statistics of deleted flows once no worker can use them any more. */
  private reapLater(): void {
    if (this.syncing) return;
    this.syncing = true;
    queueMicrotask(() => {
      const batch = this.dying;
      this.dying = [];
      const done = (): void => {
        for (const ukey of batch) this.finish(ukey);
        this.syncing = false;
        if (this.dying.length > 0) this.reapLater();
      };
      this.backer.dpif.sync().then(done, (error: unknown) => {
        log.dbg(`datapath closed while flows were deleted: ${String(error)}`);
        done();
      });
    });
  }

  private finish(ukey: Ukey): void {
    this.pushFlowStats(ukey);
    for (const entry of ukey.cache) if (entry.type === 'netflow') entry.netflow.clear(entry.key);
    this.backer.controllerActions.unref(ukey.controllerIds);
    this.backer.frozenStates.unref(ukey.recircIds);
  }
}

/** A packet that an action sends up to be translated: what to do with it is not in the flow. */
function needsTranslation(action: OdpAction): boolean {
  if (action.type !== 'userspace') return false;
  return action.cookie.type === 'slow_path' || action.cookie.type === 'controller';
}

/** Every bit that the datapath knows: of connection tracking's state there are eight. */
function exactMask(mask: FlowWords): void {
  mask.fill(-1, 0, DP_FLOW_WORDS);
  mask[W_CT_STATE] = 0x00ffffff;
}

function masksEqual(ukey: Ukey, mask: FlowWords): boolean {
  return mask.every((word, i) => word === ukey.dpFlow.mask[i]);
}
