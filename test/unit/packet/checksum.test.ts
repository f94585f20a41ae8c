/** Internet checksums and CRC-32C: known answers, and updates against sums from scratch. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addToSum,
  crc32cUpdate,
  finishSum,
  foldSum,
  updateChecksum16,
  updateChecksum32,
  updatePartialSum32,
} from '../../../src/packet/checksum.js';

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

describe('Internet checksum', () => {
  it('is that of the example in RFC 1071', () => {
    const bytes = Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7);
    expect(addToSum(viewOf(bytes), 0, 8)).toBe(0xddf2);
    expect(finishSum(0xddf2)).toBe(0x220d);
  });

  it('takes the last odd byte as the high one', () => {
    expect(addToSum(viewOf(Uint8Array.of(1, 2, 3)), 0, 3)).toBe(0x0402);
  });

  it('is that of the bytes taken one by one, wherever they lie', () => {
    const bytes = fc.uint8Array({ maxLength: 200 });
    fc.assert(
      fc.property(bytes, fc.nat(20), fc.nat(0xffff), (data, from, start) => {
        const off = Math.min(from, data.length);
        let sum = start;
        for (let i = off; i < data.length; i++) sum += (i - off) % 2 ? data[i] : data[i] * 256;
        while (sum > 0xffff) sum = (sum % 0x10000) + Math.floor(sum / 0x10000);
        expect(addToSum(viewOf(data), off, data.length - off, start)).toBe(sum);
      }),
    );
  });

  it('does not overflow on the longest packet', () => {
    const bytes = new Uint8Array(65_535).fill(0xff);
    expect(foldSum(addToSum(viewOf(bytes), 0, 65_534))).toBe(0xffff);
  });

  it('is the same updated and from scratch', () => {
    const packet = fc.uint8Array({ minLength: 16, maxLength: 40 });
    fc.assert(
      fc.property(packet, fc.integer(), fc.nat(3), (bytes, after, word) => {
        // One word that is not zero: all zeros has two representations.
        bytes[14] = 1;
        const view = viewOf(bytes);
        const len = bytes.length & ~1;
        const old = finishSum(addToSum(view, 0, len));
        const partial = foldSum(addToSum(view, 0, len));
        const before = view.getInt32((4 * word) & ~3);
        if (word === 3) return;
        view.setInt32(4 * word, after);
        const wanted = finishSum(addToSum(view, 0, len));
        expect(updateChecksum32(old, before, after)).toBe(wanted);
        expect(updatePartialSum32(partial, before, after)).toBe(~wanted & 0xffff);
        const half = view.getUint16(0);
        view.setUint16(0, after & 0xffff);
        expect(updateChecksum16(wanted, half, after & 0xffff)).toBe(
          finishSum(addToSum(view, 0, len)),
        );
      }),
    );
  });
});

describe('CRC-32C', () => {
  it('has its check value', () => {
    const bytes = new TextEncoder().encode('123456789');
    expect(~crc32cUpdate(-1, bytes, 0, 9) >>> 0).toBe(0xe3069283);
  });

  it('goes on where it stopped', () => {
    const bytes = Uint8Array.from({ length: 100 }, (_, i) => i);
    const whole = crc32cUpdate(-1, bytes, 0, 100);
    expect(crc32cUpdate(crc32cUpdate(-1, bytes, 0, 37), bytes, 37, 63)).toBe(whole);
  });
});
