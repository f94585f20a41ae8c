/**
 * The command line of `ovsdb-server`.
 *
 * Not for: acting on it (index.ts).
 */
import { join } from 'node:path';
import { TapswitchError } from '../../common/errors.js';
import type { TlsFiles } from '../../ovsdb/tls.js';
import {
  applyDaemonOption,
  DAEMON_OPTIONS,
  type DaemonFlags,
  daemonOptionsUsage,
  defaultFlags,
} from '../daemon/options.js';
import { getopt, type OptionSpec, type ParsedOption } from '../getopt.js';

export const PROGRAM = 'ovsdb-server';

const OPTIONS: readonly OptionSpec[] = [
  ...DAEMON_OPTIONS,
  { name: 'remote', arg: 'required' },
  { name: 'run', arg: 'required' },
  { name: 'create', arg: 'none' },
  { name: 'private-key', short: 'p', arg: 'required' },
  { name: 'certificate', short: 'c', arg: 'required' },
  { name: 'ca-cert', short: 'C', arg: 'required' },
  { name: 'bootstrap-ca-cert', arg: 'required' },
  { name: 'peer-ca-cert', arg: 'required' },
  { name: 'ssl-protocols', arg: 'required' },
  { name: 'ssl-ciphers', arg: 'required' },
  { name: 'disable-file-column-diff', arg: 'none' },
  { name: 'no-dbs', arg: 'none' },
  { name: 'sync-from', arg: 'required' },
  { name: 'sync-exclude-tables', arg: 'required' },
  { name: 'active', arg: 'none' },
  { name: 'record', arg: 'optional' },
  { name: 'replay', arg: 'optional' },
];

/** Options of ovsdb-server that are not there. */
const REFUSED: Readonly<Record<string, string>> = {
  record: 'recording of streams',
  replay: 'recording of streams',
};

export interface ServerFlags {
  daemon: DaemonFlags;
  remotes: string[];
  /** Database files, as they were named. */
  files: string[];
  tls: TlsFiles;
  /** A shell command; when it ends, so does the server. */
  run: string | null;
  /** The server that this one is a backup of. */
  syncFrom: string | null;
  /** Tables that are not copied: `DB:TABLE,...` */
  syncExclude: string;
  /** Be no backup until told so. */
  active: boolean;
  /** Make files that are not there, for the switch. */
  create: boolean;
}

export type ServerRequest =
  | { readonly kind: 'run'; readonly flags: ServerFlags }
  | { readonly kind: 'help' | 'version'; readonly daemon: DaemonFlags };

/**
 * Parses a command line.
 * @throws UsageError, TapswitchError
 */
export function parseServerOptions(argv: string[], env: NodeJS.ProcessEnv): ServerRequest {
  const { options, args } = getopt(argv, OPTIONS, true);
  const daemon = defaultFlags(PROGRAM, env);
  const text = options.find(({ name }) => name === 'help' || name === 'version');
  if (text) return { kind: text.name as 'help' | 'version', daemon };
  const tls: { -readonly [K in keyof TlsFiles]: TlsFiles[K] } = {};
  const flags: ServerFlags = {
    ...{ daemon, remotes: [], files: [], tls, run: null },
    ...{ syncFrom: null, syncExclude: '', active: false, create: false },
  };
  let hasDatabases = true;
  for (const option of options) {
    const value = option.value ?? '';
    if (option.name === 'remote') flags.remotes.push(value);
    else if (option.name === 'run') flags.run = value;
    else if (option.name === 'no-dbs') hasDatabases = false;
    else if (option.name === 'sync-from') flags.syncFrom = value;
    else if (option.name === 'sync-exclude-tables') flags.syncExclude = value;
    else if (option.name === 'active') flags.active = true;
    else if (option.name === 'create') flags.create = true;
    else if (!applyTlsOption(tls, option)) applyOther(daemon, option);
  }
  const usual = hasDatabases ? [join(daemon.dirs.dbDir, 'conf.db')] : [];
  flags.files = args.length > 0 ? args : usual;
  return { kind: 'run', flags };
}

/** Takes an option about TLS; false for any other. */
function applyTlsOption(
  tls: { -readonly [K in keyof TlsFiles]: TlsFiles[K] },
  { name, value }: ParsedOption,
): boolean {
  if (name === 'private-key') tls.privateKey = value;
  else if (name === 'certificate') tls.certificate = value;
  else if (name === 'ca-cert') tls.caCert = value;
  else if (name === 'peer-ca-cert') tls.peerCaCert = value;
  else if (name === 'ssl-protocols') tls.protocols = value;
  else if (name === 'ssl-ciphers') tls.ciphers = value;
  else if (name === 'bootstrap-ca-cert') {
    tls.caCert = value;
    tls.bootstrap = true;
  } else return false;
  return true;
}

function applyOther(daemon: DaemonFlags, option: ParsedOption): void {
  const refused = REFUSED[option.name];
  if (refused !== undefined) {
    throw new TapswitchError(
      'E_OVSDB_OPTION',
      `--${option.name}: this server has no ${refused}`,
      'leave it out',
    );
  }
  // Files are written with differences, and whole; any server reads both.
  if (option.name !== 'disable-file-column-diff') applyDaemonOption(daemon, option);
}

export function serverUsage(flags: DaemonFlags): string {
  const { runDir, dbDir } = flags.dirs;
  return `usage: ${PROGRAM} [OPTIONS] [DATABASE...]
Serves databases; each DATABASE is a file (default: ${dbDir}/conf.db), or
relay:DB:REMOTE,... to show database DB of other servers.

Database options:
  --remote=REMOTE         listen or connect to REMOTE; may be given several times:
                          punix:FILE, relative to ${runDir};
                          ptcp:[PORT][:IP], pssl:[PORT][:IP] to listen on;
                          unix:FILE, tcp:HOST:PORT, ssl:HOST:PORT to connect to;
                          db:DB,TABLE,COLUMN for what that column names
  --create                make a file that is not there, with the schema of the switch
  --no-dbs                serve no database until one is added with ovs-appctl
  --sync-from=REMOTE      be a backup of the server at REMOTE: copy its databases
  --sync-exclude-tables=DB:TABLE,...  do not copy these tables
  --active                be no backup until ovs-appctl says so
  --run=COMMAND           run COMMAND in a shell, and end when it ends

TLS options (each a file, or db:DB,TABLE,COLUMN for a column that names it):
  -p, --private-key=FILE  private key
  -c, --certificate=FILE  certificate for the private key
  -C, --ca-cert=FILE      CA that peers must be signed by; none: anybody is trusted
  --bootstrap-ca-cert=FILE  the same; taken from the first peer if FILE is not there
  --peer-ca-cert=FILE     CA certificate to send to peers that take theirs from us
  --ssl-protocols=LIST    of TLSv1, TLSv1.1, TLSv1.2, TLSv1.3
  --ssl-ciphers=LIST      ciphers, as OpenSSL names them
${daemonOptionsUsage(flags)}`;
}
