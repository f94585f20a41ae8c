/**
 * From a megaflow's actions to the steps that the kernel's programs carry out (layout.ts), or null
 * when they hold something that only a worker can do.
 */
import { W_DL_DST, W_DL_DST_SRC, W_DL_SRC } from '../../packet/flow-layout.js';
import { DropReason } from '../drop-reasons.js';
import type { OdpAction } from '../odp-actions.js';
import {
  DROP_REASONS_MAX,
  STEP_DELIVER,
  STEP_DELIVER_LAST,
  STEP_DROP,
  STEP_OUTPUT,
  STEP_OUTPUT_LAST,
  STEP_PASS_LAST,
  STEP_POP_VLAN,
  STEP_PUSH_VLAN,
  STEP_SET_DL_DST,
  STEP_SET_DL_SRC,
  STEPS_MAX,
} from './layout.js';

/** Where frames for a port go. */
export interface KernelPort {
  ifindex: number;
  /** To the host's side of a TAP, in place of out of the interface. */
  tap: boolean;
  /** The longest frame that it takes, without a tag; 0: none at all. */
  frameMax: number;
  /** The address of the host behind it that frames may be passed to beside the interface. */
  host?: Uint8Array | null;
}

export interface KernelSteps {
  /** operation, argument; at most STEPS_MAX of them. */
  words: number[];
  /** Bytes as they stand in the entry: new destination, new source. */
  macs: Uint8Array;
  /** Frames longer than this, without their outer tag, find a port that does not take them. */
  lengthMax: number;
}

const TAG_BYTES = 4;

/**
 * @param portOf a port by its datapath number; undefined: the kernel cannot send there
 * @param untagged frames come without a tag
 * @param dst all frames have this destination address; null: several, or they may not be passed
 */
export function kernelSteps(
  actions: readonly OdpAction[],
  portOf: (port: number) => KernelPort | undefined,
  untagged = false,
  dst: Uint8Array | null = null,
): KernelSteps | null {
  const steps: KernelSteps = { words: [], macs: new Uint8Array(12), lengthMax: 0x7fffffff };
  let tags = untagged ? 0 : 1;
  const set = { dst: false, src: false };
  if (actions.length === 0) steps.words.push(STEP_DROP, DropReason.pipeline);
  for (let i = 0; i < actions.length; i++) {
    const action = actions[i];
    const last = i === actions.length - 1;
    switch (action.type) {
      case 'output': {
        const port = portOf(action.port);
        if (!port || port.frameMax === 0) return null;
        // A device has room for one tag beyond what its MTU says.
        steps.lengthMax = Math.min(
          steps.lengthMax,
          port.frameMax - Math.max(0, tags - 1) * TAG_BYTES,
        );
        const operation = port.tap
          ? last
            ? STEP_DELIVER_LAST
            : STEP_DELIVER
          : last
            ? STEP_OUTPUT_LAST
            : STEP_OUTPUT;
        const to = set.dst ? steps.macs.subarray(0, 6) : dst;
        const pass = last && dst !== null && to !== null && isHost(port, to);
        steps.words.push((pass ? STEP_PASS_LAST : operation) | (action.port << 8), port.ifindex);
        break;
      }
      case 'push_vlan':
        tags += 1;
        steps.words.push(STEP_PUSH_VLAN, (action.tpid << 16) | (action.tci & 0xefff));
        break;
      case 'pop_vlan':
        tags = Math.max(0, tags - 1);
        steps.words.push(STEP_POP_VLAN, 0);
        break;
      case 'set':
        if (!setMacs(action, steps, set)) return null;
        break;
      case 'drop':
        if (!last || action.reason >= DROP_REASONS_MAX) return null;
        steps.words.push(STEP_DROP, action.reason);
        break;
      default:
        return null;
    }
  }
  return steps.words.length <= 2 * STEPS_MAX ? steps : null;
}

/**
 * Whether frames to this address are for the host behind the port, and may be passed to it: the
 * kernel's redirect makes each of them the host's own (PACKET_HOST), whatever its address.
 */
function isHost({ host }: KernelPort, address: Uint8Array): boolean {
  return host?.every((byte, i) => byte === address[i]) ?? false;
}

/** Whole addresses only, and each once: an entry has room for one of each. */
function setMacs(
  { attr, value, mask }: Extract<OdpAction, { type: 'set' }>,
  steps: KernelSteps,
  set: { dst: boolean; src: boolean },
): boolean {
  if (attr !== 'eth') return false;
  const bytes = (row: Int32Array) => {
    const view = new DataView(new ArrayBuffer(12));
    for (const [i, word] of [W_DL_DST, W_DL_DST_SRC, W_DL_SRC].entries()) {
      view.setInt32(4 * i, row[word]);
    }
    return new Uint8Array(view.buffer);
  };
  const masks = bytes(mask);
  const values = bytes(value);
  for (const [name, from, operation] of [
    ['dst', 0, STEP_SET_DL_DST],
    ['src', 6, STEP_SET_DL_SRC],
  ] as const) {
    const part = masks.subarray(from, from + 6);
    if (part.every((byte) => byte === 0)) continue;
    if (set[name] || !part.every((byte) => byte === 0xff)) return false;
    set[name] = true;
    steps.macs.set(values.subarray(from, from + 6), from);
    steps.words.push(operation, 0);
  }
  return true;
}
