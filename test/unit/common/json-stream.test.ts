/** Limits of the JSON reader that a property test does not reach. */
import { expect, test } from 'vitest';
import { ByteBudget, JsonStreamParser } from '../../../src/common/json-stream.js';

const KB = 1024;

test('a value with too many members is refused before it is whole', () => {
  const parser = new JsonStreamParser(() => {}, { maxMembers: 100 });
  parser.feed(Buffer.from(`[${'1,'.repeat(90)}1]`));
  parser.feed(Buffer.from(`["${','.repeat(1000)}"]`));
  expect(() => parser.feed(Buffer.from(`[${'1,'.repeat(100)}`))).toThrow(
    'JSON value has more than 100 members',
  );
});

test('streams share a budget, and give back what they have done with', () => {
  const budget = new ByteBudget(1000 * KB);
  const values: unknown[] = [];
  const make = () => new JsonStreamParser((value) => values.push(value), { budget });
  const begin = Buffer.from(`["${'x'.repeat(400 * KB)}`);
  const [a, b, c] = [make(), make(), make()];
  a.feed(begin);
  b.feed(begin);
  expect(() => c.feed(begin)).toThrow('too much JSON of all clients is unfinished');
  // Little ones go on.
  const d = make();
  d.feed(Buffer.from('["small'));
  d.feed(Buffer.from('"]'));
  expect(values).toEqual([['small']]);
  a.feed(Buffer.from('"]'));
  expect(values).toHaveLength(2);
  b.end();
  const [e, f] = [make(), make()];
  e.feed(begin);
  f.feed(begin);
  expect(f.pendingBytes).toBe(begin.length);
});
