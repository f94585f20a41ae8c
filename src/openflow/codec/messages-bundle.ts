/**
 * Rows for bundles: control and add, since OpenFlow 1.4, and as an ONF extension of 1.3.
 * Source: OpenFlow 1.4 section 7.3.9; ONF extension 230.
 */
import { fail } from '../errors.js';
import { BUNDLE_TYPES } from '../messages-bundle.js';
import type { MessageClass, MessageRow } from './message-row.js';
import { row } from './message-row.js';

function controlRow(cls: MessageClass, number: number, min: number, max: number): MessageRow {
  return row({
    ...{ type: 'bundle_control', cls, number, min, max, body: 8 },
    decode(r) {
      const [bundle, ctrl, flags] = [r.u32(), r.u16(), r.u16()];
      return { type: 'bundle_control', bundle, ctrl: BUNDLE_TYPES[ctrl] ?? ctrl, flags };
    },
    encode(w, msg) {
      const ctrl = typeof msg.ctrl === 'number' ? msg.ctrl : BUNDLE_TYPES.indexOf(msg.ctrl);
      w.u32(msg.bundle).u16(ctrl).u16(msg.flags);
    },
  });
}

const HEADER = 8;

function addRow(cls: MessageClass, number: number, min: number, max: number): MessageRow {
  return row({
    ...{ type: 'bundle_add_message', cls, number, min, max, body: 8, unit: 1 },
    decode(r, ctx) {
      const bundle = r.u32();
      const flags = r.skip(2).u16();
      if (r.left < HEADER) fail('OFPBFC_MSG_BAD_LEN');
      if (r.bytes[r.pos] !== ctx.version) fail('OFPBFC_BAD_VERSION');
      const length = r.peek16(2);
      if (length < HEADER || length > r.left) fail('OFPBFC_MSG_BAD_LEN');
      const frame = r.view8(length);
      for (let i = 4; i < HEADER; i++) {
        if (frame[i] !== r.bytes[i]) fail('OFPBFC_MSG_BAD_XID');
      }
      return { type: 'bundle_add_message', bundle, flags, frame };
    },
    encode: (w, msg) => void w.u32(msg.bundle).zeros(2).u16(msg.flags).put(msg.frame),
  });
}

export const BUNDLE_ROWS: readonly MessageRow[] = [
  controlRow('onf', 2300, 4, 4),
  controlRow('msg', 33, 5, 6),
  addRow('onf', 2301, 4, 4),
  addRow('msg', 34, 5, 6),
];
