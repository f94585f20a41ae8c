/**
 * Statistics (multipart) requests. Long lists go out in parts, no faster than the peer reads them.
 */
import { setImmediate } from 'node:timers/promises';
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
/** Parts that go out, when the peer keeps up, before others have their turn. */
const PARTS_PER_TURN = 16;
/** Entries that are added up, or passed over, before others have their turn. */
const FLOWS_PER_TURN = 20_000;
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
      ofproto.tlvTable.fit(msg.match);
      return msg.aggregate ? sendAggregate(conn, msg, xid) : sendFlows(conn, msg, xid);
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
      active: table.cls.size - (table.id === 0 ? ofproto.connmgr.nHidden : 0),
      lookups: BigInt(table.nMatched + table.nMissed),
      matched: BigInt(table.nMatched),
      missConfig: missConfig(table),
      last: table.id === TBL_INTERNAL - 1,
    }));
}

/** Adds up what a request covers: a few entries at once, many in several turns. */
function sendAggregate(conn: OfConn, msg: FlowStatsRequest, xid: number): Promise<void> | null {
  let packets = 0;
  let bytes = 0;
  let flows = 0;
  const rules = conn.ofproto.flowStats(msg);
  const more = (): boolean => {
    for (let left = FLOWS_PER_TURN; left > 0; left--) {
      const next = rules.next();
      if (next.done === true) return false;
      packets += next.value.packets;
      bytes += next.value.bytes;
      flows += 1;
    }
    return true;
  };
  const end = (): void => {
    const counts = { packets: BigInt(packets), bytes: BigInt(bytes), flows };
    conn.reply({ type: 'aggregate_stats_reply', nx: msg.nx, ...counts }, xid);
  };
  if (!more()) {
    end();
    return null;
  }
  const rest = async (): Promise<void> => {
    do await setImmediate();
    while (conn.open && more());
    rules.return(undefined);
    if (conn.open) end();
  };
  return rest();
}

export function flowEntry(rule: Rule, nowMs: number): FlowStatsEntry {
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
    packets: BigInt(rule.packets),
    bytes: BigInt(rule.bytes),
    flags: rule.flags,
    actions: [...rule.actions],
  };
}

/** A few flows are answered at once; many in parts, each after the peer has read enough. */
function sendFlows(conn: OfConn, msg: FlowStatsRequest, xid: number): Promise<void> | null {
  const { ofproto } = conn;
  const rules = ofproto.flowStats(msg);
  const now = ofproto.clock.now();
  let next = rules.next();
  const send = (): boolean => {
    const entries: FlowStatsEntry[] = [];
    while (next.done !== true && entries.length < FLOWS_PER_PART) {
      if (!next.value.removed) entries.push(flowEntry(next.value, now));
      next = rules.next();
    }
    const more = next.done !== true;
    conn.reply({ type: 'flow_stats_reply', nx: msg.nx, more, entries }, xid);
    return more;
  };
  if (!send()) return null;
  const rest = async (): Promise<void> => {
    try {
      await sendRest();
    } finally {
      rules.return(undefined);
    }
  };
  const sendRest = async (): Promise<void> => {
    for (let parts = 1; ; parts++) {
      // A peer that reads fast must not keep others from having their turn either.
      if (parts % PARTS_PER_TURN === 0) await setImmediate();
      await conn.whenUncongested();
      if (!conn.open || !send()) return;
    }
  };
  return rest();
}
