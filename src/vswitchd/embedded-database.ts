/**
 * The database inside the daemon: opened from its file (or made), served on a unix socket for
 * ovs-vsctl and others.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Clock } from '../common/clock.js';
import { errorMessage, TapswitchError } from '../common/errors.js';
import {
  type Database,
  type LockFile,
  OvsdbServer,
  openDatabaseFile,
  openVSwitchSchema,
  Remotes,
} from '../ovsdb/index.js';
import { systemIdentity } from './system-identity.js';

const OS_RELEASE = '/etc/os-release';

/** What the Open_vSwitch table says of managers and of the keys that they are met with. */
const MANAGERS = 'db:Open_vSwitch,Open_vSwitch,manager_options';
const KEYS = {
  privateKey: 'db:Open_vSwitch,SSL,private_key',
  certificate: 'db:Open_vSwitch,SSL,certificate',
  caCert: 'db:Open_vSwitch,SSL,ca_cert',
};

export interface EmbeddedDatabase {
  readonly server: OvsdbServer;
  /** Managers: to be given turns beside the server. */
  readonly remotes: Remotes;
  close(): Promise<void>;
}

/** @throws TapswitchError when the file or the socket cannot be used */
export async function startEmbeddedDatabase(options: {
  file: string;
  socket: string;
  clock: Clock;
  lockFile: LockFile;
  /** Called when server or remotes want a turn earlier than they said. */
  onWake?: () => void;
}): Promise<EmbeddedDatabase> {
  mkdirSync(dirname(options.file), { recursive: true });
  const database = openDatabaseFile(options.file, {
    schema: openVSwitchSchema(),
    convert: true,
    lockFile: options.lockFile,
    now: () => options.clock.now(),
    wallNow: () => options.clock.wallNow(),
  });
  ensureRootRow(database);
  describeSystem(database);
  const { clock, onWake } = options;
  const server = new OvsdbServer({ databases: [database], clock, onWake });
  const remotes = new Remotes(server, { runDir: dirname(options.socket), tls: KEYS, onWake });
  try {
    await server.listenUnix(options.socket);
    remotes.follow(database);
    await remotes.add(MANAGERS);
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
    await remotes.close();
    await server.close();
    database.close();
  };
  return { server, remotes, close };
}

/** A new database gets its Open_vSwitch row, as `ovs-vsctl init` would make it. */
function ensureRootRow(database: Database): void {
  if (database.tables.get('Open_vSwitch')?.rows.size) return;
  database.execute([{ op: 'insert', table: 'Open_vSwitch', row: {} }]);
}

/** Says which system this is, as Open vSwitch's start script does. */
function describeSystem(database: Database): void {
  let osRelease = '';
  try {
    osRelease = readFileSync(OS_RELEASE, 'utf8');
  } catch {
    // Then it is unknown.
  }
  const { type, version } = systemIdentity(osRelease);
  const row = { system_type: type, system_version: version };
  database.execute([{ op: 'update', table: 'Open_vSwitch', where: [], row }]);
}
