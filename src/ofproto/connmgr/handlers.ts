/**
 * What each OpenFlow request does to a bridge and is answered with.
 *
 * A handler throws OfpError to refuse a request. It returns a promise only when later requests of
 * the connection must wait for it. Statistics are in stats-handlers.ts.
 */

import { OFPP } from '../../openflow/actions.js';
import { fail } from '../../openflow/errors.js';
import { giveMatch } from '../../openflow/match.js';
import type { FlowMod, OfMessage, PacketOut, PortMod } from '../../openflow/messages.js';
import type { BundleControl } from '../../openflow/messages-bundle.js';
import type { RoleMessage, SwitchConfig } from '../../openflow/messages-control.js';
import type { GroupMod } from '../../openflow/messages-groups.js';
import { normalizeMatch } from '../../openflow/normalize.js';
import { extractFlow } from '../../packet/extract.js';
import { W_IN_PORT } from '../../packet/flow-layout.js';
import { checkActions } from '../action-check.js';
import { clearsAll, concernsMany } from '../flow-mod.js';
import { giveFlow } from '../flow-pool.js';
import { TBL_INTERNAL } from '../flow-table.js';
import { checkedPort, OFPPC } from '../port.js';
import { tableMod } from '../table-config.js';
import { pushStats } from '../xlate/cache.js';
import { translate } from '../xlate/translate.js';
import { BundleCommit, type Failure } from './bundle-commit.js';
import { BundleLog } from './bundle-log.js';
import { groupMod, handleGroups, isGroupRequest } from './group-handlers.js';
import type { PartialRequest } from './multipart.js';
import type { Forwarded } from './notices.js';
import type { OfConn, Request } from './ofconn.js';
import { portDesc } from './port-desc.js';
import { queueConfig } from './queue-handlers.js';
import { resumePacket } from './resume.js';
import { handleStats, isStatsRequest } from './stats-handlers.js';
import { tableFeatures } from './table-features.js';
import { setTableFeatures } from './table-features-set.js';
import { waitsFor } from './waiting.js';

const ETH_HEADER_BYTES = 14;
const OF10 = 1;
const OF11 = 2;
const OF13 = 4;
const OF14 = 5;
/** FLOW_STATS TABLE_STATS PORT_STATS QUEUE_STATS ARP_MATCH_IP. */
const CAPABILITIES_OF10 = 0xc7;
/** FLOW_STATS TABLE_STATS PORT_STATS GROUP_STATS QUEUE_STATS. */
const CAPABILITIES_OF12 = 0x4f;
/** ARP_MATCH_IP. */
const CAPABILITIES_OF11 = CAPABILITIES_OF12 | 0x80;
/** BUNDLES. */
const CAPABILITIES_OF14 = CAPABILITIES_OF12 | 0x200;
/** OpenFlow 1.0: output, set_* , strip_vlan and enqueue. */
const ACTIONS_OF10 = 0xfff;
const CONFIG_BITS = Object.values(OFPPC).reduce((a, b) => a | b, 0);

/** Requests that change what a connection wants to hear of. */
const SUBSCRIPTIONS: ReadonlySet<OfMessage['type']> = new Set([
  'set_config',
  'role_request',
  'set_async',
  'set_async_properties',
  'nx_set_controller_id',
]);

/** Handles one request. */
export function handleMessage(conn: OfConn, request: Request): Promise<void> | null {
  const { msg, xid, frame } = request;
  const waits = waitsFor(conn.ofproto, msg);
  if (waits !== null) return waits.then(() => handleMessage(conn, request) ?? undefined);
  if (isStatsRequest(msg)) return handleStats(conn, msg, xid);
  if (isGroupRequest(msg)) {
    if (msg.type.endsWith('_mod')) rejectSecondary(conn);
    return handleGroups(conn, msg, xid);
  }
  if (msg.type === 'bundle_control' || msg.type === 'bundle_add_message') {
    rejectSecondary(conn);
    if (msg.type === 'bundle_control') return bundleControl(conn, msg, xid, frame);
    conn.bundles.add(msg, xid, frame);
    return null;
  }
  if (msg.type === 'flow_monitor_request' || msg.type === 'table_features_request') {
    const whole = conn.multipart.take(msg, xid, frame);
    return whole === null ? null : handleInParts(conn, whole, xid);
  }
  if (msg.type === 'flow_mod' && concernsMany(conn.ofproto, msg)) {
    rejectSecondary(conn);
    return flowModInTurns(conn, msg, frame);
  }
  const pending = handleControl(conn, msg, xid);
  if (SUBSCRIPTIONS.has(msg.type)) conn.ofproto.connmgr.connectionsChanged();
  return pending;
}

function bundleControl(
  conn: OfConn,
  msg: BundleControl,
  xid: number,
  frame: Uint8Array,
): Promise<void> | null {
  const answer = conn.bundles.control(msg, xid, frame);
  if (answer instanceof Promise) return answer.then((reply) => conn.reply(reply, xid));
  conn.reply(answer, xid);
  return null;
}

/** One that many entries are looked at for is a bundle of its own: others have their turn. */
function flowModInTurns(conn: OfConn, msg: FlowMod, frame: Uint8Array): Promise<void> | null {
  const { ofproto } = conn;
  normalizeMatch(msg.match);
  if (clearsAll(ofproto, msg)) {
    if (conn.flowMods.count(msg.command)) ofproto.backer.wake();
    return null;
  }
  const log = new BundleLog();
  log.add(frame, msg, true);
  const bundle = { log, codec: conn.connection.codec, kind: { groups: false } };
  const handlers = { execute: executeBundled, prepare: prepareBundled };
  const failed = new BundleCommit(conn, handlers, bundle).run();
  const done = (failure: Failure | null): void => {
    if (failure !== null) fail(failure.error);
  };
  if (failed instanceof Promise) return failed.then(done);
  done(failed);
  return null;
}

function handleInParts(conn: OfConn, msg: PartialRequest, xid: number): Promise<void> | null {
  if (msg.type === 'flow_monitor_request') return conn.monitors.request(msg, xid);
  const { ofproto, version } = conn;
  if (msg.entries !== undefined && msg.entries.length > 0) {
    setTableFeatures(ofproto, msg.entries, version);
  }
  const entries = tableFeatures(ofproto.tables, version);
  conn.reply({ type: 'table_features_reply', entries }, xid);
  return null;
}

function handleControl(conn: OfConn, msg: OfMessage, xid: number): Promise<void> | null {
  const { ofproto } = conn;
  switch (msg.type) {
    case 'features_request':
      conn.reply(features(conn), xid);
      return null;
    case 'get_config_request':
      conn.reply(config(conn), xid);
      return null;
    case 'set_config':
      setConfig(conn, msg);
      return null;
    case 'flow_mod':
      rejectSecondary(conn);
      executeBundled(conn, msg, xid);
      giveMatch(msg.match);
      return null;
    case 'port_mod':
      rejectSecondary(conn);
      preparePortMod(conn, msg)();
      return null;
    case 'packet_out':
      rejectSecondary(conn);
      preparePacketOut(conn, msg)();
      return null;
    case 'nx_resume':
      rejectSecondary(conn);
      resumePacket(conn.ofproto, msg);
      return null;
    case 'table_mod':
      rejectSecondary(conn);
      tableMod(ofproto, msg, conn.version);
      return null;
    case 'barrier_request':
      if (!ofproto.backer.settled) {
        return ofproto.backer.barrier().then(() => conn.reply({ type: 'barrier_reply' }, xid));
      }
      conn.reply({ type: 'barrier_reply' }, xid);
      return null;
    case 'role_request':
      conn.reply(role(conn, msg), xid);
      return null;
    case 'set_async':
      conn.takeAsync(msg);
      return null;
    case 'set_async_properties':
      conn.changeAsync(msg.changes);
      return null;
    case 'get_async_request':
      conn.reply({ type: 'get_async_reply', ...conn.toldMasks() }, xid);
      return null;
    case 'nx_set_flow_format':
      conn.connection.codec.flowFormat = msg.format;
      return null;
    case 'nx_flow_mod_table_id':
      conn.connection.codec.tableId = msg.enable;
      return null;
    case 'nx_set_packet_in_format':
      conn.packetInFormat =
        (['standard', 'nxt_packet_in', 'nxt_packet_in2'] as const)[msg.format] ??
        fail('OFPBRC_EPERM');
      return null;
    case 'nx_set_controller_id':
      conn.controllerId = msg.id;
      return null;
    case 'nx_flow_age':
      return null;
    case 'flow_monitor_cancel':
      conn.monitors.cancel(msg.id);
      return null;
    case 'nx_tlv_table_mod':
      rejectSecondary(conn);
      ofproto.tlvTable.mod(msg, (index) => ofproto.tables.some((t) => t.usesTunOption(index)));
      return null;
    case 'nx_tlv_table_request':
      conn.reply(ofproto.tlvTable.reply(), xid);
      return null;
    case 'nx_ct_flush':
    case 'nx_ct_flush_zone':
      // No connection is tracked: afterwards, as before, none is remembered.
      return null;
    case 'queue_get_config_request':
      conn.reply(queueConfig(ofproto, msg.port), xid);
      return null;
    case 'echo_reply':
    case 'error':
      return null;
    default:
      return fail('OFPBRC_BAD_TYPE', msg.type);
  }
}

/**
 * Executes a message that may also be part of a bundle.
 * @returns what other controllers may want to hear of
 */
export function executeBundled(
  conn: OfConn,
  msg: FlowMod | GroupMod,
  xid: number,
): Forwarded | null {
  const { ofproto } = conn;
  const { connmgr } = ofproto;
  switch (msg.type) {
    case 'flow_mod': {
      // The message came off the wire for this alone: it may be changed in its place.
      normalizeMatch(msg.match);
      ofproto.tlvTable.fit(msg.match);
      connmgr.notices.during({ conn, xid }, () => ofproto.flowMod(msg));
      if (conn.flowMods.count(msg.command)) ofproto.backer.wake();
      return null;
    }
    case 'group_mod':
      return groupMod(connmgr.groups, msg, xid);
  }
}

function rejectSecondary(conn: OfConn): void {
  if (conn.role === 'secondary') fail('OFPBRC_IS_SECONDARY');
}

function capabilities(version: number): number {
  if (version === OF10) return CAPABILITIES_OF10;
  if (version === OF11) return CAPABILITIES_OF11;
  return version >= OF14 ? CAPABILITIES_OF14 : CAPABILITIES_OF12;
}

function features(conn: OfConn): OfMessage {
  const { ofproto } = conn;
  return {
    type: 'features_reply',
    datapathId: ofproto.datapathId,
    nBuffers: 0,
    nTables: TBL_INTERNAL,
    auxiliaryId: 0,
    capabilities: capabilities(conn.version),
    actions: ACTIONS_OF10,
    ports: ofproto.ports().map(portDesc),
  };
}

function config(conn: OfConn): OfMessage {
  return {
    type: 'get_config_reply',
    fragHandling: conn.ofproto.fragHandling,
    invalidTtlToController: conn.invalidTtlToController,
    missSendLen: conn.missSendLen,
  };
}

function setConfig(conn: OfConn, msg: SwitchConfig): void {
  if (conn.kind !== 'primary' || conn.role !== 'secondary') {
    // To put fragments together again (2) is not there: it is not taken over.
    if (msg.fragHandling !== 2) conn.ofproto.setFragHandling(msg.fragHandling);
  }
  conn.invalidTtlToController = msg.invalidTtlToController ?? false;
  conn.missSendLen = msg.missSendLen;
}

function role(conn: OfConn, msg: RoleMessage): OfMessage {
  const { connmgr } = conn.ofproto;
  if (msg.role === 'primary' || msg.role === 'secondary') {
    if (msg.generationId !== undefined && !connmgr.takeGeneration(msg.generationId)) {
      fail('OFPRRFC_STALE');
    }
    if (msg.role === 'primary' && conn.role !== 'primary') connmgr.demoteOthers(conn);
  }
  if (msg.role !== 'nochange') conn.role = msg.role;
  // The answer has the request's form.
  if (msg.nx) return { type: 'role_reply', role: conn.role, nx: true };
  return { type: 'role_reply', role: conn.role, generationId: connmgr.generationId };
}

/** Finds out whether a port may be changed so. @returns what changes it */
function preparePortMod(conn: OfConn, msg: PortMod): () => void {
  if ((msg.mask & ~CONFIG_BITS) !== 0) fail('OFPPMFC_BAD_CONFIG');
  checkedPort(conn.ofproto, msg);
  return () => conn.ofproto.portMod(msg, conn);
}

/** What is found out now and happens later. */
export function prepareBundled(conn: OfConn, msg: PacketOut | PortMod): () => void {
  return msg.type === 'port_mod' ? preparePortMod(conn, msg) : preparePacketOut(conn, msg);
}

/**
 * Finds out what a controller's packet meets: its own actions, or the tables.
 * @returns what sends it
 */
function preparePacketOut(conn: OfConn, msg: PacketOut): () => void {
  const { ofproto } = conn;
  if (msg.bufferId !== 0xffffffff) fail('OFPBRC_BUFFER_UNKNOWN');
  if (msg.data.length < ETH_HEADER_BYTES) {
    // Only OpenFlow 1.3 and later have an error of its own for that.
    fail(conn.version >= OF13 ? 'OFPBRC_BAD_PACKET' : 'OFPBRC_BAD_LEN');
  }
  checkActions(msg.actions, { table: null, ofproto });
  const flow = extractFlow(msg.data);
  const { metadata } = msg;
  if (metadata !== undefined) {
    for (const [i, mask] of metadata.mask.entries()) {
      if (mask !== 0) flow[i] = metadata.flow[i] & mask;
    }
  }
  const inPort = msg.inPort === OFPP.CONTROLLER || msg.inPort === OFPP.NONE ? msg.inPort : null;
  if (inPort === null && msg.inPort >= OFPP.MAX && msg.inPort !== OFPP.LOCAL) {
    fail('OFPBRC_BAD_PORT');
  }
  flow[W_IN_PORT] = msg.inPort;
  const out = translate({
    ofproto,
    flow,
    actions: msg.actions,
    inPacketOut: true,
    sideEffects: true,
    hasPacket: true,
  });
  giveFlow(out.wc);
  return () => {
    const usedMs = ofproto.clock.now();
    pushStats(out.cache, { packets: 1, bytes: msg.data.length, usedMs });
    if (out.actions.length === 0) return;
    flow[W_IN_PORT] = ofproto.portByNo(msg.inPort)?.odpPort ?? 0;
    ofproto.backer.dpif.execute({ data: msg.data }, flow, out.actions);
  };
}
