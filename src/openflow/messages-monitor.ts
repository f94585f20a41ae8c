/**
 * What a switch tells of by itself beyond packets, ports and removed entries: flow monitors,
 * forwarded requests, changes of roles and of tables' vacancy.
 */
import type { OfAction } from './actions.js';
import type { Match } from './match.js';
import type { Role } from './messages-control.js';
import type { TableDesc } from './messages-tables.js';

/** Bits of a monitor's flags as OpenFlow 1.4 numbers them. */
export const MONITOR_FLAG = {
  INITIAL: 1,
  ADD: 2,
  REMOVED: 4,
  MODIFY: 8,
  /** Updates carry actions. */
  INSTRUCTIONS: 16,
  NO_ABBREV: 32,
  /** Nicira's and the ONF's OWN: changes of one's own in full, too. */
  ONLY_OWN: 64,
} as const;

/** In the order of their numbers; before 1.4 there is 'add' alone. */
export const MONITOR_COMMANDS = ['add', 'modify', 'delete'] as const;

export interface FlowMonitor {
  id: number;
  command: (typeof MONITOR_COMMANDS)[number];
  /** MONITOR_FLAG bits. */
  flags: number;
  /** OFPP.NONE: any. */
  outPort: number;
  /** OFPG.ANY: any. */
  outGroup: number;
  /** 255: every table. */
  table: number;
  match: Match;
}

export interface FlowMonitorRequest {
  type: 'flow_monitor_request';
  more?: boolean;
  entries: FlowMonitor[];
}

/** Ends a monitor before OpenFlow 1.4, where a request of the command 'delete' does. */
export interface FlowMonitorCancel {
  type: 'flow_monitor_cancel';
  id: number;
}

/** Before OpenFlow 1.4, where they are events of a reply. */
export interface FlowMonitorPause {
  type: 'flow_monitor_paused' | 'flow_monitor_resumed';
}

/** An entry as it was when something happened to it. */
export interface FlowUpdateFull {
  event: 'initial' | 'added' | 'removed' | 'modified';
  /** Why it was removed, as in flow_removed; else 0. */
  reason: number;
  table: number;
  priority: number;
  idleTimeout: number;
  hardTimeout: number;
  cookie: bigint;
  match: Match;
  /** Empty unless asked for. */
  actions: OfAction[];
}

export type FlowUpdate =
  | FlowUpdateFull
  /** What one's own request did, the message with this xid. */
  | { event: 'abbrev'; xid: number }
  | { event: 'paused' | 'resumed' };

export interface FlowMonitorReply {
  type: 'flow_monitor_reply';
  more?: boolean;
  entries: FlowUpdate[];
}

/** A group-mod or meter-mod of another controller, as a frame of the receiver's version. */
export interface RequestForward {
  type: 'requestforward';
  frame: Uint8Array;
}

export interface RoleStatus {
  type: 'role_status';
  role: Role;
  /** primary_request 0, configuration_changed 1, experimenter_data_changed 2. */
  reason: number;
  /** All ones: none was given. */
  generationId: bigint;
}

/** Bits and numbers of a table's events. */
export const VACANCY = { DOWN: 3, UP: 4 } as const;

export interface TableStatus {
  type: 'table_status';
  /** VACANCY. */
  reason: number;
  desc: TableDesc;
}

export type MonitorMessage =
  | FlowMonitorRequest
  | FlowMonitorCancel
  | FlowMonitorPause
  | FlowMonitorReply
  | RequestForward
  | RoleStatus
  | TableStatus;
