/**
 * Numbers for what a packet that the datapath sends up for a controller needs to become a
 * packet-in.
 *
 *     datapath action userspace(controller(id=7, ...)) ---> id 7 ---> bridge, table, cookie,
 *                                                                     registers, userdata...
 *
 * How long numbers live: state-numbers.ts.
 */
import type { Clock } from '../common/clock.js';
import {
  type FlowWords,
  newFlow,
  W_ACTSET_OUTPUT,
  W_DP_HASH,
  W_IN_PORT,
} from '../packet/flow-layout.js';
import type { Ofproto } from './ofproto.js';
import type { RecircIds } from './recirc-ids.js';
import { StateNumbers } from './state-numbers.js';

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

export class ControllerActions {
  private readonly numbers: StateNumbers<ControllerActionState>;

  /** Shares its numbers with recirculations, as traces show them. */
  constructor(ids: RecircIds, clock: Clock) {
    this.numbers = new StateNumbers<ControllerActionState>({
      alloc: () => ids.take(),
      free: () => {},
      now: () => clock.now(),
    });
  }

  /** The number of this state. Only metadata words of `state.flow` are kept. */
  intern(state: ControllerActionState): number {
    const flow = newFlow();
    flow[W_IN_PORT] = state.flow[W_IN_PORT];
    for (let i = W_DP_HASH; i < flow.length; i++) flow[i] = state.flow[i];
    // What the action set would output to is no metadata of the packet.
    flow[W_ACTSET_OUTPUT] = 0;
    return this.numbers.intern(keyOf(state, flow), () => ({ ...state, flow }));
  }

  get(id: number): ControllerActionState | null {
    return this.numbers.get(id);
  }

  ref(ids: readonly number[]): void {
    this.numbers.ref(ids);
  }

  unref(ids: readonly number[]): void {
    this.numbers.unref(ids);
  }

  /** Forgets what belongs to a bridge that is going away. */
  dropOfproto(ofproto: Ofproto): void {
    this.numbers.dropWhere((state) => state.ofproto === ofproto);
  }

  run(now: number): void {
    this.numbers.run(now);
  }

  nextWake(): number {
    return this.numbers.nextWake();
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
