/**
 * A bridge's Mirror rows. Meanings: ovs-vswitchd.conf.db(5), Mirror.
 */
import type { MirrorSettings } from '../ofproto/settings.js';
import type { IdlRow } from '../ovsdb/idl/index.js';
import { rowNumber, rowNumbers, rowRefs, rowString, type Warn } from './row-values.js';

const SNAPLEN_MAX = 65_535;

/**
 * @param ports the bridge's ports: others are told of and left out
 * @returns the mirrors that have an output, by UUID of their rows
 */
export function readMirrors(
  bridge: IdlRow,
  ports: ReadonlySet<string>,
  warn: Warn,
): Map<string, MirrorSettings> {
  const mirrors = new Map<string, MirrorSettings>();
  for (const row of rowRefs(bridge, 'mirrors')) {
    const say: Warn = (message) => warn(`mirror ${rowString(row, 'name')} ${message}`);
    const settings = readMirror(row, ports, say);
    if (settings !== null) mirrors.set(row.uuid, settings);
  }
  return mirrors;
}

function readMirror(row: IdlRow, ports: ReadonlySet<string>, warn: Warn): MirrorSettings | null {
  const [outRow] = rowRefs(row, 'output_port');
  const outPort = outRow === undefined ? null : rowString(outRow, 'name');
  const outVlan = rowNumber(row, 'output_vlan');
  if (outPort === null && outVlan === null) {
    warn('does not specify output; ignoring');
    return null;
  }
  if (outPort !== null && !ports.has(outPort)) {
    warn('outputs to port not on bridge');
    return null;
  }
  if (outPort !== null && outVlan !== null) {
    warn('specifies both output port and output vlan; ignoring output vlan');
  }
  const selectAll = row.get<boolean>('select_all');
  const vlans = rowNumbers(row, 'select_vlan');
  return {
    name: rowString(row, 'name'),
    selectAll,
    srcPorts: selectAll ? [] : portNames(row, 'select_src_port', ports, warn),
    dstPorts: selectAll ? [] : portNames(row, 'select_dst_port', ports, warn),
    vlans: vlans.length > 0 ? new Set(vlans) : null,
    outPort,
    outVlan: outPort === null ? outVlan : null,
    snaplen: readSnaplen(row),
    filter: rowString(row, 'filter'),
  };
}

/** The largest length cuts nothing. */
function readSnaplen(row: IdlRow): number {
  const snaplen = rowNumber(row, 'snaplen') ?? SNAPLEN_MAX;
  return snaplen === SNAPLEN_MAX ? 0 : snaplen;
}

function portNames(
  row: IdlRow,
  column: string,
  ports: ReadonlySet<string>,
  warn: Warn,
): readonly string[] {
  return rowRefs(row, column).flatMap((port) => {
    const name = rowString(port, 'name');
    if (ports.has(name)) return [name];
    warn(`cannot match on nonexistent port ${name}`);
    return [];
  });
}
