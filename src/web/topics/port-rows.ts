/**
 * Bridges, ports and interfaces as the database has them.
 *
 *     Bridge row -> Port rows -> Interface rows        flattened to one PortRow an interface
 */
import type { IdlRow } from '../../ovsdb/idl/index.js';
import type { Subject } from '../subject/subject.js';

export interface PortRow {
  bridge: IdlRow;
  port: IdlRow;
  iface: IdlRow;
  bridgeName: string;
  portName: string;
  name: string;
  /** The port has several interfaces. */
  isBond: boolean;
}

/** All interfaces, sorted by bridge and OpenFlow port. */
export function portRows(subject: Subject): PortRow[] {
  return subject
    .rows('Bridge')
    .flatMap((bridge) => rowsOf(bridge))
    .sort((a, b) => compare(a.bridgeName, b.bridgeName) || ofportOf(a) - ofportOf(b));
}

function rowsOf(bridge: IdlRow): PortRow[] {
  const bridgeName = bridge.get<string>('name');
  return bridge.get<IdlRow[]>('ports').flatMap((port) => {
    const interfaces = port.get<IdlRow[]>('interfaces');
    const portName = port.get<string>('name');
    const isBond = interfaces.length > 1;
    return interfaces.map((iface) => {
      const name = iface.get<string>('name');
      return { bridge, port, iface, bridgeName, portName, name, isBond };
    });
  });
}

/** The local port last, as its number is the largest. */
function ofportOf({ iface }: PortRow): number {
  const ofport = iface.get<number | null>('ofport') ?? 0;
  return ofport > 0 ? ofport : 70_000;
}

export function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** A map column as an object; empty where there is no such column. */
export function mapOf(row: IdlRow, column: string): Record<string, string> {
  if (!row.table.has(column)) return {};
  return Object.fromEntries(row.get<Map<string, string>>(column));
}

/** A column that may be missing in an older schema. */
export function optional<T>(row: IdlRow, column: string): T | null {
  return row.table.has(column) ? row.get<T | null>(column) : null;
}
