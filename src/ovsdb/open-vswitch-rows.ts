/**
 * Rows of a replica of the Open_vSwitch database with the types that its columns are declared with.
 *
 *     for (const bridge of openVSwitchTable(idl, 'Bridge')) {
 *       bridge.get('name');                       // string
 *       bridge.get('fail_mode');                  // 'standalone' | 'secure' | null
 *       bridge.get('ports')[0]?.get('tag');       // number | null: a reference is the row
 *       bridge.get('other_config').get('hwaddr'); // string | undefined
 *     }
 *
 * The same rows as those of `idl.table()`: transactions take either.
 *
 * Not for: databases with other schemas; their rows are read with `row.get<Type>(column)`.
 */
import type { Ref } from './declare.js';
import type { Idl, IdlRow, IdlTable } from './idl/index.js';
import type { OpenVSwitchRow, OpenVSwitchTables } from './open-vswitch-schema.js';

type TableName = keyof OpenVSwitchTables & string;

/** What is declared as a reference, an optional value, an array or a Map, as a replica has it. */
type Read<V> = V extends undefined
  ? null
  : V extends readonly (infer E)[]
    ? Read<E>[]
    : V extends ReadonlyMap<infer K, infer E>
      ? Map<Read<K>, Read<E>>
      : 'refTable' extends keyof V
        ? ReadRef<V>
        : V;

type ReadRef<V> = V extends Ref<infer T> ? (T extends TableName ? OpenVSwitchIdlRow<T> : V) : V;

export interface OpenVSwitchIdlRow<T extends TableName> extends Omit<IdlRow, 'get'> {
  get<C extends keyof OpenVSwitchRow<T> & string>(column: C): Read<OpenVSwitchRow<T>[C]>;
}

export interface OpenVSwitchIdlTable<T extends TableName>
  extends Omit<IdlTable, 'first' | 'find' | 'row' | 'rows' | typeof Symbol.iterator>,
    Iterable<OpenVSwitchIdlRow<T>> {
  row(uuid: string): OpenVSwitchIdlRow<T> | null;
  first(): OpenVSwitchIdlRow<T> | null;
  find(column: keyof OpenVSwitchRow<T> & string, value: string): OpenVSwitchIdlRow<T> | null;
}

/** A table of a replica of the Open_vSwitch database. Throws E_OVSDB_... when there is none yet. */
export function openVSwitchTable<T extends TableName>(idl: Idl, name: T): OpenVSwitchIdlTable<T> {
  return idl.table(name) as unknown as OpenVSwitchIdlTable<T>;
}
