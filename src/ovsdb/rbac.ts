/**
 * Role-based access control: what a client may change whose remote has a role.
 *
 *     remote's role ─> RBAC_Role { name, permissions: table -> RBAC_Permission }
 *                                                        │
 *     client's name (its certificate's CN) ── authorization: columns that must hold it
 *                                             insert_delete, update: what it may do
 *
 * Not for: who may connect (tls.ts), and remotes that only look (read_only).
 */
import { OvsdbError } from './error.js';
import type { ColumnSchema } from './schema.js';
import type { Row, Table } from './table.js';

/** What a client wants to do, in the words of the refusal. */
const DEEDS = {
  insert: ['row insertion into', 'insert_delete'],
  delete: ['row deletion from', 'insert_delete'],
  update: ['modification of', 'update'],
  mutate: ['mutate operation on', 'update'],
} as const;

/** A client with a role. */
export class RoleAccess {
  constructor(
    private readonly tables: ReadonlyMap<string, Table>,
    private readonly role: string,
    /** The client's name; null when it showed no certificate. */
    private readonly client: string | null,
  ) {}

  /**
   * Throws OvsdbError unless the client may do this to all these rows.
   *
   * @param columns those that are changed
   */
  check(
    deed: keyof typeof DEEDS,
    table: Table,
    rows: readonly Row[],
    columns: readonly ColumnSchema[] = [],
  ): void {
    const permission = this.permissionFor(table);
    const [words, right] = DEEDS[deed];
    if (permission && rows.every((row) => this.allows(permission, right, row, columns))) return;
    throw new OvsdbError(
      'permission error',
      `RBAC rules for client "${this.client ?? '(null)'}" role "${this.role}" prohibit ` +
        `${words} table "${table.name}".`,
    );
  }

  /** The row of RBAC_Permission for a table; none for a client without a name. */
  private permissionFor(table: Table): Row | undefined {
    const roles = this.tables.get('RBAC_Role');
    if (this.client === null || !roles) return undefined;
    for (const row of roles.rows.values()) {
      if (!value(row, 'name')?.includes(this.role)) continue;
      const column = roles.schema.columns.get('permissions');
      const uuid = column && mapped(row, column.name, table.name);
      const base = column?.type.value;
      return base?.refTable ? roles.target(base).rows.get(String(uuid)) : undefined;
    }
    return undefined;
  }

  private allows(
    permission: Row,
    right: 'insert_delete' | 'update',
    row: Row,
    columns: readonly ColumnSchema[],
  ): boolean {
    if (!this.mayTouch(permission, row)) return false;
    if (right === 'insert_delete') return value(permission, right)?.[0] === true;
    const changeable = strings(permission, right);
    return columns.every(({ name }) => changeable.includes(name));
  }

  /** Does a column that the permission names hold the client's name? `C:K` is key K of map C. */
  private mayTouch(permission: Row, row: Row): boolean {
    return strings(permission, 'authorization').some((place) => {
      if (place === '') return true;
      const [column, key] = place.split(':');
      const holds = key === undefined ? value(row, column)?.[0] : mapped(row, column, key);
      return holds === this.client;
    });
  }
}

function value(row: Row, column: string) {
  const schema = row.table.schema.columns.get(column);
  return schema && row.fields[schema.index].keys;
}

function strings(row: Row, column: string): string[] {
  return (value(row, column) ?? []).map(String);
}

/** What a map has for a key. */
function mapped(row: Row, column: string, key: string) {
  const schema = row.table.schema.columns.get(column);
  const datum = schema && row.fields[schema.index];
  const at = datum?.values ? datum.find(key) : -1;
  return at >= 0 ? datum?.values?.[at] : undefined;
}

/** The access of a client; null: it has no role, or the database has no roles. */
export function roleAccess(
  tables: ReadonlyMap<string, Table>,
  role: string,
  client: string | null,
): RoleAccess | null {
  return role !== '' && tables.has('RBAC_Role') ? new RoleAccess(tables, role, client) : null;
}
