/** The command line of `tapswitch web`. */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { errorMessage, TapswitchError } from '../../common/errors.js';
import type { TlsFiles } from '../../common/tls.js';
import { directories } from '../daemon/dirs.js';
import { getopt, LOG_OPTIONS, type OptionSpec, UsageError } from '../getopt.js';
import { SWITCH_TARGET } from '../switch-hint.js';

export const DEFAULT_LISTEN = '127.0.0.1:8480';

export interface WebCommandOptions {
  address: string;
  port: number;
  runDir: string;
  logDir: string;
  database: string[];
  control: string;
  tokenFile: string | null;
  write: boolean;
  allowHosts: string[];
  /** Keys for a database at ssl:HOST:PORT. */
  tls: TlsFiles;
  verbosity: (string | null)[];
  /** The process whose child this is: the console ends with it. */
  child: boolean;
}

const OPTIONS: readonly OptionSpec[] = [
  { name: 'listen', short: 'l', arg: 'required' },
  { name: 'db', arg: 'required' },
  { name: 'rundir', arg: 'required' },
  { name: 'control', arg: 'required' },
  { name: 'write', arg: 'none' },
  { name: 'token-file', arg: 'required' },
  { name: 'allow-host', arg: 'required' },
  { name: 'child', arg: 'none' },
  { name: 'private-key', short: 'p', arg: 'required' },
  { name: 'certificate', short: 'c', arg: 'required' },
  { name: 'ca-cert', short: 'C', arg: 'required' },
  { name: 'bootstrap-ca-cert', arg: 'required' },
  { name: 'help', short: 'h', arg: 'none' },
  ...LOG_OPTIONS,
];

/** @returns null when help was asked for @throws UsageError */
export function parseWeb(argv: string[], env: NodeJS.ProcessEnv): WebCommandOptions | null {
  const { options, args } = getopt(argv, OPTIONS, true);
  if (options.some(({ name }) => name === 'help')) return null;
  if (args.length > 0) throw new UsageError('web takes no arguments beside options');
  const last = (name: string) => options.findLast((option) => option.name === name)?.value;
  const has = (name: string) => options.some((option) => option.name === name);
  const dirs = directories(env);
  const runDir = last('rundir') ?? dirs.runDir;
  const hosts = options.filter(({ name }) => name === 'allow-host');
  const verbose = options.filter(({ name }) => name === 'verbose');
  return {
    ...parseListen(last('listen') ?? DEFAULT_LISTEN),
    runDir,
    logDir: dirs.logDir,
    database: (last('db') ?? `unix:${join(runDir, 'db.sock')}`).split(',').map(remoteOf),
    control: last('control') ?? SWITCH_TARGET,
    tokenFile: last('token-file') ?? null,
    write: has('write'),
    allowHosts: hosts.map(({ value }) => value ?? ''),
    tls: {
      privateKey: last('private-key'),
      certificate: last('certificate'),
      caCert: last('ca-cert') ?? last('bootstrap-ca-cert'),
      bootstrap: last('bootstrap-ca-cert') !== undefined,
    },
    verbosity: verbose.map(({ value }) => (value ? value : null)),
    child: has('child'),
  };
}

/** A path is that of a socket. */
function remoteOf(text: string): string {
  return text.startsWith('/') ? `unix:${text}` : text;
}

/** 'ADDRESS:PORT', '[::1]:PORT', ':PORT', 'PORT' or 'ADDRESS'. @throws UsageError */
export function parseListen(text: string): { address: string; port: number } {
  const [, v6, other, port = '8480'] =
    /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]*))(?::(\d{1,5}))?$/.exec(text) ?? [];
  if ((v6 ?? other) === undefined) throw new UsageError(`'${text}' is no ADDRESS:PORT`);
  const onlyPort = /^\d{1,5}$/.test(other ?? '') && !text.includes(':');
  const number = Number(onlyPort ? other : port);
  if (number > 65535) throw new UsageError(`'${text}' is no ADDRESS:PORT`);
  const address = onlyPort ? '' : (v6 ?? other);
  return { address: address === '' ? '127.0.0.1' : address, port: number };
}

/**
 * The token in a file: its first line.
 * @throws TapswitchError E_WEB_TOKEN_FILE
 */
export function readToken(file: string): string {
  try {
    const readable = (statSync(file).mode & 0o004) !== 0;
    const token = readFileSync(file, 'utf8').split('\n')[0].trim();
    if (!readable) return token;
  } catch (cause) {
    const message = `the token file cannot be read: ${errorMessage(cause)}`;
    throw new TapswitchError('E_WEB_TOKEN_FILE', message, undefined, { cause });
  }
  throw new TapswitchError(
    'E_WEB_TOKEN_FILE',
    `everybody on this machine can read ${file}`,
    `chmod 600 ${file}`,
  );
}

export function webUsage(program: string): string {
  return `${program}: watch a switch in a browser
usage: ${program} web [OPTIONS]
  -l, --listen=ADDR:PORT   where to listen (${DEFAULT_LISTEN})
      --rundir=DIR         sockets of the switch
      --db=REMOTE          its database (unix:RUNDIR/db.sock)
  -p, --private-key=FILE, -c, --certificate=FILE, -C, --ca-cert=FILE, --bootstrap-ca-cert=FILE
                           keys for a database at ssl:HOST:PORT
      --control=TARGET     its control socket or name (${SWITCH_TARGET})
      --token-file=FILE    the token that clients must show; needed with --write, and to listen
                           elsewhere than on loopback
      --write              allow changes to those who show the token
      --allow-host=NAME    answer under this name, too
  -vSPEC, --verbose=SPEC   set logging levels
  -h, --help               show this help

It reads the OVSDB, OpenFlow and control sockets of tapswitch or of Open vSwitch.
`;
}
