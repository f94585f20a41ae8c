/**
 * Mutations: changing a column's value by arithmetic, or by adding and removing members (RFC 7047,
 * section 5.1, `<mutation>`).
 *
 * Not for: replacing values (operations.ts, update).
 */
import type { JsonValue } from '../common/json.js';
import type { Atom, SymbolTable } from './atom.js';
import { Datum } from './datum.js';
import { constraintViolation, OvsdbError, plainError, syntaxError } from './error.js';
import type { ColumnSchema, TableSchema } from './schema.js';
import type { Row } from './table.js';
import { ColumnType, UNLIMITED } from './types.js';

const ARITHMETIC = ['+=', '-=', '*=', '/=', '%='] as const;
type ArithmeticMutator = (typeof ARITHMETIC)[number];
type Mutator = ArithmeticMutator | 'insert' | 'delete';

/** One parsed mutation. */
export class Mutation {
  private constructor(
    readonly column: ColumnSchema,
    private readonly mutator: Mutator,
    private readonly argument: Datum,
  ) {}

  /** Reads a `<mutation>`. Throws OvsdbError. */
  static fromJson(table: TableSchema, json: JsonValue, symbols: SymbolTable): Mutation {
    if (!Array.isArray(json) || json.length !== 3) {
      throw syntaxError(json, 'Parse error in mutation.');
    }
    const [name, mutator, argument] = json;
    if (typeof name !== 'string' || typeof mutator !== 'string') {
      throw syntaxError(json, 'Parse error in mutation.');
    }
    const column = table.columns.get(name);
    if (!column) {
      throw syntaxError(json, `No column ${name} in table ${table.name}.`, 'unknown column');
    }
    if (!column.mutable) {
      throw syntaxError(
        json,
        `Cannot mutate immutable column ${name} in table ${table.name}.`,
        'constraint violation',
      );
    }
    if (mutator === 'insert' || mutator === 'delete') {
      return new Mutation(column, mutator, memberArgument(column, mutator, json, symbols));
    }
    if (!isArithmetic(mutator)) {
      throw syntaxError(undefined, `No mutator named ${mutator}.`, 'unknown mutator');
    }
    const type = arithmeticType(column, mutator, json);
    return new Mutation(column, mutator, Datum.fromJson(type, argument, symbols));
  }

  /** Changes the column of `row`. Throws OvsdbError when the result is not allowed. */
  apply(row: Row): void {
    const { index, type } = this.column;
    const before = row.fields[index];
    let after: Datum;
    switch (this.mutator) {
      case 'insert':
        after = before.union(this.argument);
        break;
      case 'delete':
        after = before.subtract(this.argument);
        break;
      default:
        row.fields[index] = compute(before, this.mutator, this.argument.keys[0], type);
        return;
    }
    if (after.size < type.min || after.size > type.max) {
      throw constraintViolation(
        `Attempted to store ${after.size} elements in ${type.toEnglish()}.`,
      );
    }
    row.fields[index] = after;
  }
}

function isArithmetic(mutator: string): mutator is ArithmeticMutator {
  return (ARITHMETIC as readonly string[]).includes(mutator);
}

function typeMismatch(column: ColumnSchema, mutator: string, json: JsonValue): OvsdbError {
  return syntaxError(
    json,
    `Type mismatch: "${mutator}" operator may not be applied to column ${column.name} ` +
      `of type ${column.type.toEnglish()}.`,
  );
}

function arithmeticType(
  column: ColumnSchema,
  mutator: ArithmeticMutator,
  json: JsonValue,
): ColumnType {
  const { type } = column;
  const isNumber = type.key.type === 'integer' || (type.key.type === 'real' && mutator !== '%=');
  if (type.isMap || !isNumber) throw typeMismatch(column, mutator, json);
  return new ColumnType(type.key.unconstrained());
}

function memberArgument(
  column: ColumnSchema,
  mutator: 'insert' | 'delete',
  json: JsonValue[],
  symbols: SymbolTable,
): Datum {
  const { type } = column;
  if (type.isScalar) throw typeMismatch(column, mutator, json);
  const argumentType = type.withCounts(0, mutator === 'delete' ? UNLIMITED : type.max);
  try {
    return Datum.fromJson(argumentType, json[2], symbols);
  } catch (error) {
    if (!type.isMap || mutator !== 'delete') throw error;
    // Pairs of a map may be deleted by their keys alone.
    return Datum.fromJson(new ColumnType(type.key, null, 0, UNLIMITED), json[2], symbols);
  }
}

function compute(
  before: Datum,
  mutator: ArithmeticMutator,
  argument: Atom,
  type: ColumnType,
): Datum {
  const isReal = type.key.type === 'real';
  const computeOne = (key: Atom): Atom => {
    const result = isReal
      ? computeReal(key as number, mutator, argument as number)
      : computeInteger(key as number | bigint, mutator, argument as number | bigint);
    type.key.check(result);
    return result;
  };
  if (before.size === 1) return Datum.of(computeOne(before.keys[0]));
  const keys = before.keys.map(computeOne);
  try {
    return Datum.fromMembers(keys);
  } catch {
    throw constraintViolation(`Result of "${mutator}" operation contains duplicates.`);
  }
}

function computeReal(x: number, mutator: ArithmeticMutator, y: number): number {
  if (mutator === '/=' && y === 0) throw new OvsdbError('domain error', 'Division by zero.');
  let result: number;
  switch (mutator) {
    case '+=':
      result = x + y;
      break;
    case '-=':
      result = x - y;
      break;
    case '*=':
      result = x * y;
      break;
    case '/=':
      result = x / y;
      break;
    case '%=':
      throw plainError('reals have no remainder');
  }
  if (!Number.isFinite(result)) throw outOfRange(mutator);
  return result + 0;
}

/** 64-bit arithmetic that fails where it would overflow. */
function computeInteger(
  x: number | bigint,
  mutator: ArithmeticMutator,
  y: number | bigint,
): number | bigint {
  // Where neither they nor their sum need 64 bits, numbers will do.
  if (typeof x === 'number' && typeof y === 'number' && (mutator === '+=' || mutator === '-=')) {
    const sum = mutator === '+=' ? x + y : x - y;
    if (Number.isSafeInteger(sum)) return sum;
  }
  const [a, b] = [BigInt(x), BigInt(y)];
  if ((mutator === '/=' || mutator === '%=') && b === 0n) {
    throw new OvsdbError('domain error', 'Division by zero.');
  }
  let result: bigint;
  switch (mutator) {
    case '+=':
      result = a + b;
      break;
    case '-=':
      result = a - b;
      break;
    case '*=':
      result = a * b;
      break;
    case '/=':
      result = a / b;
      break;
    case '%=':
      // The most negative number by -1 has no quotient in 64 bits, hence no remainder either.
      if (BigInt.asIntN(64, a / b) !== a / b) throw outOfRange(mutator);
      result = a % b;
      break;
  }
  if (BigInt.asIntN(64, result) !== result) throw outOfRange(mutator);
  const asNumber = Number(result);
  return Number.isSafeInteger(asNumber) ? asNumber : result;
}

function outOfRange(mutator: ArithmeticMutator): OvsdbError {
  return new OvsdbError('range error', `Result of "${mutator}" operation is out of range.`);
}
