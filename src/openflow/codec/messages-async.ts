/**
 * Rows for asynchronous settings as properties: OpenFlow 1.4 and later, and Nicira's extension that
 * brings them to earlier versions. The fixed form of 1.3 is in messages-control.ts.
 *
 *     type(16) length(16)=8 mask(32)      even types: secondary connections; odd: the others
 *
 * Source: OpenFlow 1.4 section 7.3.10.
 */
import { fail } from '../errors.js';
import { ASYNC_KINDS, type AsyncChange, type AsyncConfig } from '../messages-control.js';
import type { Reader, Writer } from './buffer.js';
import { type MessageClass, type MessageRow, row } from './message-row.js';
import { getProperty, putProperty } from './props.js';
import { codecWarning } from './warnings.js';

/** Reasons that exist, by kind; 1.0 to 1.3 have the first three of packet-ins. */
const ALLOWED = [0x3f, 0x7, 0x3f, 0x7, 0x18, 0x3];
const PACKET_IN_OF10 = 0x7;
const EXPERIMENTER = 0xfffe;
const OF14 = 5;

function getChanges(r: Reader, version: number): AsyncChange[] {
  const changes: AsyncChange[] = [];
  while (r.left > 0) {
    const { type, payload } = getProperty(r);
    if (type >= EXPERIMENTER) fail('OFPBPC_BAD_EXP_TYPE');
    const kind = ASYNC_KINDS[type >> 1];
    if (kind === undefined) {
      codecWarning('ofp_connection', () => `unknown async config property type ${type}`);
      fail('OFPACFC_UNSUPPORTED');
    }
    if (payload.left !== 4) fail('OFPBPC_BAD_LEN');
    const mask = payload.u32();
    const old = kind === 'packetIn' && version < OF14;
    const allowed = old ? PACKET_IN_OF10 : ALLOWED[type >> 1];
    if ((mask & ~allowed) !== 0) {
      codecWarning('ofp_connection', () => badMaskText(kind, mask, allowed));
      fail('OFPACFC_INVALID');
    }
    changes.push({ kind, secondary: (type & 1) === 0, mask });
  }
  return changes;
}

function badMaskText(kind: string, mask: number, allowed: number): string {
  const words = kind.replace('requestForward', 'requestforward').replace(/[A-Z]/g, '_$&');
  const name = words.toUpperCase();
  const hex = (bits: number): string => `0x${(bits >>> 0).toString(16)}`;
  return `bad value ${hex(mask)} for ${name} (allowed mask ${hex(allowed)})`;
}

function putChanges(w: Writer, changes: readonly AsyncChange[]): void {
  for (const { kind, secondary, mask } of changes) {
    const type = ASYNC_KINDS.indexOf(kind) * 2 + (secondary ? 0 : 1);
    putProperty(w, type, (p) => p.u32(mask));
  }
}

function setRow(cls: MessageClass, number: number, min: number, max: number): MessageRow {
  const type = 'set_async_properties' as const;
  return row({
    ...{ type, cls, number, min, max, body: 0, unit: 8 },
    decode: (r, ctx) => ({ type, changes: getChanges(r, ctx.version) }),
    encode: (w, msg) => putChanges(w, msg.changes),
  });
}

export const ASYNC_ROWS: readonly MessageRow[] = [
  setRow('nx', 27, 1, 4),
  setRow('msg', 28, 5, 6),
  row({
    ...{ type: 'get_async_reply', cls: 'msg', number: 27, min: 5, max: 6, body: 0, unit: 8 },
    decode(r, ctx) {
      const none = (): [number, number] => [0, 0];
      const reply: AsyncConfig = {
        ...{ type: 'get_async_reply', packetIn: none(), portStatus: none(), flowRemoved: none() },
        ...{ roleStatus: none(), tableStatus: none(), requestForward: none() },
      };
      for (const { kind, secondary, mask } of getChanges(r, ctx.version)) {
        (reply[kind] as [number, number])[secondary ? 1 : 0] = mask;
      }
      return reply;
    },
    encode(w, msg) {
      const changes = ASYNC_KINDS.flatMap((kind) => {
        const [primary, secondary] = msg[kind] ?? [0, 0];
        return [
          { kind, secondary: true, mask: secondary },
          { kind, secondary: false, mask: primary },
        ];
      });
      putChanges(w, changes);
    },
  }),
];
