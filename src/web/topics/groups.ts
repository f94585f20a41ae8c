/** Topics `groups` and `meters`, over OpenFlow 1.3; an older bridge has neither. */
import type { GroupStatsEntry, MeterStatsEntry } from '../../openflow/messages-groups.js';
import { METER_FLAG, OFPG, OFPM } from '../../openflow/messages-groups.js';
import { formatActions } from '../../openflow/syntax/action-format.js';
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
      subject.mustHaveBridge(bridge);
      const { openflow } = subject;
      if ((await openflow.version(bridge)) < OF13) return [];
      const [descriptions, statistics] = await Promise.all([
        openflow.request(bridge, { type: 'group_desc_request', group: OFPG.ALL }),
        openflow.request(bridge, { type: 'group_stats_request', group: OFPG.ALL }),
      ]);
      const counts = new Map<number, GroupStatsEntry>();
      for (const part of statistics) {
        if (part.type !== 'group_stats_reply') continue;
        for (const entry of part.entries) counts.set(entry.group, entry);
      }
      const names = namesOf(subject, bridge);
      return descriptions
        .flatMap((part) => (part.type === 'group_desc_reply' ? part.entries : []))
        .map((entry): Group => {
          const count = counts.get(entry.group);
          return {
            id: entry.group,
            type: entry.groupType,
            buckets: entry.buckets.map((bucket, i) => ({
              text: `actions=${formatActions(bucket.actions, names)}`,
              packets: Number(count?.buckets[i]?.packets ?? 0n),
              bytes: Number(count?.buckets[i]?.bytes ?? 0n),
            })),
            packets: Number(count?.packets ?? 0n),
            bytes: Number(count?.bytes ?? 0n),
            duration: seconds(count?.durationSec),
          };
        })
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
      const { bridge } = query as OfBridge;
      subject.mustHaveBridge(bridge);
      const { openflow } = subject;
      if ((await openflow.version(bridge)) < OF13) return [];
      const [configs, statistics] = await Promise.all([
        openflow.request(bridge, { type: 'meter_config_request', meter: OFPM.ALL }),
        openflow.request(bridge, { type: 'meter_stats_request', meter: OFPM.ALL }),
      ]);
      const counts = new Map<number, MeterStatsEntry>();
      for (const part of statistics) {
        if (part.type !== 'meter_stats_reply') continue;
        for (const entry of part.entries) counts.set(entry.meter, entry);
      }
      return configs
        .flatMap((part) => (part.type === 'meter_config_reply' ? part.entries : []))
        .map(({ meter, flags, bands }): Meter => {
          const count = counts.get(meter);
          return {
            id: meter,
            flags: flagNames(flags),
            bands: bands.map((band, i) => ({
              type: band.type,
              rate: band.rate,
              burst: band.burstSize,
              packets: Number(count?.bands[i]?.packets ?? 0n),
              bytes: Number(count?.bands[i]?.bytes ?? 0n),
            })),
            flows: count?.flows ?? 0,
            packets: Number(count?.packets ?? 0n),
            bytes: Number(count?.bytes ?? 0n),
            duration: seconds(count?.durationSec),
          };
        })
        .sort((a, b) => a.id - b.id);
    },
  };
}

function flagNames(flags: number): string[] {
  return Object.entries(METER_FLAG)
    .filter(([, bit]) => (flags & bit) !== 0)
    .map(([name]) => name.toLowerCase());
}

function seconds(duration: number | undefined): number {
  return duration === undefined || duration === NO_DURATION ? 0 : duration;
}
