/**
 * Topic `bonds`: from bond/status where the daemon has it, else read from the texts of bond/show
 * and lacp/show, which every Open vSwitch has.
 */
import { type Bond, type BondMember, Bonds } from '../api/index.js';
import { Sampled } from '../sampled.js';
import type { Subject } from '../subject/subject.js';
import { parseBondShow } from './bond-text.js';
import { portRows } from './port-rows.js';
import { PortSampler } from './port-sampler.js';
import type { Resource } from './resource.js';

/** What bond/status answers: an element a bond. */
interface BondStatus {
  bridge: string;
  name: string;
  mode: Bond['mode'];
  lacp: Bond['lacp'];
  active: string | null;
  rebalanceMs: number | null;
  members: {
    name: string;
    enabled: boolean;
    active: boolean;
    carrier: boolean;
    why: string;
    buckets: number;
    load: number;
    lacp: BondMember['lacp'];
  }[];
  events: { seq: number; atMs: number; member: string | null; text: string }[];
}

/** Watchers see a failover within this. */
const INTERVAL_MS = 250;
const LINGER_MS = 2000;

export class BondWatch {
  private readonly sampled: Sampled<Bond[]>;

  constructor(
    private readonly subject: Subject,
    private readonly ports: PortSampler,
  ) {
    const take = () => this.take();
    const { clock } = subject;
    this.sampled = new Sampled({ clock, intervalMs: INTERVAL_MS, lingerMs: LINGER_MS, take });
  }

  get(): Promise<Bond[]> {
    return this.sampled.get();
  }

  resource(): Resource {
    return {
      topic: 'bonds',
      path: '/bonds',
      summary: 'Bonds: members and why each is used or not, buckets, LACP, events',
      answer: Bonds,
      intervalMs: INTERVAL_MS,
      tables: ['Port', 'Interface'],
      read: () => this.sampled.take(),
    };
  }

  private async take(): Promise<Bond[]> {
    const { subject } = this;
    subject.mustHaveDatabase();
    if (!portRows(subject).some(({ isBond }) => isBond)) return [];
    const [bonds, samples] = await Promise.all([this.read(), this.ports.samples.get()]);
    const rows = new Map(portRows(subject).map((row) => [row.name, row]));
    for (const member of bonds.flatMap(({ members }) => members)) {
      const row = rows.get(member.name);
      const rates = row && samples.get(PortSampler.key(row))?.rates;
      if (!rates) continue;
      member.txBps = Math.round(rates.txBps);
      member.rxBps = Math.round(rates.rxBps);
    }
    return bonds;
  }

  private async read(): Promise<Bond[]> {
    const { control } = this.subject;
    const commands = await control.commands();
    if (commands.has('bond/status')) {
      return (await control.json<BondStatus[]>('bond/status')).map(fromStatus);
    }
    const [bonds, lacp] = await Promise.all([control.ask('bond/show'), control.ask('lacp/show')]);
    const bridges = new Map(portRows(this.subject).map((row) => [row.portName, row.bridgeName]));
    return parseBondShow(bonds, lacp).map((bond) => ({
      ...bond,
      bridge: bridges.get(bond.name) ?? '',
    }));
  }
}

function fromStatus({ members, events, ...bond }: BondStatus): Bond {
  return {
    ...bond,
    members: members.map(({ name, enabled, active, carrier, why, buckets, load, lacp }) => ({
      ...{ name, enabled, active, carrier, why, buckets, load, lacp },
      txBps: null,
      rxBps: null,
    })),
    events: events.map(({ atMs, ...event }) => ({ ...event, at: atMs })),
  };
}
