/**
 * Requests about groups and meters: what is asked goes to the bridge's group service, what it says
 * goes back in parts.
 *
 * Not for: what groups and meters do. A bridge without service has none, and says so.
 */
import { fail } from '../../openflow/errors.js';
import type { OfMessage } from '../../openflow/messages.js';
import type {
  GroupDescEntry,
  GroupFeaturesReply,
  GroupMessage,
  GroupMod,
  GroupStatsEntry,
  MeterConfig,
  MeterFeaturesReply,
  MeterMod,
  MeterStatsEntry,
} from '../../openflow/messages-groups.js';
import type { Forwarded } from './notices.js';
import type { OfConn } from './ofconn.js';

/** Groups and meters of a bridge. Methods throw OfpError to refuse. */
export interface GroupService {
  groupMod(mod: GroupMod): void;
  /** @param group a number, or OFPG.ALL; unknown ones give nothing */
  groupDesc(group: number): GroupDescEntry[];
  groupStats(group: number): GroupStatsEntry[];
  /** @param version whose action numbers the bits are */
  groupFeatures(version: number): GroupFeaturesReply;
  meterMod(mod: MeterMod): void;
  /** @param meter a number, or OFPM.ALL. @throws OFPMMFC_UNKNOWN_METER */
  meterConfig(meter: number): MeterConfig[];
  meterStats(meter: number): MeterStatsEntry[];
  meterFeatures(): MeterFeaturesReply;
}

/** What a bridge without groups and meters answers: deleting nothing is no error. */
export const NO_GROUPS: GroupService = {
  groupMod(mod) {
    if (mod.command === 'delete' || mod.command === 'remove_bucket') return;
    fail('OFPGMFC_OUT_OF_GROUPS');
  },
  groupDesc: () => [],
  groupStats: () => [],
  groupFeatures: () => ({
    ...{ type: 'group_features_reply', types: 0, capabilities: 0 },
    ...{ maxGroups: [0, 0, 0, 0], actions: [0, 0, 0, 0] },
  }),
  meterMod(mod) {
    if (mod.command !== 'delete') fail('OFPMMFC_OUT_OF_METERS');
  },
  meterConfig: () => [],
  meterStats: () => [],
  meterFeatures: () => ({
    ...{ type: 'meter_features_reply', maxMeters: 0, bandTypes: 0, capabilities: 0 },
    ...{ maxBands: 0, maxColor: 0 },
  }),
};

/** Commands that every version has. */
const PLAIN_COMMANDS: ReadonlySet<GroupMod['command']> = new Set(['add', 'modify', 'delete']);

/** Requests that this file answers. */
export type GroupRequestMessage = Exclude<GroupMessage, { type: `${string}_reply` }>;

const TYPES: ReadonlySet<string> = new Set([
  ...['group_mod', 'group_stats_request', 'group_desc_request', 'meter_mod'],
  ...['meter_stats_request', 'meter_config_request', 'meter_features_request'],
]);

export function isGroupRequest(msg: OfMessage): msg is GroupRequestMessage {
  return TYPES.has(msg.type);
}

/** Entries of one part of a reply before looking whether the peer keeps up. */
const ENTRIES_PER_PART = 256;

/** A few entries are sent at once; many in parts, each after the peer has read enough. */
function sendList<E>(
  conn: OfConn,
  xid: number,
  entries: readonly E[],
  make: (part: E[], more: boolean) => OfMessage,
): Promise<void> | null {
  const send = (from: number): boolean => {
    const to = from + ENTRIES_PER_PART;
    conn.reply(make(entries.slice(from, to), to < entries.length), xid);
    return to < entries.length;
  };
  if (!send(0)) return null;
  const rest = async (): Promise<void> => {
    for (let at = ENTRIES_PER_PART; at < entries.length && conn.open; at += ENTRIES_PER_PART) {
      await conn.whenUncongested();
      send(at);
    }
  };
  return rest();
}

/** Carries a group-mod out. @returns what others are told. @throws OfpError */
export function groupMod(service: GroupService, msg: GroupMod, xid: number): Forwarded {
  const needed = !PLAIN_COMMANDS.has(msg.command);
  const existed = needed && service.groupDesc(msg.group).length > 0;
  service.groupMod(msg);
  const buckets = needed ? (service.groupDesc(msg.group)[0]?.buckets ?? []) : msg.buckets;
  return { msg, xid, buckets, existed };
}

export function handleGroups(
  conn: OfConn,
  msg: GroupRequestMessage,
  xid: number,
): Promise<void> | null {
  const { groups: service, notices } = conn.ofproto.connmgr;
  switch (msg.type) {
    case 'group_mod':
      notices.forward(conn, groupMod(service, msg, xid));
      return null;
    case 'meter_mod':
      service.meterMod(msg);
      notices.forward(conn, { msg, xid });
      return null;
    case 'group_stats_request':
      return sendList(conn, xid, service.groupStats(msg.group), (entries, more) => {
        return { type: 'group_stats_reply', more, entries };
      });
    case 'group_desc_request':
      return sendList(conn, xid, service.groupDesc(msg.group), (entries, more) => {
        return { type: 'group_desc_reply', more, entries };
      });
    case 'meter_stats_request':
      return sendList(conn, xid, service.meterStats(msg.meter), (entries, more) => {
        return { type: 'meter_stats_reply', more, entries };
      });
    case 'meter_config_request':
      return sendList(conn, xid, service.meterConfig(msg.meter), (entries, more) => {
        return { type: 'meter_config_reply', more, entries };
      });
    case 'meter_features_request':
      conn.reply(service.meterFeatures(), xid);
      return null;
  }
}
