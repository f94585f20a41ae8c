/**
 * Frames of other implementations, byte by byte, through a bridge: Linux bonding, switches in the
 * manner of Cisco's, LACP version 2, markers; and what is none: short, misaddressed, garbage.
 *
 * The frames are laid out by hand after the standard's figures, with the values that those
 * implementations are known to send; the system ids are made up.
 */
import { beforeEach, describe, expect, it } from 'vitest';
import { LACP_STATE, type LacpInfo, parsePdu } from '../../../src/ofproto/lacp-pdu.js';
import type { Ofproto } from '../../../src/ofproto/ofproto.js';
import { defaultBondSettings, defaultBundleSettings } from '../../../src/ofproto/settings.js';
import { frame, TestSwitch } from './support/bridge.js';

const SLOW_PROTOCOLS = '0180c2000002';
const OURS = '020000000009';

let sw: TestSwitch;
let br: Ofproto;

beforeEach(() => {
  sw = new TestSwitch();
  br = sw.bridge('br1');
  const members = [sw.device(br, 'vetha'), sw.device(br, 'vethx')];
  br.bundleSet('bond1', {
    ...defaultBundleSettings('bond1', members),
    bond: { ...defaultBondSettings(), mode: 'balance-slb' },
    lacp: {
      active: true,
      fast: false,
      systemId: Uint8Array.from(Buffer.from(OURS, 'hex')),
      systemPriority: 65534,
      fallbackAb: false,
    },
  });
  sw.port(br, 'vethn');
  sw.settle();
  sw.dpif.executed.length = 0;
});

const lacp = () => {
  const { lacp: machine } = br.bundleByKey('bond1') ?? {};
  if (!machine) throw new Error('no LACP');
  return machine;
};

function member(index: number) {
  return [...lacp().members.values()][index];
}

const hex = (text: string): Uint8Array =>
  Uint8Array.from(Buffer.from(text.replace(/\s/g, ''), 'hex'));

/** A frame from the peer arrives on a member (1, 2). */
function arrives(port: number, ...parts: string[]): void {
  sw.send(port, hex(parts.join('')));
}

/** LACPDUs and markers that the bridge has sent since the last look, without Ethernet headers. */
function sent(): Uint8Array[] {
  const frames = sw.dpif.executed.splice(0).map(({ data }) => data);
  return frames.filter((data) => data[12] === 0x88 && data[13] === 0x09).map((d) => d.subarray(14));
}

/** What the bridge told last on its first member. */
function lastTold(): { actor: LacpInfo; partner: LacpInfo } {
  const pdus = sent().flatMap((bytes) => {
    const parsed = parsePdu(bytes);
    return parsed.type === 'lacp' && parsed.pdu.actor.portId === 1 ? [parsed.pdu] : [];
  });
  if (pdus.length === 0) throw new Error('nothing was sent');
  return pdus[pdus.length - 1];
}

/** What we tell of member 1, as the 15 bytes of a partner's information. */
const told = (state: string): string => `fffe ${OURS} 0001 ffff 0001 ${state}`;

/** Linux bonding, mode 802.3ad, lacp_rate fast: key 15 (10 Gbit/s, full duplex), priority 255. */
function linux(state: string, partner: string): string {
  return `${SLOW_PROTOCOLS} 525400ab0001 8809 0101
    0114 ffff 525400ab0000 000f 00ff 0001 ${state} 000000
    0214 ${partner} 000000
    0310 0000 000000000000000000000000
    0000 ${'00'.repeat(50)}`;
}

/** Before it has heard anything it takes its partner for priority 65535, key 1, port 1. */
const LINUX_DEFAULT = 'ffff 000000000000 0001 00ff 0001 01';

/** A switch in the manner of Cisco's: priority and port priority 0x8000, delay 0x8000, slow. */
function cisco(state: string, partner: string, tail = `0000 ${'00'.repeat(50)}`, version = '01') {
  return `${SLOW_PROTOCOLS} 001b0dabcd01 8809 01${version}
    0114 8000 001b0dabcd00 0002 8000 010c ${state} 000000
    0214 ${partner} 000000
    0310 8000 000000000000000000000000
    ${tail}`;
}

describe('negotiates with', () => {
  it('Linux bonding: defaulted, then in sync, then distributing', () => {
    arrives(1, linux('47', LINUX_DEFAULT));
    expect(member(0).status).toBe('current');
    expect(lacp().mayEnable(member(0).link)).toBe(false);
    const answer = lastTold();
    expect(answer.partner).toMatchObject({ sysPriority: 65535, key: 15, portPriority: 255 });
    expect(answer.actor.state & LACP_STATE.SYNCHRONIZED).not.toBe(0);
    arrives(1, linux('0f', told('3d')));
    expect(lacp().mayEnable(member(0).link)).toBe(true);
    arrives(1, linux('3f', told('3d')));
    expect(lacp().status).toBe('negotiated');
    expect(br.bundleByKey('bond1')?.bond?.memberByName('vetha')?.enabled).toBe(true);
    // It wants a PDU each second, whatever our own rate.
    sent();
    for (let i = 0; i < 5; i++) sw.advance(1000);
    expect(sent().filter((pdu) => parsePdu(pdu).type === 'lacp').length).toBeGreaterThanOrEqual(5);
  });

  it('a switch in the manner of Cisco: slow, with a collector delay', () => {
    arrives(1, cisco('45', `0000 000000000000 0000 0000 0000 00`));
    arrives(1, cisco('0d', told('3d')));
    arrives(1, cisco('3d', told('3d')));
    expect(lacp().mayEnable(member(0).link)).toBe(true);
    expect(member(0).partner).toMatchObject({
      sysPriority: 0x8000,
      key: 2,
      portPriority: 0x8000,
      portId: 0x010c,
    });
    // It is patient with a silence of less than three slow periods.
    sw.advance(89_000);
    expect(member(0).status).toBe('current');
    sw.advance(1000);
    expect(member(0).status).toBe('expired');
  });

  it('a switch that speaks version 2, with TLVs that we do not know', () => {
    // Port algorithm, conversation id digest and mask of IEEE 802.1AX-2014, then the terminator.
    const digest = `0514 ${'ab'.repeat(18)}`;
    const mask = `0617 ${'cd'.repeat(21)}`;
    const tail = `0406 0080c201 ${digest} ${mask} 0000 ${'00'.repeat(50)}`;
    arrives(1, cisco('0d', told('3d'), tail, '02'));
    arrives(1, cisco('3d', told('3d'), tail, '02'));
    expect(member(0).counters.rxBadPdus).toBe(0);
    expect(lacp().mayEnable(member(0).link)).toBe(true);
  });

  it('a switch that tags its frames with priority 7 and VLAN 0', () => {
    const tagged = cisco('3d', told('3d')).replace(' 8809 ', ' 8100 e000 8809 ');
    arrives(1, tagged);
    expect(member(0).counters.rxBadPdus).toBe(0);
    expect(lacp().mayEnable(member(0).link)).toBe(true);
  });

  it('a partner that gives a link up while its carrier stays', () => {
    arrives(1, linux('3f', told('3d')));
    arrives(2, linux('3f', told('3d')).replace('00ff 0001 3f', '00ff 0002 3f'));
    expect(lacp().mayEnable(member(1).link)).toBe(true);
    // Out of sync: the link is in its standby, or was taken out of the aggregate.
    arrives(2, linux('07', told('3d')).replace('00ff 0001 07', '00ff 0002 07'));
    expect(lacp().mayEnable(member(1).link)).toBe(false);
    expect(br.bundleByKey('bond1')?.bond?.memberByName('vethx')?.enabled).toBe(false);
    expect(lacp().status).toBe('negotiated');
  });
});

describe('markers', () => {
  const marker = (type: string): string =>
    `${SLOW_PROTOCOLS} 001b0dabcd01 8809 0201
     ${type}10 010c 001b0dabcd00 deadbeef 0000 0000 ${'00'.repeat(90)}`;

  it('come back as responses, by the link that they came by', () => {
    arrives(2, marker('01'));
    const answers = sent().filter((pdu) => pdu[0] === 2);
    expect(answers).toHaveLength(1);
    expect(Buffer.from(answers[0].subarray(0, 20)).toString('hex')).toBe(
      '02010210010c001b0dabcd00deadbeef00000000',
    );
    expect(answers[0]).toHaveLength(110);
    expect(member(1).counters.rxMarkerPdus).toBe(1);
    expect(member(1).status).not.toBe('current');
  });

  it('that are responses are not answered again', () => {
    arrives(1, marker('02'));
    expect(sent().filter((pdu) => pdu[0] === 2)).toEqual([]);
    expect(member(0).counters.rxMarkerPdus).toBe(1);
  });
});

describe('counts and leaves alone', () => {
  const before = () => ({ ...member(0).partner });

  it.each([
    [
      'a short one',
      linux('3f', told('3d'))
        .replace(/\s/g, '')
        .slice(0, 2 * 100),
    ],
    ['one that is only a header', `${SLOW_PROTOCOLS} 001b0dabcd01 8809`],
    ['one sent to a station', linux('3f', told('3d')).replace(SLOW_PROTOCOLS, '020000000001')],
    ['one sent to everybody', linux('3f', told('3d')).replace(SLOW_PROTOCOLS, 'ffffffffffff')],
    ['an actor TLV of a wrong length', linux('3f', told('3d')).replace('0114', '0113')],
    ['a partner TLV of another type', linux('3f', told('3d')).replace('0214', '0714')],
    ['another slow protocol (OAM, subtype 3)', linux('3f', told('3d')).replace('0101', '0301')],
  ])('%s', (_what, text) => {
    const partner = before();
    const { rxPdus } = member(0).counters;
    arrives(1, text);
    const { counters } = member(0);
    expect([counters.rxPdus - rxPdus, counters.rxBadPdus]).toEqual([1, 1]);
    expect(member(0).partner).toEqual(partner);
    expect(lacp().mayEnable(member(0).link)).toBe(false);
  });

  it('what comes in by a port without LACP', () => {
    expect(sw.send(3, hex(linux('3f', told('3d'))))).toBe('drop');
    expect(sent()).toEqual([]);
    expect(sw.send(3, frame({ src: '50:54:00:00:00:01' }))).not.toBe('');
  });
});
