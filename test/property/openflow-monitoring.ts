/**
 * One of each message about monitors, roles, tables, ports, queues and Nicira's extensions, as they
 * decode again: for round trips, for mutation, for printing.
 */
import { OFPP } from '../../src/openflow/actions.js';
import { encodeMessage } from '../../src/openflow/codec/index.js';
import type { OfMessage } from '../../src/openflow/messages.js';
import { OFPG } from '../../src/openflow/messages-groups.js';
import type { FlowMonitor, FlowUpdate } from '../../src/openflow/messages-monitor.js';
import { parseFlow } from '../../src/openflow/syntax/flow-parse.js';
import { parseMeter } from '../../src/openflow/syntax/meter-parse.js';
import { NO_NAMES } from '../../src/openflow/syntax/names.js';

const { match, actions } = parseFlow('tcp,tp_dst=80,actions=output:2', 'add', NO_NAMES).flow;

export const MONITOR: FlowMonitor = {
  ...{ id: 7, command: 'add', flags: 0x1f, outPort: 2, outGroup: OFPG.ANY, table: 3, match },
};
const FULL = {
  ...{ reason: 0, table: 1, priority: 9, idleTimeout: 5, hardTimeout: 0, cookie: 17n, match },
} as const;
export const UPDATES: FlowUpdate[] = [
  { event: 'added', ...FULL, actions },
  { event: 'modified', ...FULL, actions: [] },
  { event: 'removed', ...FULL, reason: 2, actions },
  { event: 'abbrev', xid: 0x1234 },
];
const UPDATES14: FlowUpdate[] = [{ event: 'initial', ...FULL, actions }, { event: 'paused' }];
const V4 = Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 1]);
const COUNTS = {
  ...{ totalFlows: 1n, currentFlows: 2n, packets: 3n, ipv4Packets: 4n, ipv6Packets: 5n },
  ...{ errorPackets: 6n, ipv4ErrorPackets: 7n, ipv6ErrorPackets: 8n, txPackets: 9n },
  ...{ txErrors: 10n, collectorSet: 11 },
};
const FEATURES = {
  ...{ table: 2, name: 'two', metadataMatch: 1n, metadataWrite: 2n, config: 0, maxEntries: 9 },
  properties: [{ type: 8, data: Uint8Array.from([0x80, 0, 0, 4]) }],
};

const PORT_STATS = {
  ...{ portNo: 1, rxPackets: 1n, txPackets: 2n, rxBytes: 3n, txBytes: 4n, rxDropped: 5n },
  ...{ txDropped: 6n, rxErrors: 7n, txErrors: 8n, rxFrameErr: 9n, rxOverErr: 10n, rxCrcErr: 11n },
  ...{ collisions: 12n, durationSec: 13, durationNsec: 14 },
  custom: [
    { name: 'rx_q0_packets', value: 5n },
    { name: 'tx_q0_packets', value: 6n },
  ],
};

function forwarded(version: number): OfMessage {
  const meter = parseMeter('meter=1,kbps,band=type=drop,rate=9', 'add');
  const frame = encodeMessage(version, { type: 'meter_mod', command: 'add', meter }, 5);
  return { type: 'requestforward', frame };
}

/** The message, and the versions that have it. */
export const MONITORING: readonly [msg: OfMessage, min: number, max: number][] = [
  [{ type: 'flow_monitor_request', more: false, entries: [MONITOR] }, 1, 6],
  [
    {
      type: 'flow_monitor_request',
      more: true,
      entries: [
        { ...MONITOR, command: 'modify', flags: 0x7f, outPort: OFPP.NONE, outGroup: 4 },
        { ...MONITOR, id: 8, command: 'delete' },
      ],
    },
    5,
    6,
  ],
  [{ type: 'flow_monitor_reply', more: false, entries: UPDATES }, 1, 6],
  [{ type: 'flow_monitor_reply', more: true, entries: UPDATES14 }, 5, 6],
  [{ type: 'flow_monitor_cancel', id: 9 }, 1, 4],
  [{ type: 'flow_monitor_paused' }, 1, 4],
  [{ type: 'flow_monitor_resumed' }, 1, 4],
  [forwarded(4), 4, 4],
  [forwarded(5), 5, 5],
  [forwarded(6), 6, 6],
  [{ type: 'role_status', role: 'secondary', reason: 0, generationId: 3n }, 4, 6],
  [
    {
      ...{ type: 'table_status', reason: 3 },
      desc: { table: 1, config: 8, evictionFlags: 7, vacancy: { down: 2, up: 8, current: 1 } },
    },
    5,
    6,
  ],
  [{ type: 'table_mod', table: 1, config: 3 }, 2, 4],
  [
    {
      ...{ type: 'table_mod', table: 255, config: 12, evictionFlags: 2 },
      vacancy: { down: 1, up: 9, current: 0 },
    },
    5,
    6,
  ],
  [{ type: 'table_desc_request' }, 5, 6],
  [
    { type: 'table_desc_reply', more: false, entries: [{ table: 0, config: 4, evictionFlags: 7 }] },
    5,
    6,
  ],
  [{ type: 'table_features_request', more: false, entries: [FEATURES, FEATURES] }, 4, 5],
  [
    {
      ...{ type: 'table_features_reply', more: false },
      entries: [{ ...FEATURES, command: 1, features: 2 }],
    },
    6,
    6,
  ],
  [{ type: 'port_stats_reply', more: false, entries: [PORT_STATS] }, 5, 6],
  [{ type: 'queue_desc_request', port: 1, queue: 2 }, 5, 6],
  [
    {
      ...{ type: 'queue_desc_reply', more: false },
      entries: [
        { port: 1, queue: 0 },
        { port: 2, queue: 1, minRate: 10, maxRate: 500 },
      ],
    },
    5,
    6,
  ],
  [
    {
      ...{ type: 'nx_tlv_table_mod', command: 'add' },
      mappings: [{ optionClass: 0xffff, optionType: 1, length: 8, index: 3 }],
    },
    1,
    6,
  ],
  [{ type: 'nx_tlv_table_request' }, 1, 6],
  [
    {
      ...{ type: 'nx_tlv_table_reply', maxSpace: 256, maxFields: 64 },
      mappings: [{ optionClass: 5, optionType: 1, length: 4, index: 0 }],
    },
    1,
    6,
  ],
  [{ type: 'nx_ct_flush_zone', zone: 5 }, 1, 6],
  [
    {
      ...{ type: 'nx_ct_flush', ipProto: 6, zone: 5 },
      orig: { src: V4, dst: V4, srcPort: 1, dstPort: 2 },
      reply: { icmpId: 1, icmpType: 2, icmpCode: 3 },
    },
    1,
    6,
  ],
  [{ type: 'ipfix_bridge_stats_request' }, 1, 6],
  [{ type: 'ipfix_flow_stats_request' }, 1, 6],
  [{ type: 'ipfix_bridge_stats_reply', more: false, entries: [COUNTS] }, 1, 6],
  [{ type: 'ipfix_flow_stats_reply', more: true, entries: [COUNTS, COUNTS] }, 1, 6],
];

export const monitoringMessages = (): OfMessage[] => MONITORING.map(([msg]) => msg);
