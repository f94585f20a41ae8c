/** What OpenFlow requests about groups and meters are answered with, for one bridge. */
import { ACTIONS_11, ACTIONS_12 } from '../openflow/codec/messages-stats.js';
import {
  type GroupDescEntry,
  type GroupFeaturesReply,
  type GroupMod,
  type GroupStatsEntry,
  type MeterConfig,
  type MeterFeaturesReply,
  type MeterMod,
  type MeterStatsEntry,
  OFPG,
} from '../openflow/messages-groups.js';
import type { GroupService } from './connmgr/group-handlers.js';
import type { Group } from './group-table.js';
import type { Ofproto } from './ofproto.js';

const ALL_TYPES = 0xf;
/** select_weight, select_liveness, chaining. */
const CAPABILITIES = 7;
/** Bits by action number, of OpenFlow 1.0. */
const ACTIONS_OF10 = 0xfff;

export class BridgeGroups implements GroupService {
  constructor(private readonly ofproto: Ofproto) {}

  groupMod(mod: GroupMod): void {
    this.ofproto.backer.pushStats();
    this.ofproto.groups.execute(mod);
  }

  groupDesc(id: number): GroupDescEntry[] {
    return this.ofproto.groups.select(id).map(({ id: group, type, buckets, props }) => {
      return { group, groupType: type, buckets, props };
    });
  }

  groupStats(id: number): GroupStatsEntry[] {
    this.ofproto.backer.pushStats();
    return this.ofproto.groups.select(id).map((group) => this.stats(group));
  }

  private stats(group: Group): GroupStatsEntry {
    const ageMs = Math.max(0, this.ofproto.clock.now() - group.createdMs);
    return {
      group: group.id,
      refCount: this.ofproto.rulesWith((rule) => rule.usesGroup(group.id)).length,
      packets: BigInt(group.packets),
      bytes: BigInt(group.bytes),
      durationSec: Math.floor(ageMs / 1000),
      durationNsec: Math.floor((ageMs % 1000) * 1e6),
      buckets: group.buckets.map(({ packets, bytes }) => {
        return { packets: BigInt(packets), bytes: BigInt(bytes) };
      }),
    };
  }

  groupFeatures(version: number): GroupFeaturesReply {
    const bits = version === 1 ? ACTIONS_OF10 : version === 2 ? ACTIONS_11 : ACTIONS_12;
    return {
      type: 'group_features_reply',
      types: ALL_TYPES,
      capabilities: CAPABILITIES,
      maxGroups: [OFPG.MAX, OFPG.MAX, OFPG.MAX, OFPG.MAX],
      actions: [bits, bits, bits, bits],
    };
  }

  meterMod(mod: MeterMod): void {
    this.ofproto.meters.execute(mod);
  }

  meterConfig(id: number): MeterConfig[] {
    return this.ofproto.meters.select(id).map(({ config }) => config);
  }

  meterStats(id: number): MeterStatsEntry[] {
    return this.ofproto.meters.stats(id);
  }

  meterFeatures(): MeterFeaturesReply {
    return this.ofproto.meters.features();
  }
}
