/**
 * A bridge's NetFlow, sFlow and IPFIX rows, and the Flow_Sample_Collector_Set rows that name it.
 * Meanings and defaults: ovs-vswitchd.conf.db(5).
 */
import {
  type ExportSettings,
  IPFIX_INTERVAL_SEC,
  IPFIX_SAMPLING,
  type IpfixExporterSettings,
  type IpfixSettings,
  NETFLOW_ACTIVE_TIMEOUT_MS,
  type NetflowSettings,
  SFLOW_HEADER_BYTES,
  SFLOW_POLLING_SEC,
  SFLOW_SAMPLING,
  type SflowSettings,
} from '../export/index.js';
import type { IdlRow } from '../ovsdb/idl/index.js';
import {
  mapBool,
  rowMap,
  rowNumber,
  rowRefs,
  rowString,
  rowStrings,
  type Warn,
} from './row-values.js';

/** Ports that NetFlow's 9 bits for an interface can tell apart, less those with a meaning. */
const MANGLED_PORTS_MAX = 508;
const ENGINE_BITS_MAX = 0x7f;
/** The longest header that a sample can hold in a datagram that is not fragmented. */
const SFLOW_HEADER_BYTES_MAX = 1024;

/**
 * @param collectorSets all Flow_Sample_Collector_Set rows
 * @param subId a number for the bridge's sFlow agent, in case that it has one
 */
export function readExporters(
  bridge: IdlRow,
  collectorSets: Iterable<IdlRow>,
  subId: number,
  warn: Warn,
): ExportSettings {
  const [netflow] = rowRefs(bridge, 'netflow');
  const [sflow] = rowRefs(bridge, 'sflow');
  return {
    netflow: netflow === undefined ? null : readNetflow(netflow, bridge, warn),
    sflow: sflow === undefined ? null : readSflow(sflow, bridge, subId),
    ipfix: readIpfix(bridge, collectorSets),
  };
}

function readNetflow(row: IdlRow, bridge: IdlRow, warn: Warn): NetflowSettings {
  const engineId = rowNumber(row, 'engine_id') ?? 0;
  const addIdToInterface = row.get<boolean>('add_id_to_interface');
  if (addIdToInterface && engineId > ENGINE_BITS_MAX) {
    warn(
      'NetFlow port mangling may conflict with another vswitch, ' +
        'choose an engine id less than 128',
    );
  }
  if (addIdToInterface && rowRefs(bridge, 'ports').length > MANGLED_PORTS_MAX) {
    warn(
      'NetFlow port mangling will conflict with another port when more than ' +
        `${MANGLED_PORTS_MAX} ports are used`,
    );
  }
  return {
    targets: rowStrings(row, 'targets'),
    engineType: rowNumber(row, 'engine_type') ?? 0,
    engineId,
    addIdToInterface,
    activeTimeoutMs: readActiveTimeout(row),
  };
}

/** 0 is the default, -1 none: as documented, which Open vSwitch 3.1's code does not keep to. */
function readActiveTimeout(row: IdlRow): number {
  const seconds = rowNumber(row, 'active_timeout') ?? 0;
  if (seconds === 0) return NETFLOW_ACTIVE_TIMEOUT_MS;
  return seconds < 0 ? 0 : seconds * 1000;
}

function readSflow(row: IdlRow, bridge: IdlRow, subId: number): SflowSettings {
  const controlIp = rowRefs(bridge, 'controller')
    .map((controller) => rowString(controller, 'local_ip'))
    .find((address) => address !== '');
  const natural = (column: string, fallback: number): number =>
    Math.max(0, rowNumber(row, column) ?? fallback);
  return {
    targets: rowStrings(row, 'targets'),
    sampling: natural('sampling', SFLOW_SAMPLING),
    pollingSec: natural('polling', SFLOW_POLLING_SEC),
    headerBytes: Math.min(natural('header', SFLOW_HEADER_BYTES), SFLOW_HEADER_BYTES_MAX),
    agent: row.get<string | null>('agent'),
    controlIp: controlIp ?? null,
    subId,
  };
}

function readIpfix(bridge: IdlRow, collectorSets: Iterable<IdlRow>): IpfixSettings | null {
  const [own] = rowRefs(bridge, 'ipfix');
  const flows: IpfixSettings['flows'][number][] = [];
  for (const set of collectorSets) {
    const [row] = rowRefs(set, 'ipfix');
    const names = rowRefs(set, 'bridge').some(({ uuid }) => uuid === bridge.uuid);
    if (row === undefined || !names || rowStrings(row, 'targets').length === 0) continue;
    flows.push({ ...readExporter(row), collectorSetId: rowNumber(set, 'id') ?? 0 });
  }
  const valid = own !== undefined && rowStrings(own, 'targets').length > 0;
  if (!valid && flows.length === 0) return null;
  if (!valid) return { bridge: null, flows };
  const other = rowMap(own, 'other_config');
  const settings = {
    ...readExporter(own),
    sampling: rowNumber(own, 'sampling') ?? IPFIX_SAMPLING,
    obsDomainId: rowNumber(own, 'obs_domain_id') ?? 0,
    obsPointId: rowNumber(own, 'obs_point_id') ?? 0,
    // As documented: Open vSwitch 3.1's code has it the other way round.
    input: mapBool(other, 'enable-input-sampling', true),
    output: mapBool(other, 'enable-output-sampling', true),
  };
  return { bridge: settings, flows };
}

function readExporter(row: IdlRow): IpfixExporterSettings {
  return {
    targets: rowStrings(row, 'targets'),
    activeTimeoutSec: rowNumber(row, 'cache_active_timeout') ?? 0,
    flowsMax: rowNumber(row, 'cache_max_flows') ?? 0,
    virtualObsId: rowMap(row, 'other_config').get('virtual_obs_id') ?? null,
    statsIntervalSec: rowNumber(row, 'stats_interval') ?? IPFIX_INTERVAL_SEC,
    templateIntervalSec: rowNumber(row, 'template_interval') ?? IPFIX_INTERVAL_SEC,
  };
}
