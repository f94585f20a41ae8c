/**
 * `tapswitch ovsdb COMMAND`: asks and changes the databases of any OVSDB server, as ovsdb-client(1)
 * does, with the same text and exit status.
 *
 * Not for: configuring a switch (vsctl), serving databases (ovsdb-server).
 */
import { WarpClock } from '../../common/clock.js';
import { errorMessage } from '../../common/errors.js';
import { OvsdbError } from '../../ovsdb/error.js';
import { STATUS_TIMEOUT, TimeoutError, within } from '../appctl/timeout.js';
import { UsageError } from '../getopt.js';
import { type CliIo, printError } from '../io.js';
import { versionText } from '../version.js';
import { closest } from '../vsctl/suggest.js';
import { ClientError, OvsdbClient } from './client.js';
import { type ClientCommand, COMMANDS } from './commands.js';
import { type ClientOptions, clientUsage, defaultServer, parseClientOptions } from './options.js';

const REMOTE = /^(?:unix|tcp|ssl|punix|ptcp|pssl):/;

/** Runs `ovsdb-client ARGV`. Returns the exit status. */
export async function runOvsdb(argv: string[], io: CliIo): Promise<number> {
  try {
    const options = parseClientOptions(argv);
    if (options.action === 'help') io.stdout.write(clientUsage(io.programName, io.env));
    else if (options.action === 'version') io.stdout.write(versionText(io.programName));
    else await execute(options, io);
    return 0;
  } catch (error) {
    if (error instanceof TimeoutError) return STATUS_TIMEOUT;
    const plain = [ClientError, UsageError, OvsdbError].some((kind) => error instanceof kind);
    if (plain) io.stderr.write(`${io.programName}: ${errorMessage(error)}\n`);
    else printError(io, error);
    return 1;
  }
}

async function execute(options: ClientOptions, io: CliIo): Promise<void> {
  const [name, ...args] = options.words;
  if (name === undefined) throw new UsageError('missing command name; use --help for help');
  const command = COMMANDS.get(name);
  if (!command) {
    const meant = closest(COMMANDS.keys(), name);
    const hint = meant === null ? '' : `; did you mean "${meant}"?`;
    throw new UsageError(`unknown command '${name}'; use --help for help${hint}`);
  }
  const timeoutMs = options.timeoutSeconds > 0 ? options.timeoutSeconds * 1000 : null;
  await within(timeoutMs, runCommand(name, command, args, options, io));
}

async function runCommand(
  name: string,
  command: ClientCommand,
  words: string[],
  options: ClientOptions,
  io: CliIo,
): Promise<void> {
  const args = [...words];
  const server = args[0] !== undefined && REMOTE.test(args[0]) ? args.shift() : undefined;
  const client = await OvsdbClient.connect(server ?? defaultServer(io.env), options.tls);
  try {
    const database = command.needsDatabase ? await chooseDatabase(name, client, args) : '';
    if (args.length < command.minArgs || args.length > command.maxArgs) {
      throw new UsageError(`invalid syntax for '${name}' (use --help for help)`);
    }
    const clock = new WarpClock();
    await command.run({ client, database, args, options, io, wallNow: () => clock.wallNow() });
  } finally {
    client.close();
  }
}

/** Takes the database's name from `args`, or finds the one that goes without saying. */
async function chooseDatabase(name: string, client: OvsdbClient, args: string[]): Promise<string> {
  const databases = await client.databases();
  // `wait` is about databases that need not be there.
  const named = name === 'wait' || (args[0] !== undefined && databases.includes(args[0]));
  if (named) return args.shift() ?? '';
  if (databases.includes('Open_vSwitch')) return 'Open_vSwitch';
  const others = databases.filter((database) => !database.startsWith('_'));
  if (others.length === 1) return others[0];
  throw new ClientError(
    `no default database for \`${name}' command, please specify a database name`,
  );
}
