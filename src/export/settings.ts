/**
 * Settings of exporters, as the database's rows have them, with Open vSwitch's defaults.
 *
 * Not for: reading rows (src/vswitchd/read-exporters.ts).
 */

export interface NetflowSettings {
  /** 'ADDRESS:PORT'. */
  targets: readonly string[];
  engineType: number;
  engineId: number;
  /** Puts 7 bits of the engine's id in front of port numbers, which keep 9. */
  addIdToInterface: boolean;
  /** How long a flow goes on before it is told of in between; 0: until it ends. */
  activeTimeoutMs: number;
}

export const NETFLOW_ACTIVE_TIMEOUT_MS = 600_000;

export interface SflowSettings {
  /** 'ADDRESS[:PORT]'. */
  targets: readonly string[];
  /** One in so many packets; 0: none. */
  sampling: number;
  /** Seconds between counter samples; 0: none. */
  pollingSec: number;
  /** Bytes of a packet that a sample has at most. */
  headerBytes: number;
  /** A device whose address the agent has, or the address; null: the switch chooses. */
  agent: string | null;
  /** Address to fall back to: that of the connection to a controller. */
  controlIp: string | null;
  /** Tells the bridges of a switch apart. */
  subId: number;
}

export const SFLOW_SAMPLING = 400;
export const SFLOW_POLLING_SEC = 30;
export const SFLOW_HEADER_BYTES = 128;
export const SFLOW_PORT = 6343;

/** What an IPFIX exporter has, whoever it serves. */
export interface IpfixExporterSettings {
  /** 'ADDRESS[:PORT]'. */
  targets: readonly string[];
  /** How long records are gathered at most; 0: not at all. */
  activeTimeoutSec: number;
  /** Records that are gathered at one time; 0: none. */
  flowsMax: number;
  /** other_config:virtual_obs_id; at most 254 bytes. */
  virtualObsId: string | null;
  /** Between what the exporter tells of itself, and between templates. */
  statsIntervalSec: number;
  templateIntervalSec: number;
}

export interface IpfixBridgeSettings extends IpfixExporterSettings {
  /** One in so many packets. */
  sampling: number;
  obsDomainId: number;
  obsPointId: number;
  input: boolean;
  output: boolean;
}

export interface IpfixFlowSettings extends IpfixExporterSettings {
  collectorSetId: number;
}

export interface IpfixSettings {
  bridge: IpfixBridgeSettings | null;
  flows: readonly IpfixFlowSettings[];
}

export const IPFIX_SAMPLING = 400;
export const IPFIX_INTERVAL_SEC = 600;
export const IPFIX_PORT = 4739;

/** Of one bridge; null: not configured. */
export interface ExportSettings {
  netflow: NetflowSettings | null;
  sflow: SflowSettings | null;
  ipfix: IpfixSettings | null;
}

/** Sampling one packet in `rate`, as a fraction of 2^32 - 1. */
export function probabilityOf(rate: number): number {
  return rate <= 0 ? 0 : Math.max(1, Math.floor(0xffffffff / rate));
}
