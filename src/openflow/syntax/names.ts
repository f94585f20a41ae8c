/**
 * Names of ports and tables in flow syntax: reserved ports (LOCAL, NORMAL...), and the names a
 * switch gives.
 */

import { portTo16 } from '../../packet/fields.js';
import type { PortNames } from '../../packet/fields-text.js';
import { OFPP } from '../actions.js';

/** Port names by number of one switch; `null` to show and accept numbers alone. */
export interface NameMap {
  nameOf(number: number): string | undefined;
  numberOf(name: string): number | undefined;
}

const RESERVED: [name: string, port: number][] = [
  ['IN_PORT', OFPP.IN_PORT],
  ['TABLE', OFPP.TABLE],
  ['NORMAL', OFPP.NORMAL],
  ['FLOOD', OFPP.FLOOD],
  ['ALL', OFPP.ALL],
  ['CONTROLLER', OFPP.CONTROLLER],
  ['LOCAL', OFPP.LOCAL],
  ['ANY', OFPP.NONE],
  ['UNSET', OFPP.UNSET],
];

/** A map of names that leaves out names which two numbers share. */
export function nameMap(entries: Iterable<[number: number, name: string]>): NameMap {
  const names = new Map<number, string>();
  const numbers = new Map<string, number | null>();
  for (const [number, name] of entries) {
    names.set(number, name);
    numbers.set(name, numbers.has(name) ? null : number);
  }
  return {
    nameOf(number) {
      const name = names.get(number);
      return name !== undefined && numbers.get(name) === number ? name : undefined;
    },
    numberOf: (name) => numbers.get(name) ?? undefined,
  };
}

/** A name as it is shown: quoted unless it is a letter followed by letters and digits. */
export function quoteName(name: string): string {
  return /^[A-Za-z][A-Za-z0-9]*$/.test(name) ? name : JSON.stringify(name);
}

function lookUp(text: string, map: NameMap | null): number | undefined {
  if (map === null) return undefined;
  if (!text.startsWith('"')) return map.numberOf(text);
  try {
    return map.numberOf(JSON.parse(text) as string);
  } catch {
    return undefined;
  }
}

/**
 * The number of a port written as number, reserved name (any case) or name; null if there is none.
 */
export function parsePort(text: string, map: NameMap | null): number | null {
  if (/^\s*[+]?\d+$/.test(text)) {
    const number = Number(text);
    if (number < 0xff00) return number;
    if (number <= 0xffff) return (number | 0xffff0000) >>> 0;
    return number >= OFPP.MAX && number <= 0xffffffff ? number : null;
  }
  const upper = text.toUpperCase();
  for (const [name, port] of RESERVED) if (name === upper) return port;
  if (upper === 'NONE') return OFPP.NONE;
  return lookUp(text, map) ?? null;
}

export function formatPort(port: number, map: NameMap | null): string {
  const p = port >>> 0;
  for (const [name, number] of RESERVED) if (number === p) return name;
  const name = map?.nameOf(p);
  return name === undefined ? String(portTo16(p)) : quoteName(name);
}

/** The number of a table written as number or name; null if there is none. */
export function parseTable(text: string, map: NameMap | null): number | null {
  if (/^\s*[+]?\d+$/.test(text)) {
    const number = Number(text);
    return number <= 255 ? number : null;
  }
  return lookUp(text, map) ?? null;
}

export function formatTable(table: number, map: NameMap | null): string {
  const name = map?.nameOf(table);
  return name === undefined ? String(table) : quoteName(name);
}

/** Ports for the field texts of src/packet. */
export function portNames(map: NameMap | null): PortNames {
  return { format: (port) => formatPort(port, map), parse: (text) => parsePort(text, map) };
}

/** What parsers and printers of flows need to know of a switch. */
export interface Names {
  ports: NameMap | null;
  tables: NameMap | null;
}

export const NO_NAMES: Names = { ports: null, tables: null };
