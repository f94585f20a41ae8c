/** Topics `groups` and `meters`, over OpenFlow 1.3; an older bridge has neither. */
import { OFPP } from '../../openflow/actions.js';
import type { OfMessage } from '../../openflow/messages.js';
import {
  type Bucket,
  type GroupDescEntry,
  type GroupStatsEntry,
  METER_FLAG,
  type MeterConfig,
  type MeterStatsEntry,
  OFPG,
  OFPM,
} from '../../openflow/messages-groups.js';
import { formatActions } from '../../openflow/syntax/action-format.js';
import { formatPort, type Names } from '../../openflow/syntax/names.js';
import { type Group, Groups, type Meter, Meters } from '../api/index.js';
import { namesOf } from '../subject/names.js';
import type { Subject } from '../subject/subject.js';
import { OfBridge } from './bridges.js';
import type { Resource } from './resource.js';

const OF13 = 4;
const NO_DURATION = 0xffffffff;

export function groupsResource(subject: Subject): Resource {
  return {
    topic: 'groups',
    path: '/bridges/:bridge/groups',
    summary: 'Groups and their counters',
    params: OfBridge,
    answer: Groups,
    intervalMs: 1000,
    tables: [],
    async read(query) {
      const { bridge } = query as OfBridge;
      const [descriptions, statistics] = await askBoth(
        subject,
        bridge,
        { type: 'group_desc_request', group: OFPG.ALL },
        { type: 'group_stats_request', group: OFPG.ALL },
      );
      const counts = new Map(
        statistics
          .flatMap((part) => (part.type === 'group_stats_reply' ? part.entries : []))
          .map((entry) => [entry.group, entry]),
      );
      const names = namesOf(subject, bridge);
      return descriptions
        .flatMap((part) => (part.type === 'group_desc_reply' ? part.entries : []))
        .map((entry) => groupOf(entry, counts.get(entry.group), names))
        .sort((a, b) => a.id - b.id);
    },
  };
}

export function metersResource(subject: Subject): Resource {
  return {
    topic: 'meters',
    path: '/bridges/:bridge/meters',
    summary: 'Meters and their counters',
    params: OfBridge,
    answer: Meters,
    intervalMs: 1000,
    tables: [],
    async read(query) {
      const [configs, statistics] = await askBoth(
        subject,
        (query as OfBridge).bridge,
        { type: 'meter_config_request', meter: OFPM.ALL },
        { type: 'meter_stats_request', meter: OFPM.ALL },
      );
      const counts = new Map(
        statistics
          .flatMap((part) => (part.type === 'meter_stats_reply' ? part.entries : []))
          .map((entry) => [entry.meter, entry]),
      );
      return configs
        .flatMap((part) => (part.type === 'meter_config_reply' ? part.entries : []))
        .map((config) => meterOf(config, counts.get(config.meter)))
        .sort((a, b) => a.id - b.id);
    },
  };
}

/** Two requests to a bridge at once; no answers of one that is too old for them. */
async function askBoth(
  subject: Subject,
  bridge: string,
  one: OfMessage,
  other: OfMessage,
): Promise<[OfMessage[], OfMessage[]]> {
  subject.mustHaveBridge(bridge);
  const { openflow } = subject;
  if ((await openflow.version(bridge)) < OF13) return [[], []];
  return Promise.all([openflow.request(bridge, one), openflow.request(bridge, other)]);
}

function groupOf(entry: GroupDescEntry, count: GroupStatsEntry | undefined, names: Names): Group {
  return {
    id: entry.group,
    type: entry.groupType,
    buckets: entry.buckets.map((bucket, i) => ({
      text: bucketText(bucket, entry.groupType, names),
      ...counters(count?.buckets[i]),
    })),
    ...counters(count),
    duration: seconds(count?.durationSec),
  };
}

/** 'weight:2,watch_port:p1,actions=output:p2': what is not as usual, and what is done. */
function bucketText(bucket: Bucket, type: string, names: Names): string {
  const { weight, watchPort, watchGroup, actions } = bucket;
  const parts = [
    weight === (type === 'select' ? 1 : 0) ? '' : `weight:${weight},`,
    watchPort === OFPP.NONE ? '' : `watch_port:${formatPort(watchPort, names.ports)},`,
    watchGroup === OFPG.ANY ? '' : `watch_group:${watchGroup},`,
  ];
  return `${parts.join('')}actions=${formatActions(actions, names)}`;
}

function meterOf({ meter, flags, bands }: MeterConfig, count?: MeterStatsEntry): Meter {
  return {
    id: meter,
    flags: flagNames(flags),
    bands: bands.map(({ type, rate, burstSize }, i) => ({
      ...{ type, rate, burst: burstSize },
      ...counters(count?.bands[i]),
    })),
    flows: count?.flows ?? 0,
    ...counters(count),
    duration: seconds(count?.durationSec),
  };
}

function counters(count?: { packets: bigint; bytes: bigint }): { packets: number; bytes: number } {
  return { packets: Number(count?.packets ?? 0n), bytes: Number(count?.bytes ?? 0n) };
}

function flagNames(flags: number): string[] {
  return Object.entries(METER_FLAG)
    .filter(([, bit]) => (flags & bit) !== 0)
    .map(([name]) => name.toLowerCase());
}

function seconds(duration: number | undefined): number {
  return duration === undefined || duration === NO_DURATION ? 0 : duration;
}
