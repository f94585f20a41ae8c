/**
 * Statistics (multipart) requests. Long lists go out in parts, no faster than the peer reads them.
 */

import { OFPP } from '../../openflow/actions.js';
import { fail } from '../../openflow/errors.js';
import type { FlowStatsEntry, FlowStatsRequest, OfMessage } from '../../openflow/messages.js';
import type {
  PortDescRequest,
  PortStatsRequest,
  QueueDescRequest,
  QueueStatsRequest,
  StatsRequest,
  TableStatsEntry,
} from '../../openflow/messages-stats.js';
import { TBL_INTERNAL } from '../flow-table.js';
import type { Ofproto } from '../ofproto.js';
import type { OfPort } from '../port.js';
import type { Rule } from '../rule.js';
import { missConfig, tableDesc } from '../table-config.js';
import { durationBetween } from './duration.js';
import type { OfConn } from './ofconn.js';
import { portDesc, portStats } from './port-desc.js';
import { queueDescs, queueStats } from './queue-handlers.js';
import { tableName } from './table-features.js';

export type StatsRequestMessage =
  | FlowStatsRequest
  | StatsRequest
  | PortStatsRequest
  | PortDescRequest
  | QueueStatsRequest
  | QueueDescRequest;

const TYPES: ReadonlySet<string> = new Set([
  'desc_stats_request',
  'flow_stats_request',
  'table_stats_request',
  'group_features_request',
  'table_desc_request',
  'queue_desc_request',
  'ipfix_bridge_stats_request',
  'ipfix_flow_stats_request',
  'port_stats_request',
  'port_desc_request',
  'queue_stats_request',
]);

/** Entries of one part of a flow statistics reply before looking whether the peer keeps up. */
const FLOWS_PER_PART = 256;
/** OpenFlow 1.0: every field may be wildcarded. */
const WILDCARDS_ALL = 0x3fffff;

export function isStatsRequest(msg: OfMessage): msg is StatsRequestMessage {
  return TYPES.has(msg.type);
}

export function handleStats(
  conn: OfConn,
  msg: StatsRequestMessage,
  xid: number,
): Promise<void> | null {
  const { ofproto } = conn;
  switch (msg.type) {
    case 'desc_stats_request':
      conn.reply(desc(ofproto), xid);
      return null;
    case 'flow_stats_request':
      if (!msg.aggregate) return sendFlows(conn, msg, xid);
      conn.reply(aggregate(ofproto, msg), xid);
      return null;
    case 'table_stats_request':
      conn.reply({ type: 'table_stats_reply', entries: tables(ofproto) }, xid);
      return null;
    case 'table_desc_request': {
      const entries = ofproto.tables.filter((table) => !table.hidden).map(tableDesc);
      conn.reply({ type: 'table_desc_reply', entries }, xid);
      return null;
    }
    case 'group_features_request':
      conn.reply(ofproto.connmgr.groups.groupFeatures(conn.version), xid);
      return null;
    case 'port_stats_request': {
      const now = ofproto.clock.now();
      ofproto.backer.pushStats();
      const ports = everyPort(msg.port) ? localFirst(ofproto) : portsOf(ofproto, msg.port);
      const entries = ports.map((port) => portStats(port, now));
      conn.reply({ type: 'port_stats_reply', entries }, xid);
      return null;
    }
    case 'port_desc_request': {
      const entries = portsOf(ofproto, msg.port).map(portDesc);
      conn.reply({ type: 'port_desc_reply', entries }, xid);
      return null;
    }
    case 'queue_stats_request':
      conn.reply(queueStats(ofproto, msg), xid);
      return null;
    case 'queue_desc_request':
      conn.reply(queueDescs(ofproto, msg), xid);
      return null;
    case 'ipfix_bridge_stats_request':
    case 'ipfix_flow_stats_request':
      conn.reply(ipfixStats(ofproto, msg.type), xid);
      return null;
    default:
      return fail('OFPBRC_BAD_STAT');
  }
}

/** @throws NXST_NOT_CONFIGURED */
function ipfixStats(ofproto: Ofproto, type: `ipfix_${'bridge' | 'flow'}_stats_request`): OfMessage {
  const bridge = type === 'ipfix_bridge_stats_request';
  const entries = ofproto.ipfixStats(bridge) ?? fail('NXST_NOT_CONFIGURED');
  return { type: bridge ? 'ipfix_bridge_stats_reply' : 'ipfix_flow_stats_reply', entries };
}

function desc(ofproto: Ofproto): OfMessage {
  const { mfrDesc, hwDesc, swDesc, serialDesc, dpDesc } = ofproto.desc;
  return { type: 'desc_stats_reply', mfrDesc, hwDesc, swDesc, serialNum: serialDesc, dpDesc };
}

const everyPort = (port: number): boolean => port === OFPP.NONE || port === OFPP.ALL;

/** Ports that a request is about: none where there is no such port. */
function portsOf(ofproto: Ofproto, port: number): OfPort[] {
  return everyPort(port) ? ofproto.ports() : [ofproto.portByNo(port) ?? []].flat();
}

function localFirst(ofproto: Ofproto): OfPort[] {
  const ports = ofproto.ports();
  const isLocal = (port: OfPort): boolean => port.ofPort === OFPP.LOCAL;
  return [...ports.filter(isLocal), ...ports.filter((port) => !isLocal(port))];
}

function tables(ofproto: Ofproto): TableStatsEntry[] {
  ofproto.backer.pushStats();
  return ofproto.tables
    .filter((table) => !table.hidden)
    .map((table) => ({
      table: table.id,
      name: tableName(table),
      wildcards: WILDCARDS_ALL,
      maxEntries: table.maxFlows,
      active: table.cls.size,
      lookups: BigInt(table.nMatched + table.nMissed),
      matched: BigInt(table.nMatched),
      missConfig: missConfig(table),
      last: table.id === TBL_INTERNAL - 1,
    }));
}

function aggregate(ofproto: Ofproto, msg: FlowStatsRequest): OfMessage {
  let packets = 0;
  let bytes = 0;
  const rules = ofproto.flowStats(msg);
  for (const rule of rules) {
    packets += rule.packets;
    bytes += rule.bytes;
  }
  return {
    type: 'aggregate_stats_reply',
    nx: msg.nx,
    packets: BigInt(packets),
    bytes: BigInt(bytes),
    flows: rules.length,
  };
}

export function flowEntry(rule: Rule, nowMs: number): FlowStatsEntry {
  const { noPktCounts, noByteCounts } = rule.flags;
  const { durationSec, durationNsec } = durationBetween(rule.createdMs, nowMs);
  return {
    table: rule.tableId,
    match: rule.match,
    priority: rule.priority,
    cookie: rule.cookie,
    durationSec,
    durationNsec,
    idleTimeout: rule.idleTimeout,
    hardTimeout: rule.hardTimeout,
    idleAge: Math.floor(Math.max(0, nowMs - rule.usedMs) / 1000),
    hardAge: Math.floor(Math.max(0, nowMs - rule.modifiedMs) / 1000),
    importance: rule.importance,
    packets: noPktCounts ? 0xffffffffffffffffn : BigInt(rule.packets),
    bytes: noByteCounts ? 0xffffffffffffffffn : BigInt(rule.bytes),
    flags: rule.flags,
    actions: [...rule.actions],
  };
}

/** A few flows are answered at once; many in parts, each after the peer has read enough. */
function sendFlows(conn: OfConn, msg: FlowStatsRequest, xid: number): Promise<void> | null {
  const { ofproto } = conn;
  const rules = ofproto.flowStats(msg);
  const now = ofproto.clock.now();
  const send = (from: number): boolean => {
    const part = rules.slice(from, from + FLOWS_PER_PART);
    const more = from + FLOWS_PER_PART < rules.length;
    const entries = part.map((rule) => flowEntry(rule, now));
    conn.reply({ type: 'flow_stats_reply', nx: msg.nx, more, entries }, xid);
    return more;
  };
  if (!send(0)) return null;
  const rest = async (): Promise<void> => {
    for (let at = FLOWS_PER_PART; at < rules.length && conn.open; at += FLOWS_PER_PART) {
      await conn.whenUncongested();
      send(at);
    }
  };
  return rest();
}
