/**
 * `tapswitch pki`: keys and certificates, as ovs-pki makes them, with openssl underneath.
 *
 * Not for: where a switch or a database is told of them (`vsctl set-ssl`, `--private-key` and the
 * like).
 */
import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { TapswitchError } from '../../common/errors.js';
import { UsageError } from '../getopt.js';
import type { CliIo } from '../io.js';
import { tapswitchVersion } from '../version.js';
import { initAuthorities } from './authority.js';
import {
  type CertificateType,
  fingerprint,
  makeRequest,
  selfSign,
  signRequest,
  verify,
} from './commands.js';
import { type PkiSettings, parsePki, USAGE } from './options.js';

/** Runs `tapswitch pki ARGV`. @throws TapswitchError E_PKI_* */
export async function runPki(argv: string[], io: CliIo): Promise<number> {
  let parsed: ReturnType<typeof parsePki>;
  try {
    parsed = parsePki(argv, io.env);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    io.stderr.write(`${io.programName}: ${error.message}\n`);
    return 1;
  }
  const { settings, args } = parsed;
  if (settings.help) {
    io.stdout.write(USAGE);
    return 0;
  }
  if (settings.version) {
    io.stdout.write(`${io.programName} (tapswitch) ${tapswitchVersion()}\n`);
    return 0;
  }
  const [command, ...rest] = args;
  if (command === undefined) {
    io.stderr.write(`${io.programName}: missing command name; use --help for help\n`);
    return 1;
  }
  mkdirSync(dirname(settings.log), { recursive: true, mode: 0o750 });
  return runCommand(command, rest, settings, io);
}

async function runCommand(
  command: string,
  args: string[],
  settings: PkiSettings,
  io: CliIo,
): Promise<number> {
  switch (command) {
    case 'init':
      init(settings, io);
      return 0;
    case 'req': {
      const [name] = take(command, args, 1);
      makeRequest(name, settings);
      io.stdout.write(fingerprint(`${name}-req.pem`, settings));
      return 0;
    }
    case 'sign': {
      const [name, type] = take(command, args, 2);
      if (!(await confirmed(`${name}-req.pem`, settings, io))) return 1;
      signRequest(name, typeOf(type), settings);
      return 0;
    }
    case 'req+sign': {
      const [name, type] = take(command, args, 2);
      const kind = typeOf(type);
      makeRequest(name, settings);
      signRequest(name, kind, settings);
      io.stdout.write(fingerprint(`${name}-req.pem`, settings));
      return 0;
    }
    case 'verify': {
      const [name, type] = take(command, args, 2);
      io.stdout.write(verify(name, typeOf(type), settings));
      return 0;
    }
    case 'fingerprint':
      io.stdout.write(fingerprint(take(command, args, 1)[0], settings));
      return 0;
    case 'self-sign':
      selfSign(take(command, args, 1)[0], settings);
      return 0;
    default:
      io.stderr.write(`${io.programName}: ${command} command unknown; use --help for help\n`);
      return 1;
  }
}

function init(settings: PkiSettings, io: CliIo): void {
  const { dir, force, type, bits } = settings;
  if (existsSync(dir) && !force) {
    throw new TapswitchError(
      'E_PKI_EXISTS',
      `${dir} already exists and --force not specified`,
      'name another directory with --dir, or give --force',
    );
  }
  mkdirSync(dir, { recursive: true });
  initAuthorities(dir, { type, bits }, settings, (text) => io.stderr.write(text));
}

/** Shows the request's fingerprint; true when it is confirmed, or nobody is to be asked. */
async function confirmed(file: string, settings: PkiSettings, io: CliIo): Promise<boolean> {
  io.stdout.write(fingerprint(file, settings));
  if (settings.batch) return true;
  io.stdout.write('Does fingerprint match? (yes/no)\n');
  const lines = createInterface({ input: io.stdin });
  for await (const line of lines) {
    lines.close();
    if (line.trim() === 'yes') return true;
    break;
  }
  io.stderr.write('Match failure, aborting\n');
  return false;
}

/** The arguments of a command: one, and a second where there may be one. */
function take(command: string, args: string[], max: number): string[] {
  if (args.length >= 1 && args.length <= max) return args;
  const many = max === 1 ? 'exactly one argument' : 'one or two arguments';
  throw new TapswitchError('E_PKI_OPTION', `${command} must have ${many}; use --help for help`);
}

function typeOf(type: string | undefined): CertificateType {
  if (type === undefined || type === 'switch') return 'switch';
  if (type === 'controller') return 'controller';
  throw new TapswitchError('E_PKI_OPTION', "type argument must be 'switch' or 'controller'");
}
