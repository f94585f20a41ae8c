/**
 * The database, table by table, and the daemon's log.
 */
import { type Static, Type } from '@sinclair/typebox';
import { MapOf, Nullable, OneOf, PageInfo } from './common.js';

export const DatabaseTable = Type.Object({
  name: Type.String(),
  rows: Type.Integer(),
  columns: Type.Array(
    Type.Object({
      name: Type.String(),
      /** 'string', 'set of integer', 'map of string to string', 'reference to Port'... */
      type: Type.String(),
    }),
  ),
});
export type DatabaseTable = Static<typeof DatabaseTable>;

export const Database = Type.Object({
  name: Type.String(),
  version: Type.String(),
  connected: Type.Boolean(),
  /** Rises with every change. */
  seqno: Type.Integer(),
  tables: Type.Array(DatabaseTable),
});
export type Database = Static<typeof Database>;

export const DatabaseRow = Type.Object({
  uuid: Type.String(),
  /** Values as vsctl prints them. */
  columns: MapOf(Type.String()),
  /** Columns that changed within the last few seconds. */
  changed: Type.Array(Type.String()),
});
export type DatabaseRow = Static<typeof DatabaseRow>;

export const DatabasePage = Type.Object({
  ...PageInfo,
  table: Type.String(),
  /** Rises with every change of the database. */
  seqno: Type.Integer(),
  columns: Type.Array(Type.String()),
  rows: Type.Array(DatabaseRow),
});
export type DatabasePage = Static<typeof DatabasePage>;

export const LogLine = Type.Object({
  seq: Type.Integer(),
  /** Milliseconds since 1970. */
  at: Type.Number(),
  module: Type.String(),
  level: OneOf('emer', 'err', 'warn', 'info', 'dbg'),
  text: Type.String(),
});
export type LogLine = Static<typeof LogLine>;

export const Logs = Type.Object({
  /** The newest last; of lines after `after`, at most 1000. */
  lines: Type.Array(LogLine),
  /** The file that they come from; null: the daemon's memory. */
  file: Nullable(Type.String()),
});
export type Logs = Static<typeof Logs>;
