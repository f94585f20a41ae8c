/**
 * Names for rows within one command line: `--id=@name`, and `@name` where a UUID may stand.
 *
 * Not for: the names that travel to the server (those are made from UUIDs, in the IDL).
 */

import { randomUUID } from 'node:crypto';
import type { BaseType } from '../../ovsdb/types.js';
import { CtlError } from './errors.js';

export interface RowSymbol {
  readonly name: string;
  /** Of the row when it exists or will be inserted. */
  uuid: string;
  /** Some command gave it a row. */
  created: boolean;
  strongRef: boolean;
  weakRef: boolean;
}

/** The symbols of one run of a command line. */
export class SymbolTable {
  private readonly symbols = new Map<string, RowSymbol>();

  [Symbol.iterator](): Iterator<RowSymbol> {
    return this.symbols.values();
  }

  has(name: string): boolean {
    return this.symbols.has(name);
  }

  /** A use of `name` as a value of type `base`. */
  refer(name: string, base: BaseType): RowSymbol {
    const symbol = this.get(name);
    if (base.isStrongRef) symbol.strongRef = true;
    else if (base.isWeakRef) symbol.weakRef = true;
    return symbol;
  }

  /** A command gives `name` a row. Throws CtlError if it is no symbol or has one. */
  create(name: string): RowSymbol {
    if (!name.startsWith('@')) throw new CtlError(`row id "${name}" does not begin with "@"`);
    const symbol = this.get(name);
    if (symbol.created) {
      throw new CtlError(`row id "${name}" may only be specified on one --id option`);
    }
    symbol.created = true;
    return symbol;
  }

  private get(name: string): RowSymbol {
    let symbol = this.symbols.get(name);
    if (!symbol) {
      symbol = { name, uuid: randomUUID(), created: false, strongRef: false, weakRef: false };
      this.symbols.set(name, symbol);
    }
    return symbol;
  }
}
