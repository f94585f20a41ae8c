/**
 * The command line of `tapswitch ovsdb`, as ovsdb-client(1) has it.
 *
 * Not for: the commands (commands.ts).
 */
import { CLIENT_SETTERS, type ClientSettings } from '../client-options.js';
import { directories } from '../daemon/dirs.js';
import { getopt, LOG_OPTIONS, type OptionSpec, UsageError } from '../getopt.js';
import {
  CELL_FORMATS,
  type CellFormat,
  defaultStyle,
  TABLE_FORMATS,
  type TableFormat,
} from '../vsctl/table.js';

const OPTIONS: readonly OptionSpec[] = [
  { name: 'help', short: 'h', arg: 'none' },
  { name: 'version', short: 'V', arg: 'none' },
  { name: 'timestamp', arg: 'none' },
  { name: 'force', arg: 'none' },
  { name: 'timeout', short: 't', arg: 'required' },
  { name: 'db-change-aware', arg: 'none' },
  { name: 'no-db-change-aware', arg: 'none' },
  { name: 'leader-only', arg: 'none' },
  { name: 'no-leader-only', arg: 'none' },
  ...LOG_OPTIONS,
  { name: 'format', short: 'f', arg: 'required' },
  { name: 'data', short: 'd', arg: 'required' },
  { name: 'no-headings', arg: 'none' },
  { name: 'pretty', arg: 'none' },
  { name: 'bare', arg: 'none' },
  { name: 'max-column-width', arg: 'required' },
  { name: 'private-key', short: 'p', arg: 'required' },
  { name: 'certificate', short: 'c', arg: 'required' },
  { name: 'ca-cert', short: 'C', arg: 'required' },
  { name: 'bootstrap-ca-cert', arg: 'required' },
  { name: 'ssl-protocols', arg: 'required' },
  { name: 'ssl-ciphers', arg: 'required' },
];

export interface ClientOptions {
  action: 'run' | 'help' | 'version';
  style: ClientSettings['style'];
  tls: ClientSettings['tls'];
  /** 0: none. */
  timeoutSeconds: number;
  timestamp: boolean;
  /** Restore a backup whose schema differs. */
  force: boolean;
  /** Whether to say so to the server; undefined: as the command wants it. */
  changeAware: boolean | undefined;
  words: string[];
}

type Setter = (options: ClientOptions, value: string) => void;

const SETTERS: Readonly<Record<string, Setter>> = {
  help: (o) => {
    o.action = 'help';
  },
  version: (o) => {
    o.action = 'version';
  },
  timestamp: (o) => {
    o.timestamp = true;
  },
  force: (o) => {
    o.force = true;
  },
  timeout: (o, value) => {
    o.timeoutSeconds = /^\d+$/.test(value) ? Number(value) : 0;
    if (o.timeoutSeconds === 0) {
      throw new UsageError(`value ${value} on -t or --timeout is invalid`);
    }
  },
  'db-change-aware': (o) => {
    o.changeAware = true;
  },
  'no-db-change-aware': (o) => {
    o.changeAware = false;
  },
  format: (o, value) => {
    if (!(TABLE_FORMATS as readonly string[]).includes(value)) {
      throw new UsageError(`unknown output format "${value}"`);
    }
    o.style.format = value as TableFormat;
  },
  data: (o, value) => {
    if (!(CELL_FORMATS as readonly string[]).includes(value)) {
      throw new UsageError(`unknown data format "${value}"`);
    }
    o.style.cells = value as CellFormat;
  },
  ...CLIENT_SETTERS,
};

/** Reads the options. Throws UsageError. */
export function parseClientOptions(argv: string[]): ClientOptions {
  const parsed = getopt(argv, OPTIONS, true);
  const options: ClientOptions = {
    action: 'run',
    style: { ...defaultStyle(), format: 'table' },
    tls: {},
    timeoutSeconds: 0,
    timestamp: false,
    force: false,
    changeAware: undefined,
    words: parsed.args,
  };
  for (const { name, value } of parsed.options) SETTERS[name]?.(options, value ?? '');
  return options;
}

/** Where the database's socket is unless a server is named. */
export function defaultServer(env: NodeJS.ProcessEnv): string {
  return `unix:${directories(env).runDir}/db.sock`;
}

export function clientUsage(program: string, env: NodeJS.ProcessEnv): string {
  return `usage: ${program} [OPTIONS] COMMAND [ARG...]
Asks and changes the databases of an OVSDB server.

Commands:
  list-dbs [SERVER]                           names of the server's databases
  get-schema [SERVER] [DATABASE]              schema, as JSON
  get-schema-version [SERVER] [DATABASE]      its version
  get-schema-cksum [SERVER] [DATABASE]        its checksum
  list-tables [SERVER] [DATABASE]             names of tables
  list-columns [SERVER] [DATABASE] [TABLE]    names and types of columns
  dump [SERVER] [DATABASE] [TABLE [COLUMN]...]    contents
  transact [SERVER] TRANSACTION               run a transaction (JSON), print its results
  query [SERVER] TRANSACTION                  the same, without changing anything
  monitor [SERVER] [DATABASE] TABLE [COLUMN,...]...   contents, and changes as they come
  monitor [SERVER] [DATABASE] ALL             the same of all tables
  wait [SERVER] DATABASE STATE                until it is added, connected or removed
  backup [SERVER] [DATABASE] > FILE           contents as a database file
  [--force] restore [SERVER] [DATABASE] < FILE    contents from such a file, in place of all
  convert [SERVER] SCHEMA                     bring a database to the schema in a file
  needs-conversion [SERVER] SCHEMA            would convert change anything? yes or no
SERVER is unix:FILE, tcp:HOST:PORT or ssl:HOST:PORT (default: ${defaultServer(env)}).
DATABASE is Open_vSwitch, or the server's only one, unless named.

Output options:
  -f, --format=FORMAT     table (default), list, html, csv or json
  -d, --data=FORMAT       values as string (default), bare or json
  --no-headings, --pretty, --bare, --max-column-width=N, --timestamp
Other options:
  -t, --timeout=SECS      give up after SECS
  --[no-]db-change-aware  tell the server to report databases that come and go, or not to
  -p, --private-key=FILE, -c, --certificate=FILE, -C, --ca-cert=FILE, --bootstrap-ca-cert=FILE
  --ssl-protocols=LIST, --ssl-ciphers=LIST
  -h, --help, -V, --version
`;
}
