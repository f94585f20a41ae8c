/**
 * Running state -> database columns: ofport, errors, link state, statistics, cur_cfg...
 *
 * `StatusWriter` compares what runs with what the rows say and commits only the difference, one
 * transaction at a time. Everything that a waiting ovs-vsctl looks at (ofport, error, cur_cfg) goes
 * into the same transaction. Not for: deciding anything (bridge.ts, vswitch.ts).
 */
import { getLogger } from '../common/log.js';
import {
  type ColumnValue,
  datumFromValue,
  type Idl,
  type IdlRow,
  IdlTxn,
} from '../ovsdb/idl/index.js';
import type { Bridge, IfaceState } from './bridge.js';
import { queueStatistics } from './queue-statistics.js';
import { formatMacBytes } from './row-values.js';

const log = getLogger('bridge');

const OFPP_LOCAL = 0xfffffffe;
const OFPP_LOCAL_OF10 = 65534;

/** Interface columns that are empty while its device is not there. */
const NO_DEVICE_COLUMNS = [
  'admin_state',
  'link_state',
  'mac_in_use',
  'mtu',
  'ifindex',
  'lacp_current',
];

export interface StatusSource {
  bridges: Iterable<Bridge>;
  /** Why bridges that are wanted are not there, by name. */
  failures: ReadonlyMap<string, string>;
  /** next_cfg of the configuration that is in force. */
  appliedCfg: number;
  version: string;
  dbVersion: string;
}

/** Columns that the switch writes itself: a change to these alone asks for nothing. */
const STATUS_COLUMNS: Record<string, ReadonlySet<string>> = {
  Open_vSwitch: new Set([
    'cur_cfg',
    'statistics',
    'datapath_types',
    'iface_types',
    'dpdk_initialized',
    'dpdk_version',
    'ovs_version',
    'db_version',
    'system_type',
    'system_version',
    'external_ids',
    'manager_options',
  ]),
  Bridge: new Set(['datapath_id', 'datapath_version', 'status', 'rstp_status', 'external_ids']),
  Port: new Set(['bond_active_slave', 'statistics', 'status', 'rstp_status', 'external_ids']),
  Interface: new Set([
    'admin_state',
    'duplex',
    'error',
    'ifindex',
    'lacp_current',
    'link_resets',
    'link_speed',
    'link_state',
    'mac_in_use',
    'mtu',
    'ofport',
    'statistics',
    'status',
    'external_ids',
  ]),
  Mirror: new Set(['statistics', 'external_ids']),
  Controller: new Set(['is_connected', 'role', 'status', 'external_ids']),
};

/** Whether a change of these columns can mean anything for the configuration. */
export function isConfigChange(table: string, columns: Iterable<string>): boolean {
  const own = STATUS_COLUMNS[table];
  if (!own) return table !== 'Manager';
  for (const column of columns) if (!own.has(column)) return true;
  return false;
}

/** What the datapath knows of a port's transmit queues. */
function transmitQueues({ ofproto }: Bridge, { ofport }: IfaceState) {
  const odpPort = ofproto.portByNo(ofport)?.odpPort ?? null;
  return odpPort === null ? undefined : ofproto.backer.dpif.pmds?.txPorts(odpPort)[0];
}

export class StatusWriter {
  private busy = false;
  private again = false;
  /** Statistics of all interfaces are to be written, not only of those that have none yet. */
  private statisticsAreDue = false;
  private readonly counted = new WeakSet<IfaceState>();

  constructor(
    private readonly idl: Idl,
    private readonly source: () => StatusSource,
    /** Called after each commit that changed something or failed for good. */
    private readonly onCommitted: () => void,
  ) {}

  /**
   * Writes what differs. While a commit is under way, the request is kept for after it. Statistics
   * cost a system call for each device: they are written in their own time, and of new interfaces.
   */
  write({ statistics }: { statistics: boolean }): void {
    this.statisticsAreDue ||= statistics;
    if (this.busy) {
      this.again = true;
      return;
    }
    if (!this.idl.live) return;
    const txn = new IdlTxn(this.idl);
    this.fill(txn);
    this.statisticsAreDue = false;
    this.busy = true;
    txn
      .commit()
      .then(
        (result) => {
          if (result.status === 'try again') this.again = true;
          else if (result.status === 'error') {
            log.err(`status update failed: ${result.error ?? 'unknown error'}`);
          }
        },
        (error: unknown) => log.err(`status update failed: ${String(error)}`),
      )
      .finally(() => {
        this.busy = false;
        this.onCommitted();
        if (!this.again) return;
        this.again = false;
        this.write({ statistics: false });
      });
  }

  private fill(txn: IdlTxn): void {
    const source = this.source();
    this.fillRoot(txn, source);
    for (const bridge of source.bridges) this.fillBridge(txn, bridge);
    if (source.failures.size > 0) this.fillFailures(txn, source.failures);
  }

  /** Whoever asked for a bridge that could not be made looks at its interfaces. */
  private fillFailures(txn: IdlTxn, failures: ReadonlyMap<string, string>): void {
    for (const bridge of this.idl.table('Bridge')) {
      const why = failures.get(bridge.get<string>('name'));
      if (why === undefined) continue;
      for (const port of bridge.get<IdlRow[]>('ports')) {
        for (const iface of port.get<IdlRow[]>('interfaces'))
          setIfDifferent(txn, iface, 'error', why);
      }
    }
  }

  private fillRoot(txn: IdlTxn, source: StatusSource): void {
    const root = this.idl.table('Open_vSwitch').first();
    if (!root) return;
    setIfDifferent(txn, root, 'cur_cfg', source.appliedCfg);
    setIfDifferent(txn, root, 'ovs_version', source.version);
    setIfDifferent(txn, root, 'db_version', source.dbVersion);
    setIfDifferent(txn, root, 'datapath_types', ['netdev', 'system']);
    setIfDifferent(txn, root, 'iface_types', ['afxdp', 'internal', 'patch', 'system', 'tap']);
    setIfDifferent(txn, root, 'dpdk_initialized', false);
  }

  private fillBridge(txn: IdlTxn, bridge: Bridge): void {
    const row = this.idl.table('Bridge').row(bridge.config.uuid);
    if (!row) return;
    const dpid = bridge.ofproto.datapathId.toString(16).padStart(16, '0');
    setIfDifferent(txn, row, 'datapath_id', dpid);
    setIfDifferent(txn, row, 'datapath_version', '<built-in>');
    for (const iface of bridge.ifaces.values()) this.fillIface(txn, bridge, iface);
    for (const port of bridge.ports.values()) this.fillPort(txn, bridge, port.uuid, port.name);
    this.fillControllers(txn, bridge, row);
    this.fillMirrors(txn, bridge, row);
  }

  private fillMirrors(txn: IdlTxn, { ofproto }: Bridge, bridgeRow: IdlRow): void {
    const rows = this.statisticsAreDue ? bridgeRow.get<IdlRow[]>('mirrors') : [];
    if (rows.length > 0) ofproto.backer.pushStats();
    for (const row of rows) {
      const mirror = ofproto.mirrors.get(row.uuid);
      const counts = mirror && { tx_bytes: mirror.bytes, tx_packets: mirror.packets };
      setIfDifferent(txn, row, 'statistics', new Map(Object.entries(counts ?? {})));
    }
  }

  private fillIface(txn: IdlTxn, bridge: Bridge, iface: IfaceState): void {
    const row = iface.config.uuid ? this.idl.table('Interface').row(iface.config.uuid) : null;
    if (!row) return;
    setIfDifferent(txn, row, 'error', iface.error ?? this.patchError(bridge, iface) ?? []);
    const { device } = iface;
    if (!device) {
      setIfDifferent(txn, row, 'ofport', -1);
      for (const column of NO_DEVICE_COLUMNS) setIfDifferent(txn, row, column, []);
      setIfDifferent(txn, row, 'statistics', new Map());
      return;
    }
    const ofport = iface.ofport === OFPP_LOCAL ? OFPP_LOCAL_OF10 : iface.ofport;
    setIfDifferent(txn, row, 'ofport', ofport);
    setIfDifferent(txn, row, 'mac_in_use', formatMacBytes(device.etherAddr()));
    setIfDifferent(txn, row, 'admin_state', device.adminUp() ? 'up' : 'down');
    setIfDifferent(txn, row, 'link_state', device.carrier() ? 'up' : 'down');
    setIfDifferent(txn, row, 'link_resets', device.carrierResets());
    setIfDifferent(txn, row, 'ifindex', device.ifindex());
    setIfDifferent(txn, row, 'mtu', device.mtu() || []);
    setIfDifferent(txn, row, 'lacp_current', bridge.ofproto.lacpCurrent(iface.ofport) ?? []);
    const speed = device.speedMbps();
    setIfDifferent(txn, row, 'link_speed', speed ? speed * 1_000_000 : []);
    const full = device.fullDuplex();
    setIfDifferent(txn, row, 'duplex', full === null ? [] : full ? 'full' : 'half');
    setIfDifferent(txn, row, 'status', new Map(Object.entries(device.status())));
    if (!this.statisticsAreDue && this.counted.has(iface)) return;
    this.counted.add(iface);
    // These two are for dpctl/show: the column has no such keys in Open vSwitch.
    const { tx_aborted_err: _aborted, tx_carrier_err: _carrier, ...own } = device.statistics();
    const counts = { ...own, ...queueStatistics(transmitQueues(bridge, iface)) };
    setIfDifferent(txn, row, 'statistics', new Map(Object.entries(counts)));
  }

  /** A patch port needs another that names it back, on a bridge of the same datapath. */
  private patchError(bridge: Bridge, { config, device }: IfaceState): string | null {
    if (config.type !== 'patch' || !device) return null;
    const peer = config.options.get('peer') ?? '';
    const type = bridge.config.datapathType;
    for (const other of this.source().bridges) {
      const iface = other.ifaces.get(peer);
      if (other.config.datapathType !== type || iface?.config.type !== 'patch') continue;
      if (iface.config.options.get('peer') === config.name) return null;
    }
    return `No usable peer '${peer}' exists in '${type}' datapath.`;
  }

  private fillPort(txn: IdlTxn, bridge: Bridge, uuid: string | null, name: string): void {
    const row = uuid ? this.idl.table('Port').row(uuid) : null;
    if (!row) return;
    const active = bridge.ofproto.bondStatus(name)?.activeMemberMac ?? null;
    setIfDifferent(txn, row, 'bond_active_slave', active ? formatMacBytes(active) : []);
  }

  private fillControllers(txn: IdlTxn, bridge: Bridge, bridgeRow: IdlRow): void {
    const rows = bridgeRow.get<IdlRow[]>('controller');
    for (const status of bridge.ofproto.controllerStatus()) {
      const row = rows.find((r) => r.get<string>('target') === status.target);
      if (!row) continue;
      setIfDifferent(txn, row, 'is_connected', status.connected);
      setIfDifferent(txn, row, 'role', status.role ?? []);
      const map = new Map<string, string>([['state', status.state]]);
      if (status.lastError) map.set('last_error', status.lastError);
      if (status.secSinceConnect !== null) {
        map.set('sec_since_connect', String(status.secSinceConnect));
      }
      if (status.secSinceDisconnect !== null) {
        map.set('sec_since_disconnect', String(status.secSinceDisconnect));
      }
      for (const [name, count] of status.packetIns) map.set(name, String(count));
      setIfDifferent(txn, row, 'status', map);
    }
  }
}

function setIfDifferent(txn: IdlTxn, row: IdlRow, column: string, value: ColumnValue): void {
  const { type } = row.table.column(column);
  if (row.datum(column).equals(datumFromValue(value, type))) return;
  txn.set(row, column, value);
}
