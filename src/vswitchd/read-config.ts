/**
 * Database rows -> wanted configuration (config.ts). Reads only; changes nothing that runs.
 *
 * Bad values are replaced by defaults and reported once to `warn`, in words that name the row. The
 * meanings and defaults are those of ovs-vswitchd.conf.db(5).
 */

import { getLogger } from '../common/log.js';
import type { TlsFiles } from '../common/tls.js';
import type { AutoLbSettings } from '../datapath/dpif.js';
import { DEFAULT_SPIN_ROUNDS, type KernelMode } from '../datapath/dpif.js';
import { DEFAULT_AUTO_LB } from '../datapath/pmd-auto-lb.js';
import type { RxAssignment } from '../datapath/rx-assign.js';
import { DEFAULT_QUEUE_SETTINGS } from '../netdev/index.js';
import {
  type InBandRemote,
  type InBandSettings,
  inBandRemote,
} from '../ofproto/connmgr/in-band.js';
import {
  type ControllerKind,
  type ControllerSettings,
  defaultUdpifSettings,
  type UdpifSettings,
} from '../ofproto/settings.js';
import type { Idl, IdlRow } from '../ovsdb/idl/index.js';
import type { BridgeConfig, IfaceConfig, PortConfig, SwitchConfig } from './config.js';
import { readExporters } from './read-exporters.js';
import { readFlowTables } from './read-flow-tables.js';
import { readMirrors } from './read-mirrors.js';
import { readIfaceLacp, readPortSettings } from './read-port.js';
import { isQosType, readPolicing, readQos } from './read-qos.js';
import { parseCpuMask, readQueueSettings } from './read-queues.js';
import {
  isUnicastMac,
  mapBool,
  mapInt,
  parseMac,
  rowMap,
  rowNumber,
  rowNumbers,
  rowRefs,
  rowString,
  rowStrings,
  rowValue,
  type Warn,
} from './row-values.js';

const log = getLogger('bridge');

/** OpenFlow port numbers that a row may ask for (OFPP_MAX of OpenFlow 1.0). */
const OFPORT_MAX = 0xfeff;
/** Where a manager listens unless its target says so. */
const OVSDB_PORT = 6640;
const MAC_TABLE_DEFAULT = { min: 10, max: 1_000_000, fallback: 8192 };
const MAC_AGING_DEFAULT = { min: 1, max: 0x7fffffff, fallback: 300 };

function byName(a: { name: string }, b: { name: string }): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

/**
 * The whole wanted configuration, or null while the database has no Open_vSwitch row.
 *
 * @param unchanged the configuration of a bridge whose rows are as when it was read, else null
 */
export function readConfig(
  idl: Idl,
  warn: Warn,
  unchanged: (uuid: string) => BridgeConfig | null = () => null,
): SwitchConfig | null {
  const root = idl.table('Open_vSwitch').first();
  if (!root) return null;
  const seen = new Set<string>();
  const invalidNames: string[] = [];
  const bridges: BridgeConfig[] = [];
  const rows: IdlRow[] = [];
  const same: BridgeConfig[] = [];
  for (const row of rowRefs(root, 'bridges')) {
    const name = rowString(row, 'name');
    if (name.includes('/') || name === '' || seen.has(name)) {
      warn(`ignoring bridge with invalid name '${name}'`);
      if (!seen.has(name)) invalidNames.push(name);
      continue;
    }
    seen.add(name);
    const known = unchanged(row.uuid);
    if (known !== null) same.push(known);
    else {
      bridges.push(readBridge(row, warn));
      rows.push(row);
    }
  }
  setExports(idl, bridges, rows, warn);
  return {
    bridges: bridges.concat(same).sort(byName),
    invalidNames,
    nextCfg: rowNumber(root, 'next_cfg') ?? 0,
    tls: readTls(root),
    otherConfig: rowMap(root, 'other_config'),
    managers: readManagers(root),
  };
}

/** sFlow's agents are numbered over all bridges, and collector sets name their bridge. */
function setExports(idl: Idl, bridges: BridgeConfig[], rows: IdlRow[], warn: Warn): void {
  const sets = [...idl.table('Flow_Sample_Collector_Set')];
  let agents = 0;
  for (const [i, bridge] of bridges.entries()) {
    const say: Warn = (message) => warn(`bridge ${bridge.name}: ${message}`);
    bridge.exports = readExporters(rows[i], sets, agents, say);
    if (bridge.exports.sflow !== null) agents += 1;
  }
}

/** Open_vSwitch other_config: how many megaflows, and how long they stay. */
export function readUdpifSettings(other: ReadonlyMap<string, string>, warn: Warn): UdpifSettings {
  const defaults = defaultUdpifSettings();
  const int = (key: string, min: number, fallback: number): number =>
    mapInt(other, key, { min, max: 0x7fffffff, fallback }, warn);
  return {
    flowLimit: int('flow-limit', 0, defaults.flowLimit),
    maxIdleMs: int('max-idle', 500, defaults.maxIdleMs),
    maxRevalidatorMs: int('max-revalidator', 100, defaults.maxRevalidatorMs),
    minRevalidatePps: int('min-revalidate-pps', 0, defaults.minRevalidatePps),
  };
}

/** Open_vSwitch other_config: settings of the datapath. */
export interface DatapathSettings {
  /** VLAN tags that matches see, 1 or 2; further ones are payload. */
  vlanLimit: number;
  /** CPUs for forwarding workers, or null: the switch chooses. */
  pmdCpus: number[] | null;
  rxAssign: RxAssignment;
  rxIsolate: boolean;
  perfMetrics: boolean;
  autoLb: AutoLbSettings;
  /** Whether the kernel forwards what it can: where that goes unnoticed, unless told. */
  kernelForwarding: KernelMode;
  /** CPUs that share what the kernel forwards, or null. */
  kernelCpus: number[] | null;
  /** Rounds without a frame before a worker sleeps. */
  spinRounds: number;
}

export function readDatapathSettings(
  other: ReadonlyMap<string, string>,
  warn: Warn,
): DatapathSettings {
  // 0 is 'no limit' in the database's documentation: as many as there are.
  const limit = mapInt(other, 'vlan-limit', { min: 0, max: 2, fallback: 1 }, warn);
  return {
    vlanLimit: limit === 0 ? 2 : limit,
    pmdCpus: readCpus('pmd-cpu-mask', other, warn),
    rxAssign: readRxAssign(other.get('pmd-rxq-assign'), warn),
    rxIsolate: mapBool(other, 'pmd-rxq-isolate', true),
    perfMetrics: mapBool(other, 'pmd-perf-metrics', false),
    autoLb: readAutoLb(other, warn),
    kernelForwarding: readKernelMode(other.get('hw-offload')),
    kernelCpus: readCpus('kernel-cpu-mask', other, warn),
    spinRounds: readSpinRounds(other.get('pmd-sleep-max') ?? other.get('pmd-maxsleep')),
  };
}

function readKernelMode(text: string | undefined): KernelMode {
  if (text === undefined) return 'auto';
  return text === 'true' ? 'on' : 'off';
}

/** Open vSwitch's workers never sleep unless told; ours do unless told a longest sleep of 0. */
function readSpinRounds(maxSleepUs: string | undefined): number {
  return maxSleepUs?.trim() === '0' ? Number.POSITIVE_INFINITY : DEFAULT_SPIN_ROUNDS;
}

/** Values out of range are the defaults, as in Open vSwitch. */
function readAutoLb(other: ReadonlyMap<string, string>, warn: Warn): AutoLbSettings {
  const read = (key: string, fallback: number, max: number) =>
    mapInt(other, `pmd-auto-lb-${key}`, { min: 0, max, fallback }, warn);
  const { intervalMin, loadThreshold, improvementThreshold } = DEFAULT_AUTO_LB;
  return {
    enabled: mapBool(other, 'pmd-auto-lb', false),
    intervalMin: Math.max(1, read('rebal-interval', intervalMin, 20_000)),
    loadThreshold: read('load-threshold', loadThreshold, 100),
    improvementThreshold: read('improvement-threshold', improvementThreshold, 100),
  };
}

function readCpus(key: string, other: ReadonlyMap<string, string>, warn: Warn): number[] | null {
  const text = other.get(key);
  if (text === undefined) return null;
  const cpus = parseCpuMask(text);
  if (cpus === null) warn(`${key} '${text}' is not a hexadecimal mask, ignored`);
  return cpus?.length ? cpus : null;
}

function readRxAssign(text: string | undefined, warn: Warn): RxAssignment {
  if (text === 'roundrobin' || text === 'group' || text === 'cycles') return text;
  if (text !== undefined) {
    warn("Unsupported Rxq to PMD assignment mode in pmd-rxq-assign. Defaulting to 'cycles'.");
  }
  return 'cycles';
}

function readBridge(row: IdlRow, warn: Warn): BridgeConfig {
  const name = rowString(row, 'name');
  const other = rowMap(row, 'other_config');
  const say: Warn = (message) => warn(`bridge ${name}: ${message}`);
  const type = rowString(row, 'datapath_type');
  const floodVlans = rowNumbers(row, 'flood_vlans');
  const ports = readPorts(row, name, say);
  return {
    uuid: row.uuid,
    name,
    datapathType: type === '' || type === 'system' ? 'netdev' : type,
    datapathId: parseDatapathId(other.get('datapath-id')),
    hwaddr: usableHwaddr(other.get('hwaddr'), say),
    failMode: rowString(row, 'fail_mode') === 'secure' ? 'secure' : 'standalone',
    controllers: rowRefs(row, 'controller').map(readController),
    inBand: readInBand(other, say),
    protocols: readProtocols(rowStrings(row, 'protocols')),
    macAgingSec: mapInt(other, 'mac-aging-time', MAC_AGING_DEFAULT, say),
    macTableSize: mapInt(other, 'mac-table-size', MAC_TABLE_DEFAULT, say),
    floodVlans: floodVlans.length ? new Set(floodVlans) : null,
    forwardBpdu: mapBool(other, 'forward-bpdu', false),
    dpDesc: other.get('dp-desc') ?? null,
    flowTables: readFlowTables(row, say),
    ports,
    mirrors: readMirrors(row, new Set(ports.map((port) => port.name)), say),
    exports: { netflow: null, sflow: null, ipfix: null },
  };
}

/** What is no datapath id is as if it were not there: the bridge's MAC gives one. */
function parseDatapathId(text: string | undefined): bigint | null {
  if (text === undefined) return null;
  const digits = text.startsWith('0x') ? text.slice(2) : text;
  const wellFormed = text.startsWith('0x') ? digits.length <= 16 : digits.length === 16;
  if (wellFormed && /^[0-9a-f]+$/i.test(digits) && BigInt(`0x${digits}`) !== 0n) {
    return BigInt(`0x${digits}`);
  }
  log.info(`datapath-id '${text}' is not 16 hexadecimal digits, deriving one from the MAC`);
  return null;
}

/** Names as the database's enumeration has them; OpenFlow16 never became a standard. */
function readProtocols(names: string[]): number[] {
  const order = [
    'OpenFlow10',
    'OpenFlow11',
    'OpenFlow12',
    'OpenFlow13',
    'OpenFlow14',
    'OpenFlow15',
  ];
  return names.map((name) => order.indexOf(name) + 1).filter((version) => version > 0);
}

function usableHwaddr(text: string | undefined, warn: Warn): Uint8Array | null {
  if (text === undefined) return null;
  const mac = parseMac(text);
  if (mac && isUnicastMac(mac)) return mac;
  warn(`hwaddr '${text}' is not a unicast MAC address, ignored`);
  return null;
}

/** Open_vSwitch ssl: the keys of connections to controllers. */
function readTls(root: IdlRow): TlsFiles | null {
  const row = rowRefs(root, 'ssl')[0];
  if (row === undefined) return null;
  return {
    privateKey: rowString(row, 'private_key'),
    certificate: rowString(row, 'certificate'),
    caCert: rowString(row, 'ca_cert'),
    bootstrap: row.get<boolean>('bootstrap_ca_cert') === true,
  };
}

/** Where controllers are reached by the bridge itself, unless they say otherwise. */
function isInBand(row: IdlRow): boolean {
  return rowString(row, 'connection_mode') !== 'out-of-band';
}

function readInBand(other: ReadonlyMap<string, string>, warn: Warn): InBandSettings {
  const queue = mapInt(other, 'in-band-queue', { min: -1, max: 0x7fffffff, fallback: -1 }, warn);
  return { enabled: !mapBool(other, 'disable-in-band', false), queue: queue < 0 ? null : queue };
}

/** Managers of the database that are connected to through bridges. */
function readManagers(root: IdlRow): InBandRemote[] {
  const rows = rowRefs(root, 'manager_options').filter(isInBand);
  return rows.flatMap((row) => inBandRemote(rowString(row, 'target'), OVSDB_PORT) ?? []);
}

function readController(row: IdlRow): ControllerSettings {
  return {
    target: rowString(row, 'target'),
    connectionMode: isInBand(row) ? 'in-band' : 'out-of-band',
    kind: rowValue<ControllerKind>(row, 'type') ?? undefined,
    maxBackoffMs: rowNumber(row, 'max_backoff') ?? 8000,
    inactivityProbeMs: rowNumber(row, 'inactivity_probe') ?? 5000,
    async: {
      enabled: rowValue<boolean>(row, 'enable_async_messages') !== false,
      ratePps: rowNumber(row, 'controller_rate_limit') ?? 0,
      burst: rowNumber(row, 'controller_burst_limit') ?? 0,
      queueMax: rowNumber(row, 'controller_queue_size') ?? 0,
    },
  };
}

function readPorts(bridge: IdlRow, bridgeName: string, warn: Warn): PortConfig[] {
  const ports: PortConfig[] = [];
  const seen = new Set<string>();
  for (const row of rowRefs(bridge, 'ports')) {
    const name = rowString(row, 'name');
    if (seen.has(name)) continue;
    seen.add(name);
    const port = readPort(row, bridgeName, warn);
    if (port.ifaces.length === 0) warn(`port ${name} has no interfaces; dropping`);
    else ports.push(port);
  }
  // A bridge always has its local port, whether or not rows describe it.
  if (!ports.some((port) => port.ifaces.some((iface) => iface.name === bridgeName))) {
    ports.push(localPort(bridgeName));
  }
  return ports.sort(byName);
}

function readPort(row: IdlRow, bridgeName: string, warn: Warn): PortConfig {
  const name = rowString(row, 'name');
  const ifaces = rowRefs(row, 'interfaces').map((r) => readIface(r, bridgeName, warn));
  ifaces.sort(byName);
  const qos = readQos(row, (message) => warn(`port ${name}: ${message}`));
  for (const iface of ifaces) iface.qos = qos;
  if (qos && !isQosType(qos.type)) {
    warn(`port ${name}: QoS type '${qos.type}' cannot be applied here, its traffic is not shaped`);
  }
  const settings = readPortSettings(row, ifaces.length, (m) => warn(`port ${name}: ${m}`));
  return { uuid: row.uuid, name, ifaces, settings };
}

function readIface(row: IdlRow, bridgeName: string, warn: Warn): IfaceConfig {
  const name = rowString(row, 'name');
  const type = rowString(row, 'type');
  const options = rowMap(row, 'options');
  const request = rowNumber(row, 'ofport_request');
  const usable = request !== null && request >= 1 && request <= OFPORT_MAX;
  const wantedMac = row.get<string | null>('mac');
  const mac = parseMac(wantedMac);
  if (wantedMac && !mac) warn(`interface ${name}: mac '${wantedMac}' is no address, ignored`);
  return {
    uuid: row.uuid,
    name,
    type: name === bridgeName ? 'internal' : type === '' ? 'system' : type,
    ofportRequest: usable ? request : null,
    mac,
    mtuRequest: rowNumber(row, 'mtu_request'),
    queues: {
      ...readQueueSettings(options, rowMap(row, 'other_config'), (m) =>
        warn(`interface ${name}: ${m}`),
      ),
      policing: readPolicing(row),
    },
    qos: null,
    lacp: readIfaceLacp(row),
    options,
  };
}

function localPort(name: string): PortConfig {
  const iface: IfaceConfig = {
    uuid: null,
    name,
    type: 'internal',
    ofportRequest: null,
    mac: null,
    mtuRequest: null,
    queues: DEFAULT_QUEUE_SETTINGS,
    qos: null,
    lacp: { portId: null, portPriority: null, key: 0 },
    options: new Map(),
  };
  return { uuid: null, name, ifaces: [iface], settings: readPortSettings(null, 1, () => {}, name) };
}
