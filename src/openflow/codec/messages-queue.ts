/**
 * Rows for transmit queues: their configuration, in OpenFlow 1.0 to 1.3 and as a description since
 * 1.4, and their statistics.
 * Source: OpenFlow 1.0 section 5.3.4; OpenFlow 1.4 sections 7.3.5.8 and 7.3.5.10.
 */
import { portFrom16, portTo16 } from '../../packet/fields.js';
import { OFPP } from '../actions.js';
import { fail } from '../errors.js';
import type { PortConfigQueue } from '../messages-control.js';
import type { QueueDescEntry, QueueStatsEntry } from '../messages-stats.js';
import type { Reader, Writer } from './buffer.js';
import { type MessageContext, type MessageRow, row } from './message-row.js';
import { getPort32 } from './port-number.js';
import { getProperty, putProperty } from './props.js';
import { listReply } from './stats-list.js';

const QUEUE_PROP_MIN_RATE = 1;
const QUEUE_PROP_MAX_RATE = 2;

function getQueue(r: Reader, version: number): PortConfigQueue {
  const queue: PortConfigQueue = { queue: r.u32() };
  if (version >= 3) r.skip(4);
  const length = r.u16();
  r.skip(version >= 3 ? 6 : 2);
  const header = version >= 3 ? 16 : 8;
  if (length < header) fail('OFPBRC_BAD_LEN');
  const props = r.sub(length - header);
  while (props.left > 0) {
    const type = props.u16();
    const size = props.u16();
    if (size < 8) fail('OFPBRC_BAD_LEN');
    const body = props.skip(4).sub(size - 8);
    if (type === QUEUE_PROP_MIN_RATE) queue.minRate = body.u16();
    else if (type === QUEUE_PROP_MAX_RATE) queue.maxRate = body.u16();
  }
  return queue;
}

function putQueue(w: Writer, queue: PortConfigQueue, port: number, version: number): void {
  const start = w.length;
  w.u32(queue.queue);
  if (version >= 3) w.u32(port);
  const lengthAt = w.length;
  w.u16(0).zeros(version >= 3 ? 6 : 2);
  const put = (type: number, rate: number | undefined): void => {
    if (rate !== undefined) w.u16(type).u16(16).zeros(4).u16(rate).zeros(6);
  };
  put(QUEUE_PROP_MIN_RATE, queue.minRate);
  if (version >= 3) put(QUEUE_PROP_MAX_RATE, queue.maxRate);
  w.setU16(lengthAt, w.length - start);
}

function queueRows(request: number, reply: number, min: number, max: number): MessageRow[] {
  const wide = min > 1;
  return [
    row({
      type: 'queue_get_config_request',
      cls: 'msg',
      number: request,
      min,
      max,
      body: wide ? 8 : 4,
      decode(r) {
        const port = wide ? getPort32(r) : portFrom16(r.u16());
        // 1.0 has no word for all ports; the switch's own has no queues that it tells of.
        const all = wide && port === OFPP.NONE;
        if (!all && port >= OFPP.MAX) fail('OFPQOFC_BAD_PORT');
        return { type: 'queue_get_config_request', port };
      },
      encode(w, msg) {
        if (wide) w.u32(msg.port).zeros(4);
        else w.u16(portTo16(msg.port)).zeros(2);
      },
    }),
    row({
      type: 'queue_get_config_reply',
      cls: 'msg',
      number: reply,
      min,
      max,
      body: 8,
      unit: 8,
      decode(r, ctx) {
        const port = wide ? r.u32() : portFrom16(r.u16());
        r.skip(wide ? 4 : 6);
        const queues: PortConfigQueue[] = [];
        while (r.left > 0) queues.push(getQueue(r, ctx.version));
        return { type: 'queue_get_config_reply', port, queues };
      },
      encode(w, msg, ctx) {
        if (wide) w.u32(msg.port).zeros(4);
        else w.u16(portTo16(msg.port)).zeros(6);
        for (const queue of msg.queues) putQueue(w, queue, msg.port, ctx.version);
      },
    }),
  ];
}

const DESC_HEADER = 16;

function getQueueDesc(r: Reader): QueueDescEntry {
  const start = r.pos;
  const entry: QueueDescEntry = { port: getPort32(r), queue: r.u32() };
  const length = r.u16();
  if (length < DESC_HEADER || length % 8 !== 0) fail('OFPBRC_BAD_LEN');
  const props = r.skip(6).sub(length - (r.pos - start));
  while (props.left > 0) {
    const { type, payload } = getProperty(props);
    if (type === QUEUE_PROP_MIN_RATE) entry.minRate = payload.u16();
    else if (type === QUEUE_PROP_MAX_RATE) entry.maxRate = payload.u16();
  }
  return entry;
}

function putQueueDesc(w: Writer, e: QueueDescEntry): void {
  const start = w.length;
  w.u32(e.port).u32(e.queue).u16(0).zeros(6);
  const { minRate, maxRate } = e;
  if (minRate !== undefined) putProperty(w, QUEUE_PROP_MIN_RATE, (p) => p.u16(minRate));
  if (maxRate !== undefined) putProperty(w, QUEUE_PROP_MAX_RATE, (p) => p.u16(maxRate));
  w.setU16(start + 8, w.length - start);
}

/** Since 1.4, entries have a length and may end in properties. */
function getQueueStats14(r: Reader, ctx: MessageContext): QueueStatsEntry {
  const length = r.u16();
  if (length < 48) fail('OFPBRC_BAD_LEN');
  return getQueueStats(r.sub(length - 2).skip(6), ctx);
}

function putQueueStats14(w: Writer, e: QueueStatsEntry, ctx: MessageContext): void {
  w.u16(48).zeros(6);
  putQueueStats(w, e, ctx);
}

function getQueueStats(r: Reader, ctx: MessageContext): QueueStatsEntry {
  let port: number;
  if (ctx.version === 1) {
    port = portFrom16(r.u16());
    r.skip(2);
  } else port = r.u32();
  const entry = {
    ...{ port, queue: r.u32(), txBytes: r.u64(), txPackets: r.u64(), txErrors: r.u64() },
    ...{ durationSec: 0xffffffff, durationNsec: 0xffffffff },
  };
  if (ctx.version < 4) return entry;
  return { ...entry, durationSec: r.u32(), durationNsec: r.u32() };
}

function putQueueStats(w: Writer, e: QueueStatsEntry, ctx: MessageContext): void {
  if (ctx.version === 1) w.u16(portTo16(e.port)).zeros(2);
  else w.u32(e.port);
  w.u32(e.queue).u64(e.txBytes).u64(e.txPackets).u64(e.txErrors);
  if (ctx.version >= 4) w.u32(e.durationSec).u32(e.durationNsec);
}

function queueRequest(min: number, max: number): MessageRow {
  return row({
    ...{ type: 'queue_stats_request', cls: 'stats_request', number: 5, min, max, body: 8 },
    decode(r) {
      let port = min === 1 ? portFrom16(r.u16()) : r.u32();
      // Every port is 'all' in 1.0 and 'any' later.
      if (min === 1 && port === OFPP.ALL) port = OFPP.NONE;
      if (min === 1) r.skip(2);
      return { type: 'queue_stats_request', port, queue: r.u32() };
    },
    encode(w, msg) {
      if (min === 1) w.u16(portTo16(msg.port)).zeros(2);
      else w.u32(msg.port);
      w.u32(msg.queue);
    },
  });
}

function queueStatsReply(min: number, max: number, unit: number): MessageRow {
  const place = { number: 5, min, max, unit };
  return listReply('queue_stats_reply', place, getQueueStats, putQueueStats);
}

export const QUEUE_ROWS: readonly MessageRow[] = [
  ...queueRows(20, 21, 1, 1),
  ...queueRows(22, 23, 2, 4),
  row({
    ...{ type: 'queue_desc_request', cls: 'stats_request', number: 15, min: 5, max: 6, body: 8 },
    decode: (r) => ({ type: 'queue_desc_request', port: getPort32(r), queue: r.u32() }),
    encode: (w, msg) => void w.u32(msg.port).u32(msg.queue),
  }),
  listReply(
    'queue_desc_reply',
    { number: 15, min: 5, max: 6, unit: 8 },
    getQueueDesc,
    putQueueDesc,
  ),
  queueRequest(1, 1),
  queueRequest(2, 6),
  queueStatsReply(1, 3, 32),
  queueStatsReply(4, 4, 40),
  listReply(
    'queue_stats_reply',
    { number: 5, min: 5, max: 6, unit: 8 },
    getQueueStats14,
    putQueueStats14,
  ),
];
