/** Types, values and differences survive the way to JSON and back, for any type and value. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type JsonValue, parseJson, stringifyJson } from '../../src/common/json.js';
import { type Atom, type AtomicType, BaseType, ColumnType, Datum } from '../../src/ovsdb/index.js';

const uuid = fc.uuid().map((text) => text.toLowerCase());
const wellFormed = fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0'));
const integer = fc.oneof(
  fc.integer(),
  fc.maxSafeInteger(),
  fc.bigInt({ min: 2n ** 53n, max: 2n ** 63n - 1n }),
  fc.bigInt({ min: -(2n ** 63n), max: -(2n ** 53n) }),
);
const real = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0);
const ATOMS: Record<AtomicType, fc.Arbitrary<Atom>> = {
  integer,
  real,
  boolean: fc.boolean(),
  string: wellFormed,
  uuid,
};

const base: fc.Arbitrary<BaseType> = fc.oneof(
  fc.constantFrom(...(Object.keys(ATOMS) as AtomicType[])).map((type) => new BaseType(type)),
  fc.tuple(fc.integer(), fc.nat()).map(([min, span]) => {
    return new BaseType('integer', { min, max: min + span });
  }),
  fc.tuple(real, real).map(([a, b]) => {
    return new BaseType('real', { min: Math.min(a, b), max: Math.max(a, b) });
  }),
  fc.tuple(fc.nat(9), fc.nat(9)).map(([minLength, more]) => {
    return new BaseType('string', { minLength, maxLength: minLength + more });
  }),
  fc.constantFrom('strong' as const, 'weak' as const).map((refType) => {
    return new BaseType('uuid', { refTable: 'Port', refType });
  }),
  fc.uniqueArray(wellFormed, { minLength: 1, maxLength: 5 }).map((values) => {
    return new BaseType('string', { enumeration: values.sort() });
  }),
);

const columnType = fc
  .tuple(base, fc.option(base), fc.constantFrom(0, 1), fc.constantFrom(1, 2, 10, 2 ** 32 - 1))
  .map(([key, value, min, max]) => new ColumnType(key, value, min, max));

/** A type without constraints, and two values of it. */
const typed = fc
  .tuple(
    fc.constantFrom(...(Object.keys(ATOMS) as AtomicType[])),
    fc.option(fc.constantFrom(...(Object.keys(ATOMS) as AtomicType[]))),
    fc.boolean(),
  )
  .chain(([keyType, valueType, single]) => {
    const value = valueType && new BaseType(valueType);
    const type = new ColumnType(new BaseType(keyType), value, 0, single ? 1 : 2 ** 32 - 1);
    const member = fc.tuple(ATOMS[keyType], valueType ? ATOMS[valueType] : fc.constant(0));
    const members = fc.uniqueArray(member, {
      selector: ([key]) => key,
      maxLength: single ? 1 : 12,
    });
    const datum = members.map((pairs) =>
      Datum.fromMembers(
        pairs.map(([key]) => key),
        valueType ? pairs.map(([, mapped]) => mapped) : null,
      ),
    );
    return fc.tuple(fc.constant(type), datum, datum);
  });

const throughText = (json: JsonValue) => parseJson(stringifyJson(json));

test('types', () => {
  fc.assert(
    fc.property(columnType, (type) => {
      expect(ColumnType.fromJson(throughText(type.toJson()))).toEqual(type);
    }),
  );
});

test('values', () => {
  fc.assert(
    fc.property(typed, ([type, datum]) => {
      const again = Datum.fromJson(type, throughText(datum.toJson(type)));
      expect(again.equals(datum)).toBe(true);
      expect(again.compare(datum)).toBe(0);
    }),
  );
});

test('differences', () => {
  fc.assert(
    fc.property(typed, ([type, before, after]) => {
      const diff = before.diffTo(after, type);
      expect(before.applyDiff(diff, type).equals(after)).toBe(true);
      const relaxed = type.withCounts(0, 2 ** 32 - 1);
      const sent = Datum.fromJson(relaxed, throughText(diff.toJson(relaxed)));
      expect(before.applyDiff(sent, type).equals(after)).toBe(true);
    }),
  );
});

test('union and difference of sets are what they are of Sets', () => {
  const sets = fc.tuple(fc.uniqueArray(fc.nat(20)), fc.uniqueArray(fc.nat(20)));
  fc.assert(
    fc.property(sets, ([a, b]) => {
      const [x, y] = [Datum.fromMembers(a), Datum.fromMembers(b)];
      const sorted = (values: Iterable<number>) => [...values].sort((p, q) => p - q);
      expect(x.union(y).keys).toEqual(sorted(new Set([...a, ...b])));
      expect(x.subtract(y).keys).toEqual(sorted(a.filter((value) => !b.includes(value))));
      expect(x.isSubsetOf(y)).toBe(a.every((value) => b.includes(value)));
      expect(x.isDisjointFrom(y)).toBe(!a.some((value) => b.includes(value)));
    }),
  );
});

test('JSON of any kind as a value or a type is read or refused with an OvsdbError', () => {
  const json = fc.oneof(
    fc.jsonValue(),
    fc.tuple(fc.constantFrom('set', 'map', 'uuid'), fc.jsonValue()),
  );
  fc.assert(
    fc.property(columnType, json, (type, value) => {
      for (const parse of [Datum.fromJson.bind(Datum, type), ColumnType.fromJson]) {
        try {
          parse(value as JsonValue);
        } catch (error) {
          expect(error).toMatchObject({ name: 'OvsdbError' });
        }
      }
    }),
  );
});
