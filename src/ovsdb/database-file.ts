/**
 * Databases that live in files: opened, created, and brought to a newer schema.
 *
 * Not for: the file's format (log-record.ts, file-transaction.ts).
 */
import { errorMessage, TapswitchError } from '../common/errors.js';
import { getLogger } from '../common/log.js';
import { Database, type DatabaseOptions } from './database.js';
import type { LockFile } from './lock-file.js';
import { LogFile } from './log-file.js';
import { DatabaseSchema } from './schema.js';

const log = getLogger('ovsdb_file');

export interface DatabaseFileOptions extends DatabaseOptions {
  /** The schema of a new file. Without it, the file must be there. */
  schema?: DatabaseSchema;
  /** Convert a file that has another version of `schema`; otherwise it keeps its own. */
  convert?: boolean;
  /** How to lock the file; by default with a file that names this process. */
  lockFile?: LockFile;
  /** The file's name in messages. Default: as it is. */
  shownAs?: string;
  /** Monotonic milliseconds, to know a quick disk by. */
  now?: () => number;
  /** How long whoever is not concerned may wait for another's fdatasync, milliseconds. */
  quickSyncMs?: number;
}

/**
 * Opens a database file that this server or Open vSwitch's wrote, or creates one.
 *
 * Throws TapswitchError: E_OVSDB_LOCKED, E_OVSDB_FILE.
 */
export function openDatabaseFile(name: string, options: DatabaseFileOptions): Database {
  const { schema, convert, lockFile, shownAs, now, quickSyncMs, ...databaseOptions } = options;
  const make = (made: DatabaseSchema) => new Database(made, databaseOptions);
  let loading: Database | null = null;
  const storage = LogFile.open(
    name,
    schema ? [schema.toJson()] : [],
    (record) => {
      if (loading) loading.replay(record);
      else loading = make(DatabaseSchema.fromJson(record));
    },
    { lockFile, shownAs, now, quickSyncMs },
  );
  const opened = loading as Database | null;
  if (!opened) {
    storage.close();
    throw new TapswitchError('E_OVSDB_FILE', `${name} has no schema`);
  }
  opened.attach(storage);
  if (!schema || !convert || sameSchema(opened.schema, schema)) return opened;
  return convertDatabase(opened, make(schema), storage, name);
}

function sameSchema(a: DatabaseSchema, b: DatabaseSchema): boolean {
  return a.name === b.name && a.version === b.version && a.cksum === b.cksum;
}

/** Copies the rows of `from` into `to`, as far as its schema has the tables and columns. */
function convertDatabase(from: Database, to: Database, storage: LogFile, name: string): Database {
  const versions = `${from.schema.version} to ${to.schema.version}`;
  if (from.name !== to.name) {
    storage.close();
    throw new TapswitchError(
      'E_OVSDB_FILE',
      `${name} holds database ${from.name}, not ${to.name}`,
      'Give the name of another file.',
    );
  }
  try {
    to.replay(from.snapshot()[1], true);
    storage.replace(to.snapshot('converted by tapswitch'));
  } catch (error) {
    storage.close();
    throw new TapswitchError(
      'E_OVSDB_FILE',
      `${name} cannot be converted from schema ${versions}: ${errorMessage(error)}`,
    );
  }
  to.attach(storage);
  log.info(`${name}: converted schema ${versions}`);
  return to;
}
