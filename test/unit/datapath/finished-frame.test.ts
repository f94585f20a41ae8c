/** Checksums that a sender left to its device, finished for a controller. */
import { expect, it } from 'vitest';
import { finishedFrame } from '../../../src/datapath/finished-frame.js';
import { checksum, ethernet, ipv4 } from '../../support/packets.js';

const UDP_BYTES = 8 + 17;

/** UDP over IPv4 as a veth's sender leaves it: the pseudo header's sum where the checksum goes. */
function unfinished() {
  const udp = Buffer.alloc(UDP_BYTES, 'payload!');
  udp.writeUInt16BE(5000, 0);
  udp.writeUInt16BE(53, 2);
  udp.writeUInt16BE(UDP_BYTES, 4);
  udp.writeUInt16BE(0, 6);
  const head = Buffer.from([0x45, 0, 0, 20 + UDP_BYTES, 0, 0, 0, 0, 64, 17, 0, 0]);
  const addresses = Buffer.concat([ipv4('10.0.0.1'), ipv4('10.0.0.2')]);
  const pseudo = Buffer.concat([addresses, Buffer.from([0, 17, 0, UDP_BYTES])]);
  const whole = checksum(pseudo, Buffer.concat([udp, Buffer.alloc(1)]));
  udp.writeUInt16BE(~checksum(pseudo) & 0xffff, 6);
  const data = ethernet({
    dst: '02:00:00:00:00:02',
    src: '02:00:00:00:00:01',
    type: 0x0800,
    payload: Buffer.concat([head, addresses, udp]),
  });
  // NEEDS_CSUM, no GSO, checksummed from UDP on, stored 6 bytes into it.
  const vnetHdr = Uint8Array.from([1, 0, 0, 0, 0, 0, 34, 0, 6, 0]);
  return { data: data.subarray(0, 34 + UDP_BYTES), vnetHdr, whole };
}

it('finishes what was left to the device, in a copy', () => {
  const { data, vnetHdr, whole } = unfinished();
  const before = Buffer.from(data);
  const finished = Buffer.from(finishedFrame({ data, vnetHdr }));
  expect(finished.readUInt16BE(40)).toBe(whole);
  expect(Buffer.from(data)).toEqual(before);
  finished.writeUInt16BE(before.readUInt16BE(40), 40);
  expect(finished).toEqual(before);
});

it('leaves complete frames, segments and lies alone', () => {
  const { data, vnetHdr } = unfinished();
  expect(finishedFrame({ data })).toBe(data);
  expect(finishedFrame({ data, vnetHdr: new Uint8Array(10) })).toBe(data);
  const segment = Uint8Array.from(vnetHdr);
  segment[1] = 1;
  expect(finishedFrame({ data, vnetHdr: segment })).toBe(data);
  const beyond = Uint8Array.from(vnetHdr);
  beyond[7] = 0xff;
  expect(Buffer.from(finishedFrame({ data, vnetHdr: beyond }))).toEqual(Buffer.from(data));
});
