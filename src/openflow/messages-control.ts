/**
 * OpenFlow messages that manage a connection rather than flows: hello, echo, configuration, roles,
 * asynchronous settings and Nicira's per-connection switches. Version-independent forms.
 */

export interface Hello {
  type: 'hello';
  /**
   * Versions (wire numbers) that the sender speaks; a bare hello says every version up to its own.
   */
  versions: number[];
}

export interface Echo {
  type: 'echo_request' | 'echo_reply';
  data: Uint8Array;
}

/** Messages that are nothing but their type. */
export interface Simple {
  type:
    | 'features_request'
    | 'get_config_request'
    | 'barrier_request'
    | 'barrier_reply'
    | 'nx_flow_age'
    | 'get_async_request';
}

export interface SwitchConfig {
  type: 'get_config_reply' | 'set_config';
  /** normal 0, drop 1, reassemble 2, nx_match 3. */
  fragHandling: number;
  /** OpenFlow 1.1 and 1.2: send packets with an invalid TTL to the controller. */
  invalidTtlToController?: boolean;
  missSendLen: number;
}

/** Nicira: match format of flow messages on this OpenFlow 1.0 connection. */
export interface SetFlowFormat {
  type: 'nx_set_flow_format';
  format: 'openflow10' | 'nxm';
}

/** Nicira: the upper byte of a flow mod's command names the table. */
export interface FlowModTableId {
  type: 'nx_flow_mod_table_id';
  enable: boolean;
}

export interface SetPacketInFormat {
  type: 'nx_set_packet_in_format';
  /** standard 0, nxt_packet_in 1, nxt_packet_in2 2. */
  format: number;
}

export interface SetControllerId {
  type: 'nx_set_controller_id';
  id: number;
}

export type Role = 'nochange' | 'equal' | 'primary' | 'secondary';

export interface RoleMessage {
  type: 'role_request' | 'role_reply';
  role: Role;
  /** Absent in Nicira's form. */
  generationId?: bigint;
  /** Nicira's form, which is the only one before OpenFlow 1.2. */
  nx?: true;
}

/**
 * Which asynchronous messages a connection wants: bits by reason, [primary or equal, secondary].
 */
export interface AsyncConfig {
  type: 'set_async' | 'get_async_reply';
  packetIn: [number, number];
  portStatus: [number, number];
  flowRemoved: [number, number];
  /** Since 1.4. */
  roleStatus?: [number, number];
  tableStatus?: [number, number];
  requestForward?: [number, number];
}

/** Kinds of asynchronous messages, in the order of their numbers in 1.4. */
export const ASYNC_KINDS = [
  'packetIn',
  'portStatus',
  'flowRemoved',
  'roleStatus',
  'tableStatus',
  'requestForward',
] as const;

export interface AsyncChange {
  kind: (typeof ASYNC_KINDS)[number];
  /** For connections in the secondary role, or for the others. */
  secondary: boolean;
  /** Bits by reason. */
  mask: number;
}

/** 1.4: what is to change of the asynchronous settings; the rest stays. */
export interface SetAsyncProperties {
  type: 'set_async_properties';
  changes: AsyncChange[];
}

export interface PortConfigQueue {
  queue: number;
  /** Tenths of a percent; undefined: not limited. */
  minRate?: number;
  maxRate?: number;
}

export interface QueueGetConfigRequest {
  type: 'queue_get_config_request';
  port: number;
}

export interface QueueGetConfigReply {
  type: 'queue_get_config_reply';
  port: number;
  queues: PortConfigQueue[];
}

/** A vendor message that the codec carries without understanding it. */
export interface Experimenter {
  type: 'experimenter';
  vendor: number;
  data: Uint8Array;
}

export type ControlMessage =
  | Hello
  | Echo
  | Simple
  | SwitchConfig
  | SetFlowFormat
  | FlowModTableId
  | SetPacketInFormat
  | SetControllerId
  | RoleMessage
  | AsyncConfig
  | SetAsyncProperties
  | QueueGetConfigRequest
  | QueueGetConfigReply;
