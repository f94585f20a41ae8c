/** What the benchmark's generator sends. */
import { describe, expect, it } from 'vitest';
import {
  buildBurst,
  buildProbe,
  burstFrames,
  headerBytes,
  type TrafficOptions,
} from '../../../../src/cli/bench/udp-frame.js';
import { VNET_HDR_LEN } from '../../../../src/native/binding.js';
import { checksum } from '../../../support/packets.js';

const options: TrafficOptions = {
  sourceMac: '02:00:00:00:00:01',
  sinkMac: '02:00:00:00:00:02',
  frameBytes: [64],
  burst: 16,
  vlan: null,
  ipv6: false,
};

describe('a burst', () => {
  const burst = buildBurst(options, 64, 0);
  const frame = burst.subarray(VNET_HDR_LEN);

  it('is one segment of UDP that the kernel cuts into frames of the size asked for', () => {
    expect([burst[0], burst[1]]).toEqual([1, 5]);
    expect(burst.readUInt16LE(2)).toBe(42);
    expect(burst.readUInt16LE(4)).toBe(64 - 42);
    expect(frame.length).toBe(42 + 16 * (64 - 42));
    expect(frame.readUInt16BE(38)).toBe(frame.length - 34);
  });

  it('has a valid IPv4 checksum, and the pseudo header in that of UDP', () => {
    expect(frame.subarray(0, 14).toString('hex')).toBe('0200000000020200000000010800');
    expect(checksum(frame.subarray(14, 34))).toBe(0);
    const pseudo = Buffer.alloc(12);
    frame.copy(pseudo, 0, 26, 34);
    pseudo[9] = 17;
    pseudo.writeUInt16BE(frame.length - 34, 10);
    expect(frame.readUInt16BE(40)).toBe(~checksum(pseudo) & 0xffff);
  });

  it('differs from flow to flow in addresses or ports', () => {
    const tuples = Array.from({ length: 60_000 }, (_unused, flow) =>
      buildBurst(options, 64, flow).subarray(36, 48).toString('hex'),
    );
    expect(new Set(tuples).size).toBe(60_000);
  });

  it('of large frames holds fewer, and one alone is no segment', () => {
    expect(burstFrames(options, 1514)).toBe(4);
    const alone = buildBurst({ ...options, burst: 1 }, 1514, 0);
    expect(alone.length).toBe(VNET_HDR_LEN + 1514);
    expect(alone[1]).toBe(0);
  });
});

it('knows tags and IPv6', () => {
  const tagged = { ...options, vlan: 7, ipv6: true };
  const frame = buildProbe(tagged).subarray(VNET_HDR_LEN);
  expect(headerBytes(tagged)).toBe(14 + 4 + 40 + 8);
  expect(frame.subarray(12, 18).toString('hex')).toBe('8100000786dd');
  expect(frame.length).toBe(headerBytes(tagged) + 16);
  expect(frame.readUInt16BE(headerBytes(tagged) - 6)).toBe(10);
});
