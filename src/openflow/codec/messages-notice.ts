/**
 * Rows for what a switch tells of changes that others made: forwarded requests, roles, tables.
 *
 *     requestforward:  the request as a message of its own, header included
 *     role_status:     role(32) reason(8) zeros(24) generation(64), properties
 *     table_status:    reason(8) zeros(56), a table's description
 *
 * Source: OpenFlow 1.4 sections 7.4.4 to 7.4.6; ONF extensions 191 and 235; Nicira extensions.
 */
import { fail } from '../errors.js';
import type { Role } from '../messages-control.js';
import type { Reader } from './buffer.js';
import { type MessageClass, type MessageRow, row } from './message-row.js';
import { getTableDesc, putTableDesc } from './messages-table.js';
import { getProperty } from './props.js';

const HEADER = 8;
const ROLES: readonly Role[] = ['nochange', 'equal', 'primary', 'secondary'];
/** VACANCY_DOWN and VACANCY_UP. */
const TABLE_REASONS = [3, 4];

function getFrame(r: Reader, version: number): Uint8Array {
  if (r.left < HEADER) fail('OFPBFC_MSG_BAD_LEN');
  const length = r.peek16(2);
  if (length < HEADER || length > r.left) fail('OFPBFC_MSG_BAD_LEN');
  if (r.bytes[r.pos] !== version) fail('OFPBRC_BAD_VERSION');
  const frame = r.take8(length);
  r.skip(r.left);
  return frame;
}

function forwardRow(cls: MessageClass, number: number, min: number, max: number): MessageRow {
  const type = 'requestforward' as const;
  return row({
    ...{ type, cls, number, min, max, body: HEADER, unit: 8 },
    decode: (r, ctx) => ({ type, frame: getFrame(r, ctx.version) }),
    encode(w, msg) {
      const start = w.length;
      w.put(msg.frame).align(start);
    },
  });
}

function roleRow(cls: MessageClass, number: number, min: number, max: number): MessageRow {
  const type = 'role_status' as const;
  return row({
    ...{ type, cls, number, min, max, body: 16, unit: 8 },
    decode(r) {
      const role = ROLES[r.u32()] ?? fail('OFPRRFC_BAD_ROLE');
      const reason = r.u8();
      const generationId = r.skip(3).u64();
      while (r.left > 0) getProperty(r);
      return { type, role, reason, generationId };
    },
    encode(w, msg) {
      w.u32(ROLES.indexOf(msg.role)).u8(msg.reason).zeros(3).u64(msg.generationId);
    },
  });
}

export const NOTICE_ROWS: readonly MessageRow[] = [
  forwardRow('nx', 132, 1, 3),
  forwardRow('onf', 2350, 4, 4),
  forwardRow('msg', 32, 5, 6),
  roleRow('onf', 1911, 4, 4),
  roleRow('msg', 30, 5, 6),
  row({
    ...{ type: 'table_status', cls: 'msg', number: 31, min: 5, max: 6, body: 8, unit: 8 },
    decode(r) {
      const reason = r.u8();
      if (!TABLE_REASONS.includes(reason)) fail('OFPBPC_BAD_VALUE');
      return { type: 'table_status', reason, desc: getTableDesc(r.skip(7)) };
    },
    encode(w, msg) {
      w.u8(msg.reason).zeros(7);
      putTableDesc(w, msg.desc);
    },
  }),
];
