/**
 * The text syntax of values: what it takes, how it complains, and that what is printed reads back.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SymbolTable } from '../../../src/cli/vsctl/symbols.js';
import { parseDatum, parseToken } from '../../../src/cli/vsctl/value.js';
import type { Atom } from '../../../src/ovsdb/atom.js';
import { Datum } from '../../../src/ovsdb/datum.js';
import { BaseType, ColumnType, UNLIMITED } from '../../../src/ovsdb/types.js';

const symbols = new SymbolTable();
const one = (type: BaseType) => new ColumnType(type);
const many = (type: BaseType) => new ColumnType(type, null, 0, UNLIMITED);
const mapOf = (key: BaseType, value: BaseType) => new ColumnType(key, value, 0, UNLIMITED);
const integer = new BaseType('integer');
const string = new BaseType('string');
const real = new BaseType('real');
const parse = (text: string, type: ColumnType) => parseDatum(text, type, symbols);

describe('values', () => {
  it.each([
    ['5', one(integer), [5]],
    ['-5', one(integer), [-5]],
    ['9223372036854775807', one(integer), [9223372036854775807n]],
    ['1.5e3', one(real), [1500]],
    ['-0', one(real), [0]],
    ['yes', one(new BaseType('boolean')), [true]],
    ['off', one(new BaseType('boolean')), [false]],
    ['word', one(string), ['word']],
    ['""', one(string), ['']],
    ['"a, b\\n\\"\\u00e9"', one(string), ['a, b\n"é']],
    ['a\\ b', one(string), ['a b']],
    ['[]', many(string), []],
    [' [ b , a ] ', many(string), ['a', 'b']],
    ['b a,c', many(string), ['a', 'b', 'c']],
    ['1-4,9', many(integer), [1, 2, 3, 4, 9]],
    ['-2--1', many(integer), [-2, -1]],
    [
      'AAAAAAAA-0000-4000-8000-00000000000A',
      one(new BaseType('uuid')),
      ['aaaaaaaa-0000-4000-8000-00000000000a'],
    ],
  ] as [string, ColumnType, Atom[]][])('%s', (text, type, keys) => {
    expect(parse(text, type).keys).toEqual(keys);
  });

  it('are maps', () => {
    const type = mapOf(string, integer);
    expect(parse('{b = 2, "a=a"=1}', type)).toMatchObject({ keys: ['a=a', 'b'], values: [1, 2] });
    expect(parse('{}', type)).toMatchObject({ keys: [], values: [] });
  });

  it('name rows that are yet to be created', () => {
    const type = one(new BaseType('uuid', { refTable: 'T' }));
    const table = new SymbolTable();
    const first = parseDatum('@x', type, table);
    expect(parseDatum('@x', type, table)).toEqual(first);
    expect([...table]).toMatchObject([{ name: '@x', created: false, strongRef: true }]);
    expect(table.create('@x').uuid).toBe(first.keys[0]);
    expect(() => table.create('@x')).toThrow('may only be specified on one --id option');
    expect(() => table.create('x')).toThrow('does not begin with "@"');
  });
});

describe('complaints', () => {
  it.each([
    ['', many(string), 'use "[]" to specify the empty set'],
    ['', mapOf(string, string), 'use "{}" to specify the empty map'],
    ['[', many(string), '[: missing "]" at end of data'],
    ['[a] b', many(string), '[a] b: trailing garbage after "]"'],
    ['a=b', many(string), 'a=b: unexpected "=" parsing set of strings'],
    ['a,b', one(string), 'a,b: 2 value(s) specified but the maximum number is 1'],
    ['[]', one(string), '[]: 0 value(s) specified but the minimum number is 1'],
    ['a,a', many(string), 'a,a: set contains duplicate value'],
    ['a=1 a=2', mapOf(string, string), 'a=1 a=2: map contains duplicate key'],
    ['a:b', mapOf(string, string), 'a:b: syntax error at ":" expecting "="'],
    ['5x', one(integer), '"5x" is not a valid integer or range'],
    [
      '99999999999999999999',
      one(integer),
      '"99999999999999999999" is not a valid integer or range',
    ],
    ['9-5', many(integer), '"9-5" is not a valid range. Range end cannot be before start.'],
    [
      '1-5000',
      many(integer),
      'constraint violation: Range "1-5000" is too big. Maximum allowed size is 4096.',
    ],
    ['1.2.3', one(real), '"1.2.3" is not a valid real number'],
    ['1e999', one(real), '"1e999" is not a valid real number'],
    [
      'perhaps',
      one(new BaseType('boolean')),
      '"perhaps" is not a valid boolean (use "true" or "false")',
    ],
    ['zz', one(new BaseType('uuid')), '"zz" is not a valid UUID'],
    ['"a', one(string), '"a: quoted string extends past end of argument'],
    ['a\\', one(string), 'a\\: backslash at end of argument'],
    ['"a"b', one(string), '"a"b: missing quote at end of quoted string'],
    ['"a\\q"', one(string), '"a\\q": bad escape \\q'],
    ['"a\\u12"', one(string), '"a\\u12": quoted string ends within \\u escape'],
    ['"\\u0000"', one(string), '"\\u0000": null bytes not supported in quoted strings'],
    ['"\\ud800"', one(string), '"\\ud800": malformed \\u escape'],
    [
      '7',
      one(new BaseType('integer', { min: 0, max: 5 })),
      'constraint violation: 7 is not in the valid range 0 to 5 (inclusive)',
    ],
  ] as [string, ColumnType, string][])('%s', (text, type, message) => {
    expect(() => parse(text, type)).toThrow(expect.objectContaining({ message }));
  });

  it('never are anything but CtlError, whatever the text', () => {
    const types = [one(integer), many(string), many(real), mapOf(string, integer)];
    const noise = fc.string({ unit: fc.constantFrom(...'ab1-9"\\,=:[]{} @.u0eé'), maxLength: 20 });
    fc.assert(
      fc.property(noise, fc.constantFrom(...types), (text, type) => {
        try {
          parse(text, type);
        } catch (error) {
          expect((error as Error).name).toBe('CtlError');
        }
      }),
    );
  });
});

describe('printing and reading', () => {
  const text = fc.string({ unit: 'grapheme' }).filter((s) => !s.includes('\0') && s.isWellFormed());
  const int64 = fc
    .bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
    .map((n) => (Number.isSafeInteger(Number(n)) ? Number(n) : n));
  /** As printed: 15 digits. */
  const shown = fc
    .double({ noNaN: true, noDefaultInfinity: true })
    .map((x) => Number(x.toPrecision(15)) + 0)
    .filter(Number.isFinite);
  const atoms: [BaseType, fc.Arbitrary<Atom>][] = [
    [string, text],
    [integer, int64],
    [real, shown],
    [new BaseType('boolean'), fc.boolean()],
    [new BaseType('uuid'), fc.uuid()],
  ];

  it.each(atoms.map(([base, atom]) => [base.type, base, atom] as const))(
    'agree on sets of %s',
    (_, base, atom) => {
      const type = many(base);
      fc.assert(
        fc.property(fc.uniqueArray(atom, { maxLength: 8 }), (keys) => {
          const datum = Datum.fromMembers(keys);
          expect(parse(datum.toText(type), type)).toEqual(datum);
        }),
      );
    },
  );

  it('agree on scalars and maps of strings', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(text, int64), { selector: ([k]) => k }), (pairs) => {
        const type = mapOf(string, integer);
        const datum = Datum.fromMembers(
          pairs.map(([key]) => key),
          pairs.map(([, value]) => value),
        );
        expect(parse(datum.toText(type), type)).toEqual(datum);
        for (const [key] of pairs) {
          const scalar = new Datum([key]);
          expect(parse(scalar.toText(one(string)), one(string))).toEqual(scalar);
        }
      }),
    );
  });
});

describe('tokens', () => {
  it('end at delimiters outside quotes', () => {
    expect(parseToken('ab"c,d"e,f', 0)).toEqual({ token: 'ab"c,d"e', end: 8 });
    expect(parseToken('a\\,b', 0)).toEqual({ token: 'a,b', end: 4 });
    expect(parseToken('x"\\""=', 0)).toEqual({ token: 'x"\\""', end: 5 });
    expect(parseToken('key:value', 4)).toEqual({ token: 'value', end: 9 });
  });
});
