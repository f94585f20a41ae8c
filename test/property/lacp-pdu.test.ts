/** LACPDUs: what is composed reads back, and nothing that arrives can do harm. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { composePdu, LACP_PDU_BYTES, type LacpInfo, parsePdu } from '../../src/ofproto/lacp-pdu.js';

const u16 = fc.integer({ min: 0, max: 0xffff });
const info: fc.Arbitrary<LacpInfo> = fc.record({
  sysPriority: u16,
  sysId: fc.uint8Array({ minLength: 6, maxLength: 6 }),
  key: u16,
  portPriority: u16,
  portId: u16,
  state: fc.integer({ min: 0, max: 0xff }),
});

describe('LACPDUs', () => {
  it('read back as they were composed', () => {
    fc.assert(
      fc.property(info, info, (actor, partner) => {
        const bytes = composePdu({ actor, partner });
        expect(bytes).toHaveLength(LACP_PDU_BYTES);
        expect(parsePdu(bytes)).toEqual({ type: 'lacp', pdu: { actor, partner } });
      }),
    );
  });

  it('read back from anywhere in a frame, whatever follows and however reserved bytes are', () => {
    fc.assert(
      fc.property(
        info,
        info,
        fc.nat({ max: 20 }),
        fc.uint8Array({ maxLength: 40 }),
        fc.integer({ min: 0, max: 255 }),
        (actor, partner, before, after, filler) => {
          const pdu = composePdu({ actor, partner });
          pdu.fill(filler, 60);
          pdu.fill(filler, 19, 22);
          const frame = new Uint8Array(before + pdu.length + after.length);
          frame.set(pdu, before);
          frame.set(after, before + pdu.length);
          expect(parsePdu(frame.subarray(before))).toEqual({
            type: 'lacp',
            pdu: { actor, partner },
          });
        },
      ),
    );
  });

  it('are told from garbage', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const { type } = parsePdu(bytes);
        const wellFormed =
          bytes.length >= LACP_PDU_BYTES &&
          Buffer.from([bytes[0], bytes[2], bytes[3], bytes[22], bytes[23]]).toString('hex') ===
            '0101140214';
        if (wellFormed) expect(type).toBe('lacp');
        else expect(type).toBe(bytes.length >= LACP_PDU_BYTES && bytes[0] === 2 ? 'marker' : 'bad');
      }),
      { examples: [[new Uint8Array(LACP_PDU_BYTES).fill(2)], [new Uint8Array(109).fill(1)]] },
    );
  });

  it('are bad when cut short or when a fixed value is wrong', () => {
    const anyInfo = { sysPriority: 1, sysId: new Uint8Array(6), key: 1, portPriority: 1 };
    const pdu = composePdu({
      actor: { ...anyInfo, portId: 1, state: 0x3d },
      partner: { ...anyInfo, portId: 2, state: 0x3d },
    });
    for (let length = 0; length < pdu.length; length++) {
      expect(parsePdu(pdu.subarray(0, length)).type).toBe('bad');
    }
    for (const at of [0, 2, 3, 22, 23]) {
      const broken = pdu.slice();
      broken[at] = 0xee;
      expect(parsePdu(broken).type).toBe('bad');
    }
  });

  it("are those of another implementation's capture", () => {
    // Laid out by hand from the standard's figure 6-7: a port of a switch in slow, active mode.
    const hex =
      '0101' +
      '01148000000496e3a1b200210080001a3d000000' +
      '0214ffff02005e00530100010080000b3f000000' +
      '03108000000000000000000000000000' +
      '0000'.padEnd(104, '0');
    const parsed = parsePdu(Buffer.from(hex, 'hex'));
    expect(parsed.type).toBe('lacp');
    if (parsed.type !== 'lacp') return;
    expect(parsed.pdu.actor).toEqual({
      sysPriority: 0x8000,
      sysId: Uint8Array.of(0x00, 0x04, 0x96, 0xe3, 0xa1, 0xb2),
      key: 0x21,
      portPriority: 0x80,
      portId: 0x1a,
      state: 0x3d,
    });
    expect(parsed.pdu.partner.portId).toBe(0x0b);
  });
});
