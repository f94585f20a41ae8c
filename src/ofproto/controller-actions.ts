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
import { type Match, matchAny } from '../openflow/match.js';
import {
  type FlowWords,
  W_ACTSET_OUTPUT,
  W_DP_HASH,
  W_IN_PORT,
  W_METADATA,
  W_TUN_ID,
} from '../packet/flow-layout.js';
import type { Ofproto } from './ofproto.js';
import type { RecircIds } from './recirc-ids.js';
import { StateNumbers } from './state-numbers.js';

/** Fields of two words: known as a whole. */
const WIDE_FIELDS: readonly number[] = [W_METADATA, W_TUN_ID];

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
  /** See metadataMatch. */
  metadata?: Match;
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
    return this.numbers.intern(keyOf(state), () => ({ ...state, flow: metadataOf(state.flow) }));
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

/** The metadata that packet-ins carry: made once for all packets with this state. */
export function metadataMatch(state: ControllerActionState): Match {
  if (state.metadata !== undefined) return state.metadata;
  const { flow } = state;
  const match = matchAny();
  for (let i = 0; i < flow.length; i++) {
    if (flow[i] === 0) continue;
    match.flow[i] = flow[i];
    match.mask[i] = -1;
  }
  for (const word of WIDE_FIELDS) {
    if ((match.mask[word] | match.mask[word + 1]) !== 0) match.mask.fill(-1, word, word + 2);
  }
  match.mask[W_IN_PORT] = -1;
  state.metadata = match;
  return match;
}

/** What the action set would output to is no metadata of the packet. */
function isMetadata(word: number): boolean {
  return word === W_IN_PORT || (word >= W_DP_HASH && word !== W_ACTSET_OUTPUT);
}

function metadataOf(flow: FlowWords): FlowWords {
  return flow.map((value, word) => (isMetadata(word) ? value : 0));
}

function keyOf(state: ControllerActionState): string {
  const { flow } = state;
  const { ofproto, tableId, cookie, controllerId, reason, miss, userdata } = state;
  let key = `${ofproto.name}|${tableId}|${cookie}|${controllerId}|${reason}|${miss}|`;
  if (state.resume !== undefined) key += `resume ${state.resume}|`;
  if (userdata !== undefined) key += Buffer.from(userdata).toString('hex');
  for (let i = 0; i < flow.length; i++) {
    if (flow[i] !== 0 && isMetadata(i)) key += `|${i}:${flow[i]}`;
  }
  return key;
}
