/**
 * Settings that the switch keeps but does not act on: the first use of each is told once, by name,
 * so that nobody waits for an effect that never comes.
 */

import type { Changes, IdlRow } from '../ovsdb/idl/index.js';
import { columnUse } from '../ovsdb/index.js';

export class UnusedSettings {
  private readonly told = new Set<string>();

  /** @param tell gets one sentence for each column, once */
  constructor(private readonly tell: (message: string) => void) {}

  /** Looks at rows that appeared and columns that changed. */
  look(changes: Changes): void {
    for (const [table, change] of changes) {
      for (const row of change.inserted) this.lookAt(table, row, row.data.keys());
      for (const [row, columns] of change.modified) this.lookAt(table, row, columns);
    }
  }

  private lookAt(table: string, row: IdlRow, columns: Iterable<string>): void {
    for (const column of columns) {
      const name = `${table}.${column}`;
      if (this.told.has(name) || columnUse(table, column) !== 'keeps') continue;
      // Columns of type boolean or integer always hold something: 'false' and 0 ask for nothing.
      if (row.datum(column).keys.every((atom) => atom === false || atom === 0 || atom === '')) {
        continue;
      }
      this.told.add(name);
      this.tell(`${name} is set; this switch keeps it without acting on it`);
    }
  }
}
