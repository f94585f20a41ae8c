/**
 * Which tables and columns the replica should hold.
 *
 * Not for: conditions on rows: every row of a chosen table is replicated.
 */

import { TapswitchError } from '../../common/errors.js';
import type { DbSchema } from './schema.js';

/** A choice of tables and columns of one schema. Everything by `all()`; else it starts empty. */
export class MonitorSpec {
  private readonly chosen = new Map<string, Set<string>>();

  constructor(readonly schema: DbSchema) {}

  /** Replicate the rows of `table`, though perhaps none of their columns. */
  table(name: string): this {
    if (!this.schema.tables.has(name)) {
      throw new TapswitchError('E_OVSDB_NO_TABLE', `the database has no table ${name}`);
    }
    if (!this.chosen.has(name)) this.chosen.set(name, new Set());
    return this;
  }

  /**
   * Replicate columns of `table`, and the rows of every table that they refer to. Columns that the
   * schema does not have are passed over: an older server is no error.
   */
  columns(table: string, ...names: string[]): this {
    this.table(table);
    for (const name of names) {
      const column = this.schema.tables.get(table)!.columns.get(name);
      if (!column) continue;
      this.chosen.get(table)!.add(name);
      for (const ref of [column.type.key.refTable, column.type.value?.refTable]) {
        if (ref) this.table(ref);
      }
    }
    return this;
  }

  /** Replicate everything, except `omit`: columns by table that cost more than they tell. */
  all(omit: Readonly<Record<string, readonly string[]>> = {}): this {
    for (const table of this.schema.tables.values()) {
      const names = [...table.columns.keys()].filter((name) => !omit[table.name]?.includes(name));
      this.columns(table.name, ...names);
    }
    return this;
  }

  /** The <monitor-requests> of RFC 7047 section 4.1.5. */
  requests(): Record<string, unknown> {
    const requests: Record<string, unknown> = {};
    for (const [table, columns] of this.chosen) requests[table] = [{ columns: [...columns] }];
    return requests;
  }
}
