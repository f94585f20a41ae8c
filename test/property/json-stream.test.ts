/** The stream reader gives the same values however the bytes are cut, and bounds what it holds. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseJson, stringifyJson } from '../../src/common/json.js';
import { JsonStreamParser } from '../../src/common/json-stream.js';

const container = fc.oneof(fc.array(fc.jsonValue()), fc.dictionary(fc.string(), fc.jsonValue()));

test('any chunking gives the same values', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(container, fc.constantFrom('', ' ', '\n', '\r\n\t '))),
      fc.array(fc.nat({ max: 30 }), { minLength: 1 }),
      (values, cuts) => {
        const bytes = Buffer.from(values.map(([v, gap]) => JSON.stringify(v) + gap).join(''));
        const seen: unknown[] = [];
        const parser = new JsonStreamParser((value) => seen.push(value));
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const next = at + 1 + cuts[i % cuts.length];
          parser.feed(bytes.subarray(at, next));
          at = next;
        }
        expect(seen).toEqual(values.map(([v]) => parseJson(JSON.stringify(v))));
        expect(parser.midValue).toBe(false);
      },
    ),
  );
});

test('any bytes give values or one lasting error, never anything else', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), (chunks) => {
      const parser = new JsonStreamParser(() => {}, { maxBytes: 64, maxDepth: 4 });
      let failed: unknown = null;
      for (const chunk of chunks) {
        try {
          parser.feed(Buffer.from(chunk));
          expect(failed).toBeNull();
        } catch (error) {
          expect(error).toMatchObject({ code: expect.stringMatching(/^E_JSON_/) });
          if (failed) expect(error).toBe(failed);
          failed = error;
        }
        expect(parser.pendingBytes).toBeLessThanOrEqual(64);
      }
    }),
  );
});

test('mutated JSON never hangs or throws anything but its own errors', () => {
  fc.assert(
    fc.property(container, fc.nat(), fc.constantFrom(...'{}[]",:\\0x'), (value, at, junk) => {
      const text = JSON.stringify(value);
      const cut = at % text.length;
      const parser = new JsonStreamParser(() => {});
      try {
        parser.feed(Buffer.from(text.slice(0, cut) + junk + text.slice(cut + 1)));
      } catch (error) {
        expect(error).toMatchObject({ code: expect.stringMatching(/^E_JSON_/) });
      }
    }),
  );
});

test('nesting and length are bounded', () => {
  const deep = new JsonStreamParser(() => {}, { maxDepth: 1000 });
  expect(() => deep.feed(Buffer.from('['.repeat(1_000_000)))).toThrow(/1000 levels/);
  const values: unknown[] = [];
  const brim = new JsonStreamParser((value) => values.push(value), { maxDepth: 1000 });
  brim.feed(Buffer.from('['.repeat(1000) + ']'.repeat(1000)));
  expect(values).toHaveLength(1);
  const long = new JsonStreamParser(() => {}, { maxBytes: 1_000_000 });
  const chunk = Buffer.alloc(65_536, 0x61);
  expect(() => {
    long.feed(Buffer.from('["'));
    for (let i = 0; i < 2000; i++) long.feed(chunk);
  }).toThrow(/longer than 1000000 bytes/);
  expect(long.pendingBytes).toBe(0);
});

test('bytes that are not UTF-8 are malformed', () => {
  const parser = new JsonStreamParser(() => {});
  expect(() => parser.feed(Buffer.from([0x5b, 0x22, 0xff, 0x22, 0x5d]))).toThrow(/malformed/);
});

test('integers of any size up to int64 survive a round trip', () => {
  fc.assert(
    fc.property(fc.array(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })), (numbers) => {
      const text = `[${numbers.join(',')}]`;
      expect(stringifyJson(parseJson(text))).toBe(text);
    }),
  );
});
