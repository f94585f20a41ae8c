/**
 * OVSDB (RFC 7047): the database server, its schemas and files, and the client replica.
 */
export { type Atom, type AtomicType, isUuid, ZERO_UUID } from './atom.js';
export {
  type Commit,
  Database,
  type DatabaseOptions,
  type ExecutionContext,
  type Outcome,
  type Storage,
} from './database.js';
export { type DatabaseFileOptions, openDatabaseFile } from './database-file.js';
export { Datum } from './datum.js';
export type { Ref, RowOf } from './declare.js';
export * as declare from './declare.js';
export { OvsdbError } from './error.js';
export {
  Backoff,
  type Changes,
  type ColumnValue,
  Idl,
  type IdlOptions,
  IdlRow,
  type IdlState,
  IdlTable,
  IdlTxn,
  MonitorSpec,
  type Mutator,
  type OpenStream,
  openRemote,
  type RowAtom,
  type RowValue,
  type TableChanges,
  type TlsFiles,
  type TxnOptions,
  type TxnResult,
  type TxnStatus,
} from './idl/index.js';
export { type Listener, listenTcp, listenTls, listenUnix, type TlsListener } from './listen.js';
export { type Lock, type LockFile, lockFileOf, lockWithPid } from './lock-file.js';
export { memorySocketPair } from './memory-socket.js';
export {
  type ColumnDoc,
  type ColumnUse,
  columnUse,
  openVSwitchDocs,
  type TableDoc,
} from './open-vswitch-docs.js';
export {
  type OpenVSwitchIdlRow,
  type OpenVSwitchIdlTable,
  openVSwitchTable,
} from './open-vswitch-rows.js';
export {
  type OpenVSwitchRow,
  type OpenVSwitchTables,
  openVSwitchSchema,
  openVSwitchTables,
} from './open-vswitch-schema.js';
export type { RemoteSettings } from './remotes/remote-rows.js';
export { Remotes, type RemotesOptions } from './remotes/remotes.js';
export { ColumnSchema, DatabaseSchema, TableSchema } from './schema.js';
export { type AcceptOptions, OvsdbServer, type OvsdbServerOptions } from './server.js';
export { serverSchema } from './server-schema.js';
export { Row, Table } from './table.js';
export type { RowChange } from './transaction.js';
export { BaseType, ColumnType, UNLIMITED } from './types.js';
export { Relay, type RelayOptions } from './upstream/relay.js';
export { ExcludedTables, Replication, type ReplicationOptions } from './upstream/replication.js';
export { warmUp } from './warm-up.js';
