/** Names of a bridge's ports, for flow syntax: as the database has them. */
import { type Names, nameMap } from '../../openflow/syntax/names.js';
import { portRows } from '../topics/port-rows.js';
import type { Subject } from './subject.js';

/** @param bridge without one there are no names */
export function namesOf(subject: Subject, bridge: string | undefined): Names {
  if (bridge === undefined) return { ports: null, tables: null };
  const ports = portRows(subject).flatMap((row): [number, string][] => {
    const ofport = row.iface.get<number | null>('ofport');
    if (row.bridgeName !== bridge || ofport === null || ofport < 1 || ofport >= 0xff00) return [];
    return [[ofport, row.name]];
  });
  return { ports: nameMap(ports), tables: null };
}
