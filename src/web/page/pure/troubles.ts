/**
 * What somebody should look at, the worst first: from what the switch says of itself.
 */
import type { Bond, Controllers, Port, Worker } from '../../api/index.js';

export interface Trouble {
  tone: 'bad' | 'warn';
  what: string;
  why: string;
  /** Where more of it stands. */
  page: string;
  path: string[];
}

export interface TroubleInput {
  ports: readonly Port[];
  bonds: readonly Bond[];
  controllers: Controllers;
  workers: readonly Worker[];
}

const LOAD_HIGH = 0.9;

export function troubles({ ports, bonds, controllers, workers }: TroubleInput): Trouble[] {
  const all = [
    ...bonds.flatMap(ofBond),
    ...ports.flatMap(ofPort),
    ...controllers.filter(({ connected }) => !connected).map(ofController),
    ...workers.filter(({ load }) => (load ?? 0) > LOAD_HIGH).map(ofWorker),
  ];
  return [...all.filter(({ tone }) => tone === 'bad'), ...all.filter(({ tone }) => tone !== 'bad')];
}

function ofPort(port: Port): Trouble[] {
  const place = { what: port.name, page: 'ports', path: [port.name] };
  if (port.error !== null && port.error !== '') {
    return [{ ...place, tone: 'bad', why: port.error }];
  }
  if (port.type === 'internal' || port.type === 'patch') return [];
  if (port.admin === 'down') return [{ ...place, tone: 'warn', why: 'is switched off' }];
  if (port.link === 'down') return [{ ...place, tone: 'warn', why: 'has no carrier' }];
  return [];
}

function ofBond({ bridge, name, members }: Bond): Trouble[] {
  const place = { what: name, page: 'bonds', path: [bridge, name] };
  const off = members.filter(({ enabled }) => !enabled);
  if (members.length > 0 && off.length === members.length) {
    return [{ ...place, tone: 'bad', why: 'no member carries traffic' }];
  }
  return off.map((member) => ({
    ...place,
    tone: 'warn' as const,
    why: `${member.name}: ${member.why === '' ? 'disabled' : member.why}`,
  }));
}

function ofController({ bridge, target }: Controllers[number]): Trouble {
  return {
    tone: 'bad',
    what: target,
    why: `controller of ${bridge} is not connected`,
    page: 'controllers',
    path: [],
  };
}

function ofWorker({ cpu }: Worker): Trouble {
  const what = cpu < 0 ? 'A worker' : `CPU ${cpu}`;
  return { tone: 'warn', what, why: 'has almost no time left', page: 'workers', path: [] };
}
