/**
 * The OVSDB client library: a replica of a database with typed rows, and transactions on it.
 *
 *     const idl = new Idl({
 *       remote: 'unix:/var/run/openvswitch/db.sock',      // or a list, or () => a Duplex stream
 *       clock,
 *       monitor: (spec) => spec.columns('Bridge', 'name', 'ports'),     // default: everything
 *       onChange: (changes) => changes.get('Bridge')?.inserted,         // Set<IdlRow>
 *       onWake: () => loop.wake(),
 *     });
 *     loop.add(idl);                       // run(now), nextWake(): connects, reconnects, probes
 *     while (!idl.live) await idl.nextEvent();
 *
 *     for (const bridge of idl.table('Bridge')) {         // IdlTable: first, find, row, size
 *       bridge.uuid;
 *       bridge.get<string>('name');                       // scalar -> value
 *       bridge.get<number | null>('flood_vlans');         // optional -> value or null
 *       bridge.get<IdlRow[]>('ports');                    // set -> array; references -> rows
 *       bridge.get<Map<string, string>>('other_config');  // map -> Map
 *     }
 *
 *     const txn = new IdlTxn(idl);
 *     const port = txn.insert('Port', { name: 'p0', interfaces: [iface] });
 *     txn.mutate(bridge, 'ports', 'insert', [port]);      // or txn.verify(...) and txn.set(...)
 *     txn.increment(openVSwitch, 'next_cfg');
 *     const { status, error } = await txn.commit();       // 'success', 'try again'...
 *     txn.insertedUuid(port);                             // the UUID that the server gave
 *
 * `idl.seqno` rises with every change of the replica; a transaction that said 'try again' is worth
 * making anew once it has risen. `idl.setLock(name)`, `hasLock`, `lockContended`: OVSDB locks.
 *
 * Not for: serving a database (src/ovsdb).
 */

export type { Atom, AtomicType } from '../atom.js';
export { Datum } from '../datum.js';
export { BaseType, ColumnType } from '../types.js';
export { Backoff } from './backoff.js';
export { Idl, type IdlOptions, type IdlState, type OpenStream } from './idl.js';
export { MonitorSpec } from './monitor-spec.js';
export { openRemote, type TlsFiles } from './remote.js';
export {
  type Changes,
  IdlRow,
  IdlTable,
  type RowAtom,
  type RowValue,
  type TableChanges,
} from './replica.js';
export { type ColumnSchema, type DbSchema, parseSchema, type TableSchema } from './schema.js';
export { IdlTxn, type Mutator, type TxnOptions } from './txn.js';
export type { TxnResult, TxnStatus } from './txn-reply.js';
export { type ColumnValue, datumFromValue, type HasUuid, makeDatum } from './value.js';
