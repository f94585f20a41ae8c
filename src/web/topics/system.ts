/** Topic `system`: which switch this is, whether it answers, and what can be asked of it. */
import { hostname } from 'node:os';
import type { IdlRow } from '../../ovsdb/idl/index.js';
import { System } from '../api/index.js';
import type { Subject } from '../subject/subject.js';
import { mapOf } from './port-rows.js';
import type { Resource } from './resource.js';

export interface SystemFacts {
  version: string;
  startedAt: number;
  write: boolean;
  tokenNeeded: boolean;
}

export function systemResource(subject: Subject, facts: SystemFacts): Resource {
  return {
    topic: 'system',
    path: '/system',
    summary: 'The switch that is watched, and what can be asked of it',
    answer: System,
    intervalMs: 1000,
    tables: ['Open_vSwitch'],
    read: () => system(subject, facts),
  };
}

async function system(subject: Subject, facts: SystemFacts): Promise<System> {
  const { control, idl, openflow, clock } = subject;
  const [row] = subject.rows('Open_vSwitch') as (IdlRow | undefined)[];
  const [kind, capabilities] = await Promise.all([
    subject.kind(),
    subject.capabilities(facts.write),
  ]);
  const host = hostname();
  const pid = control.pid;
  return {
    name: (row && mapOf(row, 'external_ids').hostname) || host,
    hostname: host,
    ...facts,
    subject: kind,
    subjectVersion: row?.get<string | null>('ovs_version') || (await versionOf(subject)),
    ...(pid === undefined ? {} : { pid }),
    now: clock.wallNow(),
    connected: {
      database: idl.live,
      control: kind !== 'none',
      openflow: [...openflow.answering].sort(),
    },
    capabilities,
  };
}

/** What the daemon says of itself, where the database has nothing: '3.1.0'. */
async function versionOf({ control }: Subject): Promise<string> {
  const text = await control.ask('version').catch(() => '');
  return /\b(\d+\.\d+\.\d+\S*)/.exec(text)?.[1] ?? '';
}
