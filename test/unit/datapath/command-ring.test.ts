/** The command ring: order, wrapping, bounds; shared words. */
import { describe, expect, it } from 'vitest';
import { CommandRing } from '../../../src/datapath/command-ring.js';
import { InternedWords } from '../../../src/datapath/interned-words.js';

const batch = (n: number): Int32Array => Int32Array.from({ length: n % 97 }, (_, i) => n * 31 + i);

describe('CommandRing', () => {
  it('gives batches back in order, whole, over many turns of the ring', () => {
    const writer = CommandRing.create(1024);
    const reader = new CommandRing(writer.buffer);
    let read = 0;
    const take = (): boolean => {
      if (!reader.next()) return false;
      expect(reader.seq).toBe(read);
      const words = reader.words.subarray(reader.start, reader.start + reader.length);
      expect([...words]).toEqual([...batch(read)]);
      reader.done();
      read += 1;
      return true;
    };
    for (let n = 0; n < 4000; ) {
      if (writer.push(n, batch(n))) n += 1;
      else expect(take()).toBe(true);
      if (n % 5 === 0) take();
    }
    while (take());
    expect(read).toBe(4000);
  });

  it('refuses what does not fit, and takes it when there is room', () => {
    const ring = CommandRing.create(64);
    expect(ring.push(1, new Int32Array(63))).toBe(false);
    expect(ring.push(1, new Int32Array(62))).toBe(true);
    expect(ring.push(2, new Int32Array(0))).toBe(false);
    expect(ring.next()).toBe(true);
    // Its words are the reader's until it is done.
    expect(ring.push(2, new Int32Array(0))).toBe(false);
    ring.done();
    expect(ring.push(2, new Int32Array(30))).toBe(true);
    expect(ring.next()).toBe(true);
    expect([ring.seq, ring.length]).toEqual([2, 30]);
  });
});

describe('InternedWords', () => {
  it('gives equal words the same array, and others their own', () => {
    const interned = new InternedWords();
    const words = Int32Array.of(9, 1, 2, 3, 1, 2, 3, 4);
    const first = interned.intern(words, 1, 3);
    expect([...first]).toEqual([1, 2, 3]);
    expect(interned.intern(words, 4, 3)).toBe(first);
    expect([...interned.intern(words, 4, 4)]).toEqual([1, 2, 3, 4]);
    words.fill(0);
    expect([...first]).toEqual([1, 2, 3]);
    for (let n = 0; n < 5000; n++) {
      const value = Int32Array.of(n, n ^ 5);
      expect([...interned.intern(value, 0, 2)]).toEqual([n, n ^ 5]);
    }
  });
});
