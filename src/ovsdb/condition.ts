/**
 * Conditions: which rows an operation or a monitor is about (RFC 7047, section 5.1, `<condition>`).
 *
 * An operation wants rows that satisfy every clause, a monitor those that satisfy any of them.
 *
 * Not for: finding the rows (query.ts).
 */
import type { JsonValue } from '../common/json.js';
import { type Atom, compareAtoms, type SymbolTable } from './atom.js';
import { Datum } from './datum.js';
import { syntaxError } from './error.js';
import { COLUMN_UUID, type ColumnSchema, type TableSchema } from './schema.js';
import type { Row } from './table.js';
import { type ColumnType, UNLIMITED } from './types.js';

const FUNCTIONS = ['<', '<=', '==', '!=', '>=', '>', 'includes', 'excludes'] as const;
type ConditionFunction = (typeof FUNCTIONS)[number];

interface Clause {
  readonly column: ColumnSchema;
  readonly fn: ConditionFunction;
  readonly argument: Datum;
}

/** A parsed condition. A clause that is just true or false is a boolean. */
export class Condition {
  constructor(private readonly clauses: readonly (Clause | boolean)[]) {}

  /** Reads a `<condition>`. Throws OvsdbError. */
  static fromJson(table: TableSchema, json: JsonValue[], symbols?: SymbolTable): Condition {
    return new Condition(json.map((clause) => clauseFromJson(table, clause, symbols)));
  }

  /** Does the row satisfy every clause? */
  matchesEvery(row: Row): boolean {
    return this.clauses.every((clause) => matches(clause, row));
  }

  /** Does the row satisfy any clause, or are there none? */
  matchesAny(row: Row): boolean {
    return this.clauses.length === 0 || this.clauses.some((clause) => matches(clause, row));
  }

  /** True when matchesAny() is true of every row. */
  get isTrivial(): boolean {
    return this.clauses.length === 0 || this.clauses.includes(true);
  }

  /** The UUID that a row must have to satisfy every clause, if the condition says one. */
  get uuid(): string | null {
    for (const clause of this.clauses) {
      if (typeof clause === 'boolean' || clause.column.index !== COLUMN_UUID) continue;
      if (clause.fn === '==' || clause.fn === 'includes') return clause.argument.keys[0] as string;
    }
    return null;
  }

  /** Columns that the condition looks at. */
  get columns(): ColumnSchema[] {
    return this.clauses.flatMap((clause) => (typeof clause === 'boolean' ? [] : [clause.column]));
  }

  /** The condition that holds where this one or `other` holds, as monitors use them. */
  or(other: Condition): Condition {
    if (this.clauses.length === 0 || other.clauses.length === 0) return new Condition([]);
    return new Condition([...this.clauses, ...other.clauses]);
  }
}

function clauseFromJson(
  table: TableSchema,
  json: JsonValue,
  symbols?: SymbolTable,
): Clause | boolean {
  if (typeof json === 'boolean') return json;
  if (!Array.isArray(json) || json.length !== 3) {
    throw syntaxError(json, 'Parse error in condition.');
  }
  const [name, fn, argument] = json;
  if (typeof name !== 'string' || typeof fn !== 'string') {
    throw syntaxError(json, 'Parse error in condition.');
  }
  const column = table.columns.get(name);
  if (!column) {
    throw syntaxError(json, `No column ${name} in table ${table.name}.`, 'unknown column');
  }
  if (!isFunction(fn)) {
    throw syntaxError(undefined, `No function named ${fn}.`, 'unknown function');
  }
  const type = argumentType(column, fn, json);
  return { column, fn, argument: Datum.fromJson(type, argument, symbols) };
}

function isFunction(fn: string): fn is ConditionFunction {
  return (FUNCTIONS as readonly string[]).includes(fn);
}

/** The type of the argument that goes with a column and a function. */
function argumentType(column: ColumnSchema, fn: ConditionFunction, json: JsonValue): ColumnType {
  const { type } = column;
  switch (fn) {
    case '==':
    case '!=':
      return type;
    case 'includes':
      return type.isScalar ? type : type.withCounts(0, type.max);
    case 'excludes':
      return type.isScalar ? type : type.withCounts(0, UNLIMITED);
    default: {
      const isNumber = type.key.type === 'integer' || type.key.type === 'real';
      if (isNumber && (type.isScalar || type.isOptionalScalar)) return type.withCounts(1, type.max);
      throw syntaxError(
        json,
        `Type mismatch: "${fn}" operator may not be applied to column ${column.name} ` +
          `of type ${type.toEnglish()}.`,
      );
    }
  }
}

function matches(clause: Clause | boolean, row: Row): boolean {
  if (typeof clause === 'boolean') return clause;
  const { column, fn, argument } = clause;
  const field = row.fields[column.index];
  if ((column.type.isScalar || column.type.isOptionalScalar) && argument.size === 1) {
    if (field.size === 1) return matchesAtom(fn, field.keys[0], argument.keys[0]);
    if (fn !== '==' && fn !== '!=' && fn !== 'includes' && fn !== 'excludes') return false;
  }
  switch (fn) {
    case '==':
      return field.equals(argument);
    case '!=':
      return !field.equals(argument);
    case 'includes':
      return argument.isSubsetOf(field);
    case 'excludes':
      return argument.isDisjointFrom(field);
    default:
      return false;
  }
}

function matchesAtom(fn: ConditionFunction, atom: Atom, argument: Atom): boolean {
  const order = compareAtoms(atom, argument);
  switch (fn) {
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '==':
    case 'includes':
      return order === 0;
    case '!=':
    case 'excludes':
      return order !== 0;
    case '>=':
      return order >= 0;
    case '>':
      return order > 0;
  }
}
