/**
 * Rows for messages that manage a connection: hello, error, echo, features, configuration, barrier,
 * roles, asynchronous settings and Nicira's per-connection switches.
 * Source: OpenFlow 1.0 sections 5.3 and 5.5; OpenFlow 1.3 section 7.3 and 7.5.
 */
import { errorName, errorNumbers, fail, NX_VENDOR_ID } from '../errors.js';
import type { OfError } from '../messages.js';
import type { AsyncConfig, Role, Simple } from '../messages-control.js';
import type { Reader, Writer } from './buffer.js';
import { type MessageClass, type MessageRow, row } from './message-row.js';
import { codecWarning } from './warnings.js';

const ALL = { min: 1, max: 6 };
const HELLO_VERSION_BITMAP = 1;
const NX_ERROR_TYPE = 0xb0c2;
const EXPERIMENTER_ERROR = 0xffff;

function simple(
  type: Simple['type'],
  cls: MessageClass,
  number: number,
  min: number,
  max: number,
): MessageRow {
  return row({ type, cls, number, min, max, body: 0, decode: () => ({ type }), encode: () => {} });
}

/**
 * Versions up to the sender's own, or those of a version bitmap; unknown elements are passed over.
 */
const VERSION_0 = 'peer claims to support invalid OpenFlow version 0x00';
const NO_VERSION = 'peer does not support any OpenFlow version (between 0x01 and 0x1f)';

function getHello(r: Reader, version: number): number[] {
  const fromHeader = Array.from({ length: version }, (_, i) => i + 1);
  while (r.left >= 4) {
    const type = r.peek16(0);
    const length = r.peek16(2);
    const padded = (length + 7) & ~7;
    if (length < 4 || padded > r.left) return fromHeader;
    const element = r.sub(padded).skip(4);
    if (type !== HELLO_VERSION_BITMAP || length < 8) continue;
    const bitmap = element.u32();
    const versions: number[] = [];
    if ((bitmap & 1) !== 0) codecWarning('ofp_util', () => VERSION_0);
    for (let v = 1; v < 32; v++) if ((bitmap & (1 << v)) !== 0) versions.push(v);
    if (versions.length > 0) return versions;
    codecWarning('ofp_util', () => NO_VERSION);
  }
  return fromHeader;
}

function getError(r: Reader, version: number): OfError {
  let type = r.u16();
  let code = r.u16();
  let vendor = 0;
  const [wireType, wireCode] = [type, code];
  if (type === NX_ERROR_TYPE && code === 0 && r.left >= 8) {
    vendor = r.u32();
    type = r.u16();
    code = r.u16();
  } else if (type === EXPERIMENTER_ERROR && r.left >= 4) {
    vendor = r.u32();
    type = code;
    code = 0;
  }
  const error = errorName(version, vendor, type, code);
  if (error !== undefined) return { type: 'error', error, data: r.rest() };
  return {
    type: 'error',
    error: 'unknown',
    data: r.rest(),
    errorType: wireType,
    errorCode: wireCode,
  };
}

function putError(w: Writer, msg: OfError, version: number): void {
  if (msg.error === 'unknown') {
    w.u16(msg.errorType ?? 0).u16(msg.errorCode ?? 0);
    w.put(msg.data);
    return;
  }
  const numbers = errorNumbers(msg.error, version);
  if (numbers.vendor === 0) w.u16(numbers.type).u16(numbers.code);
  else if (version <= 2) {
    w.u16(NX_ERROR_TYPE).u16(0).u32(NX_VENDOR_ID).u16(numbers.type).u16(numbers.code);
  } else w.u16(EXPERIMENTER_ERROR).u16(numbers.type).u32(numbers.vendor);
  w.put(msg.data);
}

/** Roles by number: OpenFlow's, and Nicira's, which lacks 'no change'. */
const ROLES: readonly Role[] = ['nochange', 'equal', 'primary', 'secondary'];
const NX_ROLES: readonly Role[] = ['equal', 'primary', 'secondary'];

function roleRows(type: 'role_request' | 'role_reply', number: number, nx: number): MessageRow[] {
  return [
    row({
      type,
      cls: 'msg',
      number,
      min: 3,
      max: 6,
      body: 16,
      decode(r) {
        const role = ROLES[r.u32()];
        if (role === undefined) fail('OFPRRFC_BAD_ROLE');
        r.skip(4);
        return { type, role, generationId: r.u64() };
      },
      serves: (msg) => msg.nx !== true,
      encode(w, msg) {
        w.u32(ROLES.indexOf(msg.role)).zeros(4);
        w.u64(msg.generationId ?? 0xffffffffffffffffn);
      },
    }),
    row({
      type,
      cls: 'nx',
      number: nx,
      min: 1,
      max: 6,
      body: 4,
      decode(r) {
        const role = NX_ROLES[r.u32()];
        if (role === undefined) fail('OFPRRFC_BAD_ROLE');
        return { type, role, nx: true };
      },
      serves: (msg, ctx) => msg.nx === true || ctx.version < 3,
      encode: (w, msg) => void w.u32(Math.max(0, NX_ROLES.indexOf(msg.role))),
    }),
  ];
}

function getMasks(r: Reader): [number, number] {
  return [r.u32(), r.u32()];
}

function asyncRow(
  type: AsyncConfig['type'],
  cls: MessageClass,
  number: number,
  min: number,
  max: number,
): MessageRow {
  return row({
    type,
    cls,
    number,
    min,
    max,
    body: 24,
    decode: (r) => ({
      type,
      packetIn: getMasks(r),
      portStatus: getMasks(r),
      flowRemoved: getMasks(r),
    }),
    encode(w, msg) {
      for (const pair of [msg.packetIn, msg.portStatus, msg.flowRemoved]) {
        w.u32(pair[0]).u32(pair[1]);
      }
    },
  });
}

function configRow(type: 'get_config_reply' | 'set_config', number: number): MessageRow {
  return row({
    type,
    cls: 'msg',
    number,
    ...ALL,
    body: 4,
    decode(r, ctx) {
      const flags = r.u16();
      const known = ctx.version < 4 ? 7 : 3;
      if (type === 'set_config' && (flags & ~known) !== 0) fail('OFPSCFC_BAD_FLAGS');
      const invalidTtl = ctx.version < 4 && (flags & 4) !== 0;
      return {
        type,
        fragHandling: flags & 3,
        ...(ctx.version < 4 && { invalidTtlToController: invalidTtl }),
        missSendLen: r.u16(),
      };
    },
    encode(w, msg, ctx) {
      const ttl = msg.invalidTtlToController === true && ctx.version < 4 ? 4 : 0;
      w.u16((msg.fragHandling & 3) | ttl).u16(msg.missSendLen);
    },
  });
}

export const CONTROL_ROWS: readonly MessageRow[] = [
  row({
    type: 'hello',
    cls: 'msg',
    number: 0,
    ...ALL,
    body: 0,
    unit: 1,
    decode: (r, ctx) => ({ type: 'hello', versions: getHello(r, ctx.version) }),
    encode(w, msg, ctx) {
      // Versions 1 to our own need no bitmap: that is what a bare hello says.
      const contiguous = msg.versions.length === ctx.version;
      if (contiguous) return;
      let bitmap = 0;
      for (const v of msg.versions) bitmap |= 1 << v;
      w.u16(HELLO_VERSION_BITMAP).u16(8).u32(bitmap);
    },
  }),
  row({
    type: 'error',
    cls: 'msg',
    number: 1,
    ...ALL,
    body: 4,
    unit: 1,
    decode: (r, ctx) => getError(r, ctx.version),
    encode: (w, msg, ctx) => putError(w, msg, ctx.version),
  }),
  ...(['echo_request', 'echo_reply'] as const).map((type, i) =>
    row({
      type,
      cls: 'msg',
      number: 2 + i,
      ...ALL,
      body: 0,
      unit: 1,
      decode: (r) => ({ type, data: r.rest() }),
      encode: (w, msg) => void w.put(msg.data),
    }),
  ),
  simple('features_request', 'msg', 5, 1, 6),
  simple('get_config_request', 'msg', 7, 1, 6),
  configRow('get_config_reply', 8),
  configRow('set_config', 9),
  simple('barrier_request', 'msg', 18, 1, 1),
  simple('barrier_request', 'msg', 20, 2, 6),
  simple('barrier_reply', 'msg', 19, 1, 1),
  simple('barrier_reply', 'msg', 21, 2, 6),
  ...roleRows('role_request', 24, 10),
  ...roleRows('role_reply', 25, 11),
  simple('get_async_request', 'msg', 26, 4, 6),
  asyncRow('get_async_reply', 'msg', 27, 4, 4),
  asyncRow('set_async', 'msg', 28, 4, 4),
  asyncRow('set_async', 'nx', 19, 1, 6),
  row({
    type: 'nx_set_flow_format',
    cls: 'nx',
    number: 12,
    min: 1,
    max: 1,
    body: 4,
    decode(r) {
      const format = r.u32();
      if (format !== 0 && format !== 2) fail('OFPBRC_EPERM');
      return { type: 'nx_set_flow_format', format: format === 0 ? 'openflow10' : 'nxm' };
    },
    encode: (w, msg) => void w.u32(msg.format === 'nxm' ? 2 : 0),
  }),
  row({
    type: 'nx_flow_mod_table_id',
    cls: 'nx',
    number: 15,
    ...ALL,
    body: 8,
    decode: (r) => ({ type: 'nx_flow_mod_table_id', enable: r.u8() !== 0 }),
    encode: (w, msg) => void w.u8(msg.enable ? 1 : 0).zeros(7),
  }),
  row({
    type: 'nx_set_packet_in_format',
    cls: 'nx',
    number: 16,
    ...ALL,
    body: 4,
    decode: (r) => ({ type: 'nx_set_packet_in_format', format: r.u32() }),
    encode: (w, msg) => void w.u32(msg.format),
  }),
  simple('nx_flow_age', 'nx', 18, 1, 6),
  row({
    type: 'nx_set_controller_id',
    cls: 'nx',
    number: 20,
    ...ALL,
    body: 8,
    decode(r) {
      r.zeros(6, 'NXBRC_MUST_BE_ZERO');
      return { type: 'nx_set_controller_id', id: r.u16() };
    },
    encode: (w, msg) => void w.zeros(6).u16(msg.id),
  }),
];
