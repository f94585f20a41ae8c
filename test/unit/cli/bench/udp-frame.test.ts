/** The frames of the benchmark's generator. */
import { expect, it } from 'vitest';
import { buildUdpFrame } from '../../../../src/cli/bench/udp-frame.js';
import { checksum } from '../../../support/packets.js';

const options = {
  sourceMac: '02:00:00:00:00:01',
  sinkMac: '02:00:00:00:00:02',
  frameBytes: 64,
};

it('is a UDP frame of the size asked for, with a valid IPv4 checksum', () => {
  const frame = buildUdpFrame(options, 0);
  expect(frame.length).toBe(64);
  expect(frame.subarray(0, 14).toString('hex')).toBe('0200000000020200000000010800');
  expect(checksum(frame.subarray(14, 34))).toBe(0);
  expect(frame.readUInt16BE(16)).toBe(50);
  expect(frame[23]).toBe(17);
  expect(frame.readUInt16BE(38)).toBe(30);
});

it('differs from flow to flow in addresses or ports', () => {
  const tuples = Array.from({ length: 60_000 }, (_unused, flow) =>
    buildUdpFrame(options, flow).subarray(26, 38).toString('hex'),
  );
  expect(new Set(tuples).size).toBe(60_000);
});
