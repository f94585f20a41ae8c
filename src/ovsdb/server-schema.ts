/**
 * The `_Server` database: what a server tells its clients about the databases that it has.
 *
 * Not for: filling its rows (server.ts).
 */
import {
  boolean,
  declareSchema,
  integer,
  oneOf,
  optional,
  string,
  table,
  uuid,
} from './declare.js';
import type { DatabaseSchema } from './schema.js';

export const serverTables = {
  Database: table(
    {
      name: string,
      model: oneOf('standalone', 'clustered', 'relay'),
      connected: boolean,
      leader: boolean,
      schema: optional(string),
      cid: optional(uuid),
      sid: optional(uuid),
      index: optional(integer),
    },
    { isRoot: true },
  ),
};

/** Version and checksum are those that clients of Open vSwitch 3.1 know. */
export function serverSchema(): DatabaseSchema {
  const id = { name: '_Server', version: '1.2.0', cksum: '3009684573 744' };
  return declareSchema(id, serverTables);
}
