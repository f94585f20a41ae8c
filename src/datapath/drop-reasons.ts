/**
 * Why a datapath drops a packet: one number, one name and one sentence each.
 *
 * Counters (one per reason and worker) lie in shared memory in this order; translation names a
 * reason in its `drop` action. Names follow Open vSwitch's coverage counters where it has one.
 */

/** Reason numbers. Append only: they index counters. */
export const DropReason = {
  /** An empty action list: the tables said to drop. */
  pipeline: 0,
  rxInvalidPacket: 1,
  rxTruncated: 2,
  rxCopyFailed: 3,
  upcallQueueFull: 4,
  invalidPort: 5,
  portDown: 6,
  txTooBig: 7,
  txQueueFull: 8,
  txError: 9,
  copySpace: 10,
  noHeadroom: 11,
  recursionTooDeep: 12,
  executeQueueFull: 13,
  frameTooLong: 14,
  bridgeNotFound: 15,
  tooManyResubmits: 16,
  stackTooDeep: 17,
  noRecirculationContext: 18,
  recirculationConflict: 19,
  tooManyMplsLabels: 20,
  invalidTunnelMetadata: 21,
  unsupportedPacketType: 22,
  congestion: 23,
  forwardingDisabled: 24,
  upcallError: 25,
  meter: 26,
  txBacklogFull: 27,
  policing: 28,
  handOver: 29,
  pipelineTooDeep: 30,
} as const;

export type DropReasonNumber = (typeof DropReason)[keyof typeof DropReason];

/** Name (as coverage/show and dpctl print it) and meaning, by reason number. */
export const DROP_REASONS: readonly { name: string; meaning: string }[] = [
  { name: 'drop_action_of_pipeline', meaning: 'the flow tables have no output for it' },
  { name: 'datapath_drop_rx_invalid_packet', meaning: 'shorter than an Ethernet header' },
  { name: 'datapath_drop_rx_truncated', meaning: 'the receive ring held a part of it only' },
  { name: 'datapath_drop_rx_copy_failed', meaning: 'a large frame could not be fetched' },
  { name: 'datapath_drop_upcall_error', meaning: 'the queue to the main thread was full' },
  { name: 'datapath_drop_invalid_port', meaning: 'an output port that does not exist' },
  { name: 'datapath_drop_port_down', meaning: 'the output interface is down or gone' },
  { name: 'datapath_drop_tx_too_big', meaning: 'longer than the output interface takes (MTU)' },
  { name: 'datapath_drop_tx_queue_full', meaning: 'the output interface had no room' },
  { name: 'datapath_drop_tx_error', meaning: 'the kernel refused it for another reason' },
  { name: 'datapath_drop_copy_space', meaning: 'no memory for a copy of the frame' },
  { name: 'datapath_drop_no_headroom', meaning: 'no room to push another header' },
  { name: 'datapath_drop_recirc_error', meaning: 'nested or recirculated too deeply' },
  { name: 'datapath_drop_execute_queue_full', meaning: 'too many packet-outs waiting' },
  { name: 'datapath_drop_frame_too_long', meaning: 'longer than 65,535 bytes plus headers' },
  { name: 'drop_action_bridge_not_found', meaning: 'the input port belongs to no bridge' },
  { name: 'drop_action_too_many_resubmit', meaning: 'the resubmit limit was reached' },
  { name: 'drop_action_stack_too_deep', meaning: 'the push/pop stack was full' },
  { name: 'drop_action_no_recirculation_context', meaning: 'recirculated without its state' },
  { name: 'drop_action_recirculation_conflict', meaning: 'recirculation state does not fit' },
  { name: 'drop_action_too_many_mpls_labels', meaning: 'too many MPLS labels' },
  { name: 'drop_action_invalid_tunnel_metadata', meaning: 'tunnel metadata is not valid' },
  { name: 'drop_action_unsupported_packet_type', meaning: 'a packet type that is not handled' },
  { name: 'drop_action_congestion', meaning: 'dropped by congestion control' },
  { name: 'drop_action_forwarding_disabled', meaning: 'forwarding is disabled on the port' },
  { name: 'datapath_drop_upcall_translation', meaning: 'its translation failed' },
  { name: 'datapath_drop_meter', meaning: 'over the rate of a meter' },
  { name: 'datapath_drop_tx_backlog_full', meaning: 'too many frames waited for its queue' },
  { name: 'datapath_drop_policing', meaning: 'over the ingress policing rate' },
  { name: 'datapath_drop_hand_over', meaning: 'would overtake what a full ring still holds' },
  { name: 'drop_action_recursion_too_deep', meaning: 'resubmits nest too deep' },
];

/** Reasons whose packets cannot be shown: the switch never had them whole, or has no room. */
const UNSEEN: ReadonlySet<number> = new Set([
  DropReason.rxTruncated,
  DropReason.rxCopyFailed,
  DropReason.upcallQueueFull,
  DropReason.executeQueueFull,
  DropReason.frameTooLong,
  DropReason.copySpace,
  DropReason.upcallError,
]);

/** Whether packets that are dropped for a reason can be shown. */
export function dropsAreShown(reason: number): boolean {
  return !UNSEEN.has(reason);
}

export const N_DROP_REASONS = DROP_REASONS.length;
