/**
 * Reads values out of database rows and their string maps, with ranges and defaults.
 *
 * A value that cannot be used is reported to `warn` by name and the default is taken: one bad
 * setting must not keep the rest from working.
 */
import type { IdlRow, RowAtom } from '../ovsdb/idl/index.js';

export type Warn = (message: string) => void;

/** A column of a server with an earlier schema may be missing: then it is empty. */
export function rowValue<T>(row: IdlRow, column: string): T | null {
  return row.table.has(column) ? row.get<T | null>(column) : null;
}

export function rowString(row: IdlRow, column: string): string {
  return rowValue<string>(row, column) ?? '';
}

export function rowNumber(row: IdlRow, column: string): number | null {
  return rowValue<number>(row, column);
}

export function rowStrings(row: IdlRow, column: string): string[] {
  const value = rowValue<RowAtom[] | RowAtom>(row, column);
  if (value === null) return [];
  return (Array.isArray(value) ? value : [value]).map(String);
}

export function rowNumbers(row: IdlRow, column: string): number[] {
  return rowStrings(row, column).map(Number);
}

export function rowMap(row: IdlRow, column: string): Map<string, string> {
  return rowValue<Map<string, string>>(row, column) ?? new Map();
}

/** Referenced rows, whether the column is a set, an optional or a scalar. */
export function rowRefs(row: IdlRow, column: string): IdlRow[] {
  const value = rowValue<IdlRow[] | IdlRow>(row, column);
  if (value === null) return [];
  return Array.isArray(value) ? value : [value];
}

/** An integer setting in [min, max]; out of range or not a number: the default, with a warning. */
export function mapInt(
  map: ReadonlyMap<string, string>,
  key: string,
  range: { min: number; max: number; fallback: number },
  warn: Warn,
): number {
  const text = map.get(key);
  if (text === undefined) return range.fallback;
  const value = Number(text);
  if (Number.isInteger(value) && value >= range.min && value <= range.max) return value;
  warn(
    `${key}: '${text}' is not a number from ${range.min} to ${range.max}, using ${range.fallback}`,
  );
  return range.fallback;
}

/** Open vSwitch's reading of booleans: exactly 'true' or 'false', anything else the default. */
export function mapBool(map: ReadonlyMap<string, string>, key: string, fallback: boolean): boolean {
  const text = map.get(key);
  if (text === undefined) return fallback;
  return fallback ? text !== 'false' : text === 'true';
}

/** 'aa:bb:cc:dd:ee:ff' as 6 bytes, or null when it is not a unicast MAC. */
export function parseMac(text: string | null | undefined): Uint8Array | null {
  if (!text || !/^([0-9a-f]{1,2}:){5}[0-9a-f]{1,2}$/i.test(text)) return null;
  const bytes = Uint8Array.from(text.split(':'), (part) => Number.parseInt(part, 16));
  return bytes;
}

export function formatMacBytes(mac: Uint8Array): string {
  return Array.from(mac, (b) => b.toString(16).padStart(2, '0')).join(':');
}

export function isUnicastMac(mac: Uint8Array): boolean {
  return (mac[0] & 1) === 0 && mac.some((b) => b !== 0);
}
