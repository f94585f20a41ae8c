/** The field registry: lookups, values in flow words, masks and requirements. */
import { describe, expect, it } from 'vitest';
import {
  FIELDS,
  fieldByHeader,
  fieldByName,
  fieldGet,
  fieldGetMask,
  fieldHeader,
  fieldIsWild,
  fieldMaskBits,
  fieldMaskExact,
  fieldPrereqsOk,
  fieldSet,
  fieldValueValid,
  fieldWrite,
  getRun,
  mustField,
  portFrom16,
  portTo16,
  setRun,
} from '../../../src/packet/fields.js';
import {
  bigintToBytes,
  bytesToBigint,
  subfieldGet,
  subfieldMatch,
  subfieldStart,
  subfieldWrite,
} from '../../../src/packet/fields-subfield.js';
import * as L from '../../../src/packet/flow-layout.js';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));

describe('lookups', () => {
  it('knows names, aliases and NXM and OXM names', () => {
    expect(fieldByName('dl_src')).toBe(mustField('eth_src'));
    expect(fieldByName('NXM_OF_ETH_SRC')).toBe(mustField('eth_src'));
    expect(fieldByName('OXM_OF_PKT_REG1')).toBe(mustField('xreg1'));
    expect(fieldByName('nonsense')).toBeUndefined();
  });

  it('finds fields by number, and no two fields share one', () => {
    expect(fieldByHeader(0, 0x8000, 5)?.name).toBe('eth_type');
    expect(fieldByHeader(0x2320, 0xffff, 11)?.name).toBe('tun_erspan_idx');
    const keys = FIELDS.flatMap((f) => f.headers.map((h) => `${h.vendor}:${h.class}:${h.field}`));
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('prefers NXM before 1.2 and the newest OXM after', () => {
    const flags = mustField('tcp_flags');
    expect(fieldHeader(flags, 1)?.name).toBe('NXM_NX_TCP_FLAGS');
    expect(fieldHeader(flags, 3)?.name).toBe('NXM_NX_TCP_FLAGS');
    expect(fieldHeader(flags, 4)?.name).toBe('ONFOXM_ET_TCP_FLAGS');
    expect(fieldHeader(flags, 6)?.name).toBe('OXM_OF_TCP_FLAGS');
    expect(fieldHeader(mustField('metadata'), 1)?.name).toBe('OXM_OF_METADATA');
    expect(fieldHeader(mustField('tun_ttl'), 4)).toBeUndefined();
  });
});

describe('values in a match', () => {
  // Tunnel options lie beside the words (test/unit/openflow/tun-metadata.test.ts).
  const inWords = FIELDS.filter((f) => f.option === undefined);
  it.each(inWords.map((f) => [f.name, f] as const))('%s comes back as set', (_name, field) => {
    const flow = L.newFlow();
    const mask = L.newFlow();
    const value = new Uint8Array(field.nBytes);
    // One bit that every field has; vlan_vid's presence bit comes with it.
    value[field.nBytes - 1] = field.special === 'nw_tos' ? 4 : 1;
    if (field.name === 'vlan_vid') value[0] = 0x10;
    fieldSet(flow, mask, field, value);
    expect(hex(fieldGet(flow, field))).toBe(hex(value));
    expect(fieldIsWild(mask, field)).toBe(false);
    fieldSet(flow, mask, field, new Uint8Array(field.nBytes), new Uint8Array(field.nBytes));
    expect([...flow].every((w) => w === 0) && [...mask].every((w) => w === 0)).toBe(true);
  });

  it('keeps no value bits outside of the mask', () => {
    const flow = L.newFlow();
    const mask = L.newFlow();
    fieldSet(flow, mask, mustField('ip_src'), bytes('0a010203'), bytes('ffff0000'));
    expect(flow[L.W_NW_SRC] >>> 0).toBe(0x0a010000);
    expect(hex(fieldGetMask(mask, mustField('ip_src')))).toBe('ffff0000');
  });

  it('matches a VLAN with its presence, and its absence as 0xffff', () => {
    const flow = L.newFlow();
    const mask = L.newFlow();
    fieldSet(flow, mask, mustField('dl_vlan'), bytes('0005'));
    expect([flow[L.W_VLAN0], mask[L.W_VLAN0]]).toEqual([0x1005, 0x1fff]);
    fieldSet(flow, mask, mustField('dl_vlan_pcp'), bytes('03'));
    expect([flow[L.W_VLAN0], mask[L.W_VLAN0]]).toEqual([0x7005, 0xffff]);
    fieldSet(flow, mask, mustField('dl_vlan'), bytes('ffff'));
    expect([flow[L.W_VLAN0], mask[L.W_VLAN0]]).toEqual([0, 0xffff]);
    expect(hex(fieldGet(flow, mustField('dl_vlan')))).toBe('ffff');
  });

  it('masks exactly every bit of a field', () => {
    const mask = L.newFlow();
    fieldMaskExact(mask, mustField('eth_src'));
    expect([mask[L.W_DL_DST_SRC], mask[L.W_DL_SRC]]).toEqual([0xffff, -1]);
  });

  it('maps reserved ports between 16 and 32 bits', () => {
    expect(portTo16(0xfffffffe)).toBe(0xfffe);
    expect(portFrom16(0xfffd)).toBe(0xfffffffd);
    expect(portFrom16(7)).toBe(7);
    expect(portTo16(0x10000)).toBe(0xffff);
  });

  it('tells values that are too wide', () => {
    expect(fieldValueValid(mustField('vlan_pcp'), bytes('08'))).toBe(false);
    expect(fieldValueValid(mustField('ip_dscp'), bytes('3f'))).toBe(true);
    expect(fieldValueValid(mustField('nw_tos'), bytes('03'))).toBe(false);
    expect(fieldValueValid(mustField('arp_op'), bytes('0100'))).toBe(false);
  });
});

describe('values in a packet', () => {
  it('adds an 802.1Q tag where a VLAN is set, and removes it with a TCI without it', () => {
    const flow = L.newFlow();
    fieldWrite(flow, mustField('dl_vlan'), bytes('0007'));
    expect(flow[L.W_VLAN0] >>> 0).toBe(0x81001007);
    fieldWrite(flow, mustField('vlan_pcp'), bytes('05'));
    expect(flow[L.W_VLAN0] >>> 0).toBe(0x8100b007);
    fieldWrite(flow, mustField('vlan_tci'), bytes('0000'));
    expect(flow[L.W_VLAN0]).toBe(0);
  });

  it('reads and writes runs of bits', () => {
    const flow = L.newFlow();
    subfieldWrite(flow, mustField('xxreg0'), 60, 8, bytes('a5'));
    expect(hex(subfieldGet(flow, mustField('xxreg0'), 60, 8))).toBe('a5');
    expect([flow[L.W_REG0 + 1], flow[L.W_REG0 + 2] >>> 0]).toEqual([0xa, 0x50000000]);
    const mask = L.newFlow();
    subfieldMatch(flow, mask, mustField('reg4'), 4, 4, bytes('09'));
    expect([flow[L.W_REG0 + 4], mask[L.W_REG0 + 4]]).toEqual([0x90, 0xf0]);
  });

  it('turns bytes into numbers and back', () => {
    expect(bytesToBigint(bytes('0102'))).toBe(0x102n);
    expect(hex(bigintToBytes(0x10203n, 2))).toBe('0203');
  });
});

describe('requirements', () => {
  const tcpFlow = (dlType: number, proto: number): L.FlowWords => {
    const flow = L.newFlow();
    flow[L.W_DL_TYPE] = dlType << 16;
    flow[L.W_NW] = proto << 24;
    return flow;
  };

  it('are met by the right types alone', () => {
    const tcp = mustField('tcp_dst');
    expect(fieldPrereqsOk(tcp, tcpFlow(0x0800, 6))).toBe(true);
    expect(fieldPrereqsOk(tcp, tcpFlow(0x86dd, 6))).toBe(true);
    expect(fieldPrereqsOk(tcp, tcpFlow(0x0800, 17))).toBe(false);
    expect(fieldPrereqsOk(tcp, tcpFlow(0x0806, 6))).toBe(false);
    const later = tcpFlow(0x0800, 6);
    later[L.W_DL_TYPE] |= L.NW_FRAG_LATER << 8;
    expect(fieldPrereqsOk(tcp, later)).toBe(false);
  });

  it('of connection addresses are a valid connection, in matches also one not invalid', () => {
    const field = mustField('ct_nw_proto');
    const flow = L.newFlow();
    const mask = L.newFlow();
    flow[L.W_CT_STATE] = 0x20 << 16;
    expect(fieldPrereqsOk(field, flow)).toBe(false);
    mask[L.W_CT_STATE] = 0x30 << 16;
    expect(fieldPrereqsOk(field, flow, mask)).toBe(true);
    flow[L.W_CT_STATE] = 0x22 << 16;
    expect(fieldPrereqsOk(field, flow)).toBe(true);
  });
});

describe('runs of bits in one word', () => {
  /** A flow in which all bits differ from those of their neighbours, somewhere. */
  const pattern = (): L.FlowWords => {
    const flow = L.newFlow();
    for (let i = 0; i < flow.length; i++) flow[i] = Math.imul(i + 1, 0x9e3779b1);
    return flow;
  };
  const number = (value: Uint8Array): bigint => bytesToBigint(value);

  it('are read and written as by way of arrays, wherever a field has them', () => {
    let direct = 0;
    for (const field of FIELDS) {
      for (let ofs = 0; ofs < field.nBits; ofs += 3) {
        for (const nBits of [1, 7, 16, 32, field.nBits]) {
          if (ofs + nBits > field.nBits) continue;
          const start = subfieldStart(field, ofs, nBits);
          if (start < 0) continue;
          direct += 1;
          const flow = pattern();
          const read = BigInt(getRun(flow, start, nBits) >>> 0);
          expect(read, field.name).toBe(number(subfieldGet(flow, field, ofs, nBits)));
          const value = bigintToBytes(0xa5c3_96f0n & ((1n << BigInt(nBits)) - 1n), 4);
          const other = pattern();
          setRun(flow, start, nBits, Number(number(value)) | 0);
          subfieldWrite(other, field, ofs, nBits, value);
          expect(flow, `${field.name}[${ofs}..${ofs + nBits - 1}]`).toEqual(other);
        }
      }
    }
    expect(direct).toBeGreaterThan(500);
  });

  it('are not offered where a field is stored otherwise than it is read', () => {
    for (const name of ['in_port', 'nw_tos', 'dl_vlan', 'vlan_pcp'])
      expect(subfieldStart(mustField(name), 0, 1), name).toBe(-1);
    expect(subfieldStart(mustField('eth_src'), 0, 48)).toBe(-1);
  });

  it('of a mask add to what is matched', () => {
    for (const field of FIELDS) {
      if (field.special !== undefined) continue;
      const bits = new Uint8Array(field.nBytes).map((_, i) => 0x5a ^ i);
      const [mask, written, before] = [pattern(), L.newFlow(), pattern()];
      fieldMaskBits(mask, field, bits);
      fieldWrite(written, field, bits);
      for (let i = 0; i < mask.length; i++) expect(mask[i]).toBe(before[i] | written[i]);
    }
  });
});
