/**
 * `tapswitch ovsdb-server [DATABASE...]`: the database server alone, with ovsdb-server's options.
 *
 * Not for: clusters, replication, TLS.
 */
import { dirname, join, resolve } from 'node:path';
import {
  type Database,
  OvsdbServer,
  openDatabaseFile,
  openVSwitchSchema,
} from '../../ovsdb/index.js';
import { UnixctlError } from '../../unixctl/server.js';
import { lockDatabase } from '../daemon/db-lock.js';
import { ensureDirectory } from '../daemon/dirs.js';
import { type DaemonContext, runDaemon, type Service } from '../daemon/life.js';
import {
  applyDaemonOption,
  DAEMON_OPTIONS,
  type DaemonFlags,
  daemonOptionsUsage,
  defaultFlags,
} from '../daemon/options.js';
import { getopt, type OptionSpec, UsageError } from '../getopt.js';
import { type CliIo, printError } from '../io.js';
import { versionText } from '../version.js';
import { followDatabase, Remotes } from './remotes.js';

const PROGRAM = 'ovsdb-server';

const OPTIONS: readonly OptionSpec[] = [...DAEMON_OPTIONS, { name: 'remote', arg: 'required' }];

interface Flags {
  daemon: DaemonFlags;
  remotes: string[];
  /** Database files, absolute. */
  files: string[];
}

/** Runs `ovsdb-server ARGV`. */
export async function runOvsdbServer(argv: string[], io: CliIo): Promise<number> {
  try {
    const flags = parse(argv, io);
    if (!flags) return 0;
    return await runDaemon(flags.daemon, io, (context) => startServer(flags, context));
  } catch (error) {
    if (error instanceof UsageError) io.stderr.write(`${io.programName}: ${error.message}\n`);
    else printError(io, error);
    return 1;
  }
}

/** The flags in `argv`; null when it asked for text, which has been printed. */
function parse(argv: string[], io: CliIo): Flags | null {
  const { options, args } = getopt(argv, OPTIONS, true);
  const daemon = defaultFlags(PROGRAM, io.env);
  const remotes: string[] = [];
  for (const option of options) {
    if (option.name === 'help') io.stdout.write(usage(daemon));
    if (option.name === 'version') io.stdout.write(versionText(PROGRAM));
    if (option.name === 'help' || option.name === 'version') return null;
    if (option.name === 'remote') remotes.push(option.value ?? '');
    else applyDaemonOption(daemon, option);
  }
  const files = args.length > 0 ? args : [join(daemon.dirs.dbDir, 'conf.db')];
  return { daemon, remotes, files: files.map((file) => resolve(file)) };
}

async function startServer(flags: Flags, context: DaemonContext): Promise<Service> {
  const { clock, loop, unixctl } = context;
  const server = new OvsdbServer({ databases: [], clock });
  const remotes = new Remotes(server, flags.daemon.dirs.runDir);
  const databases = new Databases(server, context, remotes);
  const close = async (): Promise<void> => {
    await remotes.close();
    await server.close();
    databases.close();
  };
  try {
    for (const file of flags.files) databases.add(file);
    for (const remote of flags.remotes) await remotes.add(remote);
  } catch (error) {
    await close();
    throw error;
  }
  const removeFromLoop = loop.add(server);
  registerCommands(unixctl, remotes, databases);
  return {
    ready: Promise.resolve(),
    close: () => {
      removeFromLoop();
      return close();
    },
  };
}

/** The databases that are served, by name. */
class Databases {
  private readonly open = new Map<string, { database: Database; unfollow: () => void }>();

  constructor(
    private readonly server: OvsdbServer,
    private readonly context: DaemonContext,
    private readonly remotes: Remotes,
  ) {}

  names(): string[] {
    return [...this.open.keys()].sort();
  }

  get(name: string): Database | undefined {
    return this.open.get(name)?.database;
  }

  /**
   * Serves the database in `file`, which is made, for the switch, where there is none.
   * @throws TapswitchError
   */
  add(file: string): void {
    ensureDirectory(dirname(file), 'OVS_DBDIR');
    const database = openDatabaseFile(file, {
      schema: openVSwitchSchema(),
      lockFile: lockDatabase,
      wallNow: () => this.context.clock.wallNow(),
    });
    if (this.open.has(database.name)) {
      database.close();
      throw new UnixctlError(`${file}: duplicate database name`);
    }
    this.server.addDatabase(database);
    const unfollow = followDatabase(database, this.remotes);
    this.open.set(database.name, { database, unfollow });
  }

  remove(name: string): void {
    const entry = this.open.get(name);
    if (!entry) throw new UnixctlError('Failed to find the database.');
    this.open.delete(name);
    entry.unfollow();
    this.server.removeDatabase(entry.database);
    entry.database.close();
  }

  close(): void {
    for (const { database, unfollow } of this.open.values()) {
      unfollow();
      database.close();
    }
    this.open.clear();
  }
}

function registerCommands(
  unixctl: DaemonContext['unixctl'],
  remotes: Remotes,
  databases: Databases,
): void {
  const list = (names: string[]): string => names.map((name) => `${name}\n`).join('');
  unixctl.register('ovsdb-server/list-dbs', '', 0, 0, () =>
    list([...databases.names(), '_Server']),
  );
  unixctl.register('ovsdb-server/add-db', 'DB', 1, 1, (_command, [file]) => {
    databases.add(resolve(file));
    return '';
  });
  unixctl.register('ovsdb-server/remove-db', 'DB', 1, 1, (_command, [name]) => {
    databases.remove(name);
    return '';
  });
  unixctl.register('ovsdb-server/compact', '', 0, 1, (_command, [name]) => {
    const names = name === undefined ? databases.names() : [name];
    for (const one of names) {
      const database = databases.get(one);
      if (!database) throw new UnixctlError('no database by that name');
      database.compact();
    }
    return '';
  });
  unixctl.register('ovsdb-server/list-remotes', '', 0, 0, () => list(remotes.list()));
  unixctl.register('ovsdb-server/add-remote', 'REMOTE', 1, 1, async (_command, [remote]) => {
    await remotes.add(remote);
    return '';
  });
  unixctl.register('ovsdb-server/remove-remote', 'REMOTE', 1, 1, async (_command, [remote]) => {
    if (!(await remotes.remove(remote))) throw new UnixctlError('no such remote');
    return '';
  });
}

function usage(flags: DaemonFlags): string {
  const { runDir, dbDir } = flags.dirs;
  return `usage: ${PROGRAM} [OPTIONS] [DATABASE...]
Serves databases; each DATABASE is a file (default: ${dbDir}/conf.db), which is made, for the
switch, where there is none.

Database options:
  --remote=REMOTE         listen to REMOTE; may be given several times:
                          punix:FILE, relative to ${runDir}; ptcp:[PORT][:IP];
                          db:DB,TABLE,COLUMN for what that column names
${daemonOptionsUsage(flags)}`;
}
