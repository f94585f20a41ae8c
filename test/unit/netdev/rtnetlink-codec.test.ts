/** rtnetlink messages: encoding, and decoding of whatever comes. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeAttributes,
  decodeError,
  decodeLink,
  decodeMessages,
  encodeLinkRequest,
  NLMSG_ERROR,
  RTM_NEWLINK,
  RTM_SETLINK,
} from '../../../src/netdev/rtnetlink-codec.js';

/** Little-endian machines only, as the test's own encoder is. */
function attribute(type: number, value: Uint8Array): Buffer {
  const bytes = Buffer.alloc((4 + value.length + 3) & ~3);
  bytes.writeUInt16LE(4 + value.length, 0);
  bytes.writeUInt16LE(type, 2);
  bytes.set(value, 4);
  return bytes;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function message(type: number, payload: Uint8Array, seq = 7): Buffer {
  const bytes = Buffer.alloc((16 + payload.length + 3) & ~3);
  bytes.writeUInt32LE(16 + payload.length, 0);
  bytes.writeUInt16LE(type, 4);
  bytes.writeUInt32LE(seq, 8);
  bytes.set(payload, 16);
  return bytes;
}

function newLink(ifindex: number, flags: number, attributes: Buffer[], family = 0): Buffer {
  const info = Buffer.alloc(16);
  info[0] = family;
  info.writeUInt16LE(1, 2);
  info.writeInt32LE(ifindex, 4);
  info.writeUInt32LE(flags, 8);
  return message(RTM_NEWLINK, Buffer.concat([info, ...attributes]));
}

const NAME = attribute(3, Buffer.from('eth7\0'));

describe('decodeLink', () => {
  it('reads a link with all that is used of it', () => {
    const stats = Buffer.alloc(25 * 8);
    stats.writeBigUInt64LE(5n, 0);
    stats.writeBigUInt64LE(2n ** 40n, 24);
    const [parsed] = decodeMessages(
      newLink(12, 0x1043, [
        NAME,
        attribute(1, Buffer.from('0200000000aa', 'hex')),
        attribute(4, uint32(9000)),
        attribute(5, uint32(13)),
        attribute(16, Buffer.from([6])),
        attribute(18 | 0x8000, attribute(1, Buffer.from('veth\0'))),
        attribute(23, stats),
        attribute(30, uint32(2)),
        attribute(31, uint32(4)),
        attribute(33, Buffer.from([1])),
        attribute(35, uint32(3)),
        attribute(37, uint32(0)),
      ]),
    );
    expect(decodeLink(parsed)).toMatchObject({
      ifindex: 12,
      name: 'eth7',
      hwType: 1,
      flags: 0x1043,
      mtu: 9000,
      link: 13,
      operstate: 6,
      kind: 'veth',
      promiscuity: 2,
      numTxQueues: 4,
      numRxQueues: 1,
      carrier: true,
      carrierChanges: 3,
      linkNetnsid: 0,
      address: Uint8Array.from([2, 0, 0, 0, 0, 0xaa]),
      stats: { rxPackets: 5, txPackets: 0, txBytes: 2 ** 40 },
    });
  });

  it.each([
    ['without a name', newLink(3, 0, [])],
    ['of the bridge family', newLink(3, 0, [NAME], 7)],
    ['without an index', newLink(0, 0, [NAME])],
    ['cut short', message(RTM_NEWLINK, Buffer.alloc(15))],
  ])('ignores a message %s', (_what, bytes) => {
    const [parsed] = decodeMessages(bytes);
    expect(decodeLink(parsed)).toBeNull();
  });

  it('keeps its address when the buffer is used again', () => {
    const bytes = newLink(3, 0, [NAME, attribute(1, Buffer.from('0200000000aa', 'hex'))]);
    const [parsed] = decodeMessages(bytes);
    const link = decodeLink(parsed);
    bytes.fill(0);
    expect(link?.address).toEqual(Uint8Array.from([2, 0, 0, 0, 0, 0xaa]));
  });
});

describe('decodeMessages', () => {
  it('splits a datagram and stops at a length that lies', () => {
    const good = newLink(3, 0, [NAME]);
    const bad = newLink(4, 0, [NAME]);
    bad.writeUInt32LE(4000, 0);
    const messages = decodeMessages(Buffer.concat([good, good, bad, good]));
    expect(messages.map((m) => m.seq)).toEqual([7, 7]);
    const tiny = newLink(4, 0, [NAME]);
    tiny.writeUInt32LE(3, 0);
    expect(decodeMessages(tiny)).toEqual([]);
  });

  it('tells errors as positive numbers', () => {
    const payload = Buffer.alloc(20);
    payload.writeInt32LE(-19);
    expect(decodeError(decodeMessages(message(NLMSG_ERROR, payload))[0])).toBe(19);
    expect(decodeError({ type: NLMSG_ERROR, flags: 0, seq: 0, payload: Buffer.alloc(2) })).toBe(0);
  });

  it('is total: any bytes end in links of bounded number, or in none', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), (bytes) => {
        const messages = decodeMessages(bytes);
        expect(messages.length).toBeLessThanOrEqual(bytes.length / 16);
        for (const parsed of messages) {
          decodeLink(parsed);
          decodeError(parsed);
        }
        expect(decodeAttributes(bytes).size).toBeLessThanOrEqual(bytes.length / 4);
      }),
    );
  });

  it('is total on messages that were good before some bytes were changed or cut', () => {
    const good = newLink(12, 1, [
      NAME,
      attribute(18, attribute(1, Buffer.from('veth\0'))),
      attribute(23, Buffer.alloc(200)),
      attribute(4, uint32(1500)),
    ]);
    const change = fc.tuple(fc.nat(good.length - 1), fc.nat(255));
    fc.assert(
      fc.property(fc.array(change, { maxLength: 6 }), fc.nat(good.length), (changes, length) => {
        const bytes = Buffer.from(good);
        for (const [at, value] of changes) bytes[at] = value;
        for (const parsed of decodeMessages(bytes.subarray(0, length))) {
          const link = decodeLink(parsed);
          if (link) expect(link.name.length).toBeGreaterThan(0);
        }
      }),
    );
  });
});

describe('encodeLinkRequest', () => {
  it('encodes what it is given, readable by the decoder', () => {
    const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,14}$/);
    const address = fc.uint8Array({ minLength: 6, maxLength: 6 });
    const mtu = fc.integer({ min: 68, max: 65535 });
    const index = fc.integer({ min: 1, max: 0x7fffffff });
    fc.assert(
      fc.property(name, address, mtu, index, fc.boolean(), (ifname, mac, bytes, ifindex, up) => {
        const request = encodeLinkRequest({
          type: RTM_SETLINK,
          flags: 4,
          seq: 99,
          ifindex,
          name: ifname,
          mtu: bytes,
          address: mac,
          ...(up ? { setFlags: 1 } : { clearFlags: 1 }),
        });
        const [parsed, ...rest] = decodeMessages(request);
        expect(rest).toEqual([]);
        expect(parsed).toMatchObject({ type: RTM_SETLINK, flags: 5, seq: 99 });
        expect(decodeLink(parsed)).toMatchObject({
          ifindex,
          name: ifname,
          mtu: bytes,
          address: mac,
          flags: up ? 1 : 0,
        });
        expect(Buffer.from(parsed.payload).readUInt32LE(12)).toBe(1);
      }),
    );
  });
});
