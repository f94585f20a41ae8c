/**
 * The database inside the daemon: opened from its file (or made), served on a unix socket for
 * ovs-vsctl and others.
 */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Clock } from '../common/clock.js';
import { errorMessage, TapswitchError } from '../common/errors.js';
import {
  type Database,
  type LockFile,
  OvsdbServer,
  openDatabaseFile,
  openVSwitchSchema,
} from '../ovsdb/index.js';

export interface EmbeddedDatabase {
  readonly server: OvsdbServer;
  close(): Promise<void>;
}

/** @throws TapswitchError when the file or the socket cannot be used */
export async function startEmbeddedDatabase(options: {
  file: string;
  socket: string;
  clock: Clock;
  lockFile: LockFile;
}): Promise<EmbeddedDatabase> {
  mkdirSync(dirname(options.file), { recursive: true });
  const database = openDatabaseFile(options.file, {
    schema: openVSwitchSchema(),
    convert: true,
    lockFile: options.lockFile,
    wallNow: () => options.clock.wallNow(),
  });
  ensureRootRow(database);
  const server = new OvsdbServer({ databases: [database], clock: options.clock });
  try {
    await server.listenUnix(options.socket);
  } catch (error) {
    await server.close();
    database.close();
    if (error instanceof TapswitchError) throw error;
    throw new TapswitchError(
      'E_DB_SOCKET',
      `cannot serve the database on ${options.socket}: ${errorMessage(error)}`,
      undefined,
      { cause: error },
    );
  }
  const close = async (): Promise<void> => {
    await server.close();
    database.close();
  };
  return { server, close };
}

/** A new database gets its Open_vSwitch row, as `ovs-vsctl init` would make it. */
function ensureRootRow(database: Database): void {
  if (database.tables.get('Open_vSwitch')?.rows.size) return;
  database.execute([{ op: 'insert', table: 'Open_vSwitch', row: {} }]);
}
