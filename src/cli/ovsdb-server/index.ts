/**
 * `tapswitch ovsdb-server [DATABASE...]`: the database server alone, with ovsdb-server's options.
 *
 * Not for: clusters.
 */
import { spawn } from 'node:child_process';
import { setFlagsFromString } from 'node:v8';
import { errorMessage, TapswitchError } from '../../common/errors.js';
import { getLogger } from '../../common/log.js';
import { OvsdbServer, Remotes, warmUp } from '../../ovsdb/index.js';
import { UnixctlError } from '../../unixctl/server.js';
import { type DaemonContext, runDaemon, type Service } from '../daemon/life.js';
import { UsageError } from '../getopt.js';
import { type CliIo, printError } from '../io.js';
import { versionText } from '../version.js';
import { BackupRole, type BackupSettings, PROBE_INTERVAL_MS } from './backup-role.js';
import { Databases, NoSuchFile } from './databases.js';
import { PROGRAM, parseServerOptions, type ServerFlags, serverUsage } from './options.js';

const log = getLogger('ovsdb_server');

const HOW_TO_CREATE = "'--create' makes it, empty, with the schema of the switch";

/**
 * Rows live long: with a young generation that grows by more than a factor of two at a time, they
 * are copied fewer times before they are left alone. Measured: a third more rows a second.
 *
 * Little is alive in it otherwise, and copying that with several threads means waiting for them:
 * on two CPUs with other work to do, for tens of milliseconds. Measured: half as many transactions
 * a second again with one thread.
 */
const HEAP_FLAGS = '--semi-space-growth-factor=16 --no-parallel-scavenge';

/** What is served, as a process that --monitor starts again finds it. */
interface Served {
  readonly files: readonly string[];
  readonly remotes: readonly string[];
  readonly backup: BackupSettings;
}

function servedAtFirst({ files, remotes, syncFrom, syncExclude, active }: ServerFlags): Served {
  const isBackup = syncFrom !== null && !active;
  const backup = { syncFrom, syncExclude, isBackup, probeIntervalMs: PROBE_INTERVAL_MS };
  return { files, remotes, backup };
}

/** Runs `ovsdb-server ARGV`. */
export async function runOvsdbServer(argv: string[], io: CliIo): Promise<number> {
  try {
    const request = parseServerOptions(argv, io.env);
    if (request.kind === 'run') {
      const { flags } = request;
      return await runDaemon(flags.daemon, io, (context) => startServer(flags, context));
    }
    const text = request.kind === 'help' ? serverUsage(request.daemon) : versionText(PROGRAM);
    io.stdout.write(text);
    return 0;
  } catch (error) {
    const plain = error instanceof UsageError || error instanceof UnixctlError;
    if (plain) io.stderr.write(`${io.programName}: ${error.message}\n`);
    else printError(io, error);
    if (io.hints && error instanceof NoSuchFile) io.stderr.write(`  hint: ${HOW_TO_CREATE}\n`);
    return 1;
  }
}

async function startServer(flags: ServerFlags, context: DaemonContext): Promise<Service> {
  const { clock, loop, unixctl, memory, kept } = context;
  setFlagsFromString(HEAP_FLAGS);
  const server = new OvsdbServer({ databases: [], clock, onWake: () => loop.wake() });
  const { runDir } = flags.daemon.dirs;
  const remotes = new Remotes(server, { runDir, tls: flags.tls, onWake: () => loop.wake() });
  const databases = new Databases(server, clock, remotes, process.cwd(), () => loop.wake());
  const close = async (): Promise<void> => {
    role.close();
    await remotes.close();
    await server.close();
    databases.close();
  };
  const {
    files,
    remotes: targets,
    backup,
  } = (kept.load() as Served | undefined) ?? servedAtFirst(flags);
  const role = new BackupRole(server, databases, remotes, clock, backup, () => loop.wake());
  try {
    for (const file of files) databases.add(file, flags.create);
    role.restart();
    for (const target of targets) await remotes.add(target);
    // Beside the first clients: nobody waits for it.
    const warm = warmUp(clock, server.databases.values(), () => !server.closed);
    warm.catch((error) => log.err(errorMessage(error)));
  } catch (error) {
    await close();
    throw error;
  }
  const leave = [loop.add(server), loop.add(remotes), loop.add(databases), loop.add(role)];
  memory.addSource(() => server.memory());
  const changed = () => {
    const served = { files: databases.sources(), remotes: remotes.list(), backup };
    kept.save(served satisfies Served);
  };
  registerCommands(unixctl, remotes, databases, (what) => {
    changed();
    if (what === 'databases' && backup.isBackup) role.restart();
  });
  role.register(unixctl, changed);
  // For tests of clients, as ovsdb-server has it.
  unixctl.register('ovsdb-server/disable-monitor-cond', '', 0, 0, () => {
    server.disableConditionalMonitors();
    return '';
  });
  if (flags.run !== null) runCommand(flags.run, context);
  return {
    ready: Promise.resolve(),
    close: () => {
      for (const step of leave) step();
      return close();
    },
  };
}

/** Runs a shell command beside the server, which ends with it. */
function runCommand(command: string, { stop }: DaemonContext): void {
  const child = spawn('/bin/sh', ['-c', command], { stdio: 'inherit' });
  const fail = (how: string): void =>
    stop.fail(new TapswitchError('E_OVSDB_RUN', `${command}: child exited, ${how}`));
  child.once('error', (error) => fail(error.message));
  child.once('exit', (status, signal) => {
    if (status === 0) stop.request(false);
    else fail(signal ? `killed (${signal})` : `exit status ${status}`);
  });
}

function registerCommands(
  unixctl: DaemonContext['unixctl'],
  remotes: Remotes,
  databases: Databases,
  changed: (what: 'databases' | 'remotes') => void,
): void {
  const list = (names: string[]): string => names.map((name) => `${name}\n`).join('');
  unixctl.register('ovsdb-server/list-dbs', '', 0, 0, () =>
    list([...databases.names(), '_Server'].sort()),
  );
  unixctl.register('ovsdb-server/add-db', 'DB', 1, 1, (_command, [file]) => {
    databases.add(file, false);
    changed('databases');
    return '';
  });
  unixctl.register('ovsdb-server/remove-db', 'DB', 1, 1, (_command, [name]) => {
    databases.remove(name);
    changed('databases');
    return '';
  });
  unixctl.register('ovsdb-server/compact', '', 0, 1, (_command, [name]) => {
    databases.compact(name);
    return '';
  });
  unixctl.register('ovsdb-server/get-db-storage-status', 'DB', 1, 1, (_command, [name]) => {
    if (!databases.get(name)) throw new UnixctlError('Failed to find the database.');
    return 'status: ok';
  });
  unixctl.register('ovsdb-server/reconnect', '', 0, 0, () => {
    remotes.reconnect();
    return '';
  });
  unixctl.register('ovsdb-server/list-remotes', '', 0, 0, () => list(remotes.list()));
  unixctl.register('ovsdb-server/add-remote', 'REMOTE', 1, 1, async (_command, [remote]) => {
    await remotes.add(remote);
    changed('remotes');
    return '';
  });
  unixctl.register('ovsdb-server/remove-remote', 'REMOTE', 1, 1, async (_command, [remote]) => {
    if (!(await remotes.remove(remote))) throw new UnixctlError('no such remote');
    changed('remotes');
    return '';
  });
}
