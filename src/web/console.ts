/**
 * The console's parts and who knows whom.
 *
 *     Subject ──> samplers ──> resources ──┬── GET (routes/read.ts)
 *                                          └── WebSocket (live.ts)
 */
import { join } from 'node:path';
import { Captures } from './captures/captures.js';
import { Metrics } from './metrics/metrics.js';
import { datapathFlowsResource } from './rows/datapath-flows.js';
import { FlowTables } from './rows/flow-tables.js';
import { FarEnds } from './subject/far-ends.js';
import type { Subject } from './subject/subject.js';
import { BondWatch } from './topics/bonds.js';
import { bridgesResource, controllersResource, macsResource } from './topics/bridges.js';
import { databaseResource, tableResource } from './topics/database.js';
import { DropWatch } from './topics/drops.js';
import { groupsResource, metersResource } from './topics/groups.js';
import { LogTail } from './topics/logs.js';
import { PortSampler } from './topics/port-sampler.js';
import { portsResource } from './topics/ports.js';
import { queuesResource } from './topics/queues.js';
import type { Resource } from './topics/resource.js';
import { type SystemFacts, systemResource } from './topics/system.js';
import { topologyResource } from './topics/topology.js';
import { WorkerWatch } from './topics/workers.js';

export interface Console {
  subject: Subject;
  facts: SystemFacts;
  resources: readonly Resource[];
  metrics: Metrics;
  flows: FlowTables;
  bonds: BondWatch;
  captures: Captures;
}

/** @param logDir where a daemon that keeps no log in memory writes its log file */
export function assemble(subject: Subject, facts: SystemFacts, logDir: string): Console {
  const ports = new PortSampler(subject);
  const far = new FarEnds(subject.clock);
  const bonds = new BondWatch(subject, ports);
  const workers = new WorkerWatch(subject);
  const drops = new DropWatch(subject);
  const flows = new FlowTables(subject);
  const captures = new Captures(subject);
  const logs = new LogTail(subject, join(logDir, 'ovs-vswitchd.log'));
  const resources = [
    systemResource(subject, facts),
    topologyResource(subject, ports, bonds, far),
    bridgesResource(subject),
    portsResource(subject, ports, far),
    bonds.resource(),
    controllersResource(subject),
    macsResource(subject),
    groupsResource(subject),
    metersResource(subject),
    flows.resource(),
    datapathFlowsResource(subject),
    workers.resource(),
    queuesResource(subject),
    drops.resource(),
    databaseResource(subject),
    tableResource(subject),
    logs.resource(),
    captures.resource(),
  ];
  const metrics = new Metrics({ subject, ports, bonds, workers, drops }, facts.version);
  return { subject, facts, resources, metrics, flows, bonds, captures };
}
