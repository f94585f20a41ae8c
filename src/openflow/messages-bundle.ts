/**
 * Bundles: messages that take effect together or not at all.
 *
 * In OpenFlow 1.3 they are an extension of the ONF with the same bodies.
 */
import type { OfMessage } from './messages.js';

/** In the order of their numbers. */
export const BUNDLE_TYPES = [
  'open_request',
  'open_reply',
  'close_request',
  'close_reply',
  'commit_request',
  'commit_reply',
  'discard_request',
  'discard_reply',
] as const;
export type BundleType = (typeof BUNDLE_TYPES)[number];

export const BUNDLE_FLAG = { ATOMIC: 1, ORDERED: 2 } as const;

export interface BundleControl {
  type: 'bundle_control';
  bundle: number;
  /** A name, or the number of one that is unknown. */
  ctrl: BundleType | number;
  flags: number;
}

export interface BundleAdd {
  type: 'bundle_add_message';
  bundle: number;
  flags: number;
  /** The message as a frame of its own, with the same xid and version. */
  frame: Uint8Array;
}

export type BundleMessage = BundleControl | BundleAdd;

/** Messages that may be in a bundle. */
export const BUNDLABLE: ReadonlySet<OfMessage['type']> = new Set([
  'flow_mod',
  'group_mod',
  'port_mod',
  'packet_out',
]);
