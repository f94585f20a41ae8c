/**
 * Conditions of `find` and `wait-until`: `column[:key]OPERATOR value`.
 *
 *     =  !=  <  >  <=  >=                        compare whole values, in OVSDB's order
 *     {=} {!=} {<} {>} {<=} {>=} {in} {not-in}   compare as sets
 *
 * A key that the map lacks fails the first kind and is the empty set to the second.
 *
 * Not for: conditions in the protocol (src/ovsdb/condition.ts).
 */

import { compareAtoms } from '../../ovsdb/atom.js';
import { Datum } from '../../ovsdb/datum.js';
import type { IdlRow, TableSchema } from '../../ovsdb/idl/index.js';
import { ColumnType, UNLIMITED } from '../../ovsdb/types.js';
import { parseColumnSpecValue } from './column-spec.js';
import type { CommandContext } from './context.js';
import { CtlError } from './errors.js';
import { parseAtom, parseDatum } from './value.js';

/** Fewer members come first, then the order of the first that differ (keys before values). */
export function compareDatums(a: Datum, b: Datum): number {
  if (a.size !== b.size) return a.size - b.size;
  for (const [x, y] of [
    [a.keys, b.keys],
    [a.values ?? [], b.values ?? []],
  ]) {
    for (let i = 0; i < x.length; i++) {
      const order = compareAtoms(x[i], y[i]);
      if (order !== 0) return order;
    }
  }
  return 0;
}

type Relation = (have: Datum, want: Datum) => boolean;

const RELATIONS: Readonly<Record<string, Relation>> = {
  '=': (a, b) => compareDatums(a, b) === 0,
  '!=': (a, b) => compareDatums(a, b) !== 0,
  '<': (a, b) => compareDatums(a, b) < 0,
  '>': (a, b) => compareDatums(a, b) > 0,
  '<=': (a, b) => compareDatums(a, b) <= 0,
  '>=': (a, b) => compareDatums(a, b) >= 0,
  '{=}': (a, b) => compareDatums(a, b) === 0,
  '{!=}': (a, b) => compareDatums(a, b) !== 0,
  '{<}': (a, b) => b.size > a.size && a.isSubsetOf(b),
  '{>}': (a, b) => a.size > b.size && b.isSubsetOf(a),
  '{<=}': (a, b) => a.isSubsetOf(b),
  '{>=}': (a, b) => b.isSubsetOf(a),
  '{in}': (a, b) => a.isSubsetOf(b),
  '{not-in}': (a, b) => a.isDisjointFrom(b),
};

const OPERATORS = Object.keys(RELATIONS);

/** Whether `row` satisfies the condition `arg`. Throws CtlError if that is none. */
export function satisfies(
  ctx: CommandContext,
  table: TableSchema,
  row: IdlRow,
  arg: string,
): boolean {
  const { column, key, operator, value } = parseColumnSpecValue(arg, table, OPERATORS);
  const { symbols } = ctx.run;
  const { type } = column;
  const have = ctx.txn.datum(row, column.name);
  const relation = RELATIONS[operator];
  if (key === null) return relation(have, parseDatum(value, type, symbols));
  if (!type.value) {
    throw new CtlError(`cannot specify key to check for non-map column ${column.name}`);
  }
  const at = have.find(parseAtom(key, type.key, symbols));
  const want = parseDatum(value, new ColumnType(type.value, null, type.min, UNLIMITED), symbols);
  if (at < 0 && !operator.startsWith('{')) return false;
  return relation(new Datum(at < 0 ? [] : [have.values![at]]), want);
}
