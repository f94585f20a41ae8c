/**
 * Numbers for what a packet that the datapath sends up for a controller needs to become a
 * packet-in.
 *
 *     datapath action userspace(controller(id=7, ...)) ---> id 7 ---> bridge, table, cookie,
 *                                                                     registers, userdata...
 *
 * Equal content has the same number, so that translating a flow again gives equal actions.
 * Installed flows hold references; what none holds is kept until the table is full, since packets
 * that were executed once may still be on their way up.
 */
import {
  type FlowWords,
  newFlow,
  W_ACTSET_OUTPUT,
  W_DP_HASH,
  W_IN_PORT,
} from '../packet/flow-layout.js';
import type { Ofproto } from './ofproto.js';

export interface ControllerActionState {
  ofproto: Ofproto;
  tableId: number;
  cookie: bigint;
  /** Metadata words of the flow when the action was executed; headers come from the packet. */
  flow: FlowWords;
  controllerId: number;
  /** OFPR_* as in OpenFlow 1.4. */
  reason: number;
  /** Of a packet that matched nothing at all, or only a table-miss entry. */
  miss: 'none' | 'implicit' | 'explicit';
  userdata?: Uint8Array;
  /** The packet is paused: the number of the translation that waits for it. */
  resume?: number;
}

interface Entry {
  readonly id: number;
  readonly key: string;
  readonly state: ControllerActionState;
  refs: number;
}

/** Numbers without references beyond this many are given up, oldest first. */
const IDLE_MAX = 16_384;

export class ControllerActions {
  private readonly byKey = new Map<string, Entry>();
  /** Ids grow, so the first entry is the oldest. */
  private readonly byId = new Map<number, Entry>();
  private nextId = 1;

  /** The number of this state. Only metadata words of `state.flow` are kept. */
  intern(state: ControllerActionState): number {
    const flow = newFlow();
    flow[W_IN_PORT] = state.flow[W_IN_PORT];
    for (let i = W_DP_HASH; i < flow.length; i++) flow[i] = state.flow[i];
    // What the action set would output to is no metadata of the packet.
    flow[W_ACTSET_OUTPUT] = 0;
    const key = keyOf(state, flow);
    const known = this.byKey.get(key);
    if (known !== undefined) return known.id;
    if (this.byId.size >= IDLE_MAX) this.dropIdle();
    const entry = { id: this.nextId, key, state: { ...state, flow }, refs: 0 };
    this.nextId = this.nextId >= 0x7fffffff ? 1 : this.nextId + 1;
    this.byKey.set(key, entry);
    this.byId.set(entry.id, entry);
    return entry.id;
  }

  get(id: number): ControllerActionState | null {
    return this.byId.get(id)?.state ?? null;
  }

  ref(ids: readonly number[]): void {
    for (const id of ids) {
      const entry = this.byId.get(id);
      if (entry !== undefined) entry.refs += 1;
    }
  }

  unref(ids: readonly number[]): void {
    for (const id of ids) {
      const entry = this.byId.get(id);
      if (entry !== undefined && entry.refs > 0) entry.refs -= 1;
    }
  }

  /** Forgets what belongs to a bridge that is going away. */
  dropOfproto(ofproto: Ofproto): void {
    for (const entry of [...this.byId.values()]) {
      if (entry.state.ofproto === ofproto) this.drop(entry);
    }
  }

  private dropIdle(): void {
    let left = IDLE_MAX / 4;
    for (const entry of this.byId.values()) {
      if (entry.refs > 0) continue;
      this.drop(entry);
      left -= 1;
      if (left <= 0) return;
    }
  }

  private drop(entry: Entry): void {
    this.byId.delete(entry.id);
    this.byKey.delete(entry.key);
  }
}

function keyOf(state: ControllerActionState, flow: FlowWords): string {
  const { ofproto, tableId, cookie, controllerId, reason, miss, userdata } = state;
  let key = `${ofproto.name}|${tableId}|${cookie}|${controllerId}|${reason}|${miss}|`;
  if (state.resume !== undefined) key += `resume ${state.resume}|`;
  if (userdata !== undefined) key += Buffer.from(userdata).toString('hex');
  for (let i = 0; i < flow.length; i++) if (flow[i] !== 0) key += `|${i}:${flow[i]}`;
  return key;
}
