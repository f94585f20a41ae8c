/** Options of `tapswitch pki`: those of ovs-pki, and their checks. */
import { resolve } from 'node:path';
import { TapswitchError } from '../../common/errors.js';
import { getopt, type OptionSpec } from '../getopt.js';

export interface PkiSettings {
  type: 'rsa' | 'dsa';
  bits: number;
  dsaParam: string;
  dir: string;
  force: boolean;
  log: string;
  batch: boolean;
  unique: boolean;
  /** How long a signature is valid; null: as the authority's settings say. */
  days: number | null;
  /** Whom a certificate must be made out to. */
  host: string | null;
  help: boolean;
  version: boolean;
  env: NodeJS.ProcessEnv;
}

const SPECS: readonly OptionSpec[] = [
  { name: 'key', short: 'k', arg: 'required' },
  { name: 'bits', short: 'B', arg: 'required' },
  { name: 'dsaparam', short: 'D', arg: 'required' },
  { name: 'batch', short: 'b', arg: 'none' },
  { name: 'dir', short: 'd', arg: 'required' },
  { name: 'force', short: 'f', arg: 'none' },
  { name: 'log', short: 'l', arg: 'required' },
  { name: 'unique', short: 'u', arg: 'none' },
  { name: 'days', arg: 'required' },
  { name: 'host', arg: 'required' },
  { name: 'help', short: 'h', arg: 'none' },
  { name: 'version', short: 'V', arg: 'none' },
];

const DEFAULT_DIR = '/var/lib/openvswitch/pki';

export const USAGE = `usage: tapswitch pki [OPTION...] COMMAND [ARG...]
Makes and checks keys and certificates for TLS between switches, databases and controllers.

Commands:
  init                  make the PKI: an authority for switches, one for controllers
  req NAME              make a private key and a request: NAME-privkey.pem, NAME-req.pem
  sign NAME [TYPE]      have an authority sign NAME-req.pem: NAME-cert.pem
  req+sign NAME [TYPE]  both
  verify NAME [TYPE]    check that NAME-cert.pem is a valid certificate of TYPE
  fingerprint FILE      print the fingerprint of a request or certificate
  self-sign NAME        sign NAME-req.pem with NAME-privkey.pem
TYPE is 'switch' (the default) or 'controller'.

Options:
  -k, --key=rsa|dsa     kind of keys (default: rsa)
  -B, --bits=NBITS      bits of a key (default: 2048)
  -D, --dsaparam=FILE   DSA parameters (default: dsaparam.pem in the PKI)
  -b, --batch           sign: do not ask whether the fingerprint is right
      --days=N          sign: valid for N days (default: 3650)
      --host=HOST       verify: the certificate must be made out to HOST
  -d, --dir=DIR         where the PKI is (default: ${DEFAULT_DIR})
  -f, --force           go on when a file or the PKI exists
  -l, --log=FILE        where openssl's messages go (default: ovs-pki.log)
  -u, --unique          NAME is unique: add no UUID to it
  -h, --help            display this help message
  -V, --version         display version information
`;

/** @throws UsageError; TapswitchError E_PKI_OPTION for a value that cannot be */
export function parsePki(
  argv: string[],
  env: NodeJS.ProcessEnv,
): { settings: PkiSettings; args: string[] } {
  const { options, args } = getopt(argv, SPECS, true);
  const given = new Map(options.map(({ name, value }) => [name, value ?? '']));
  const type = given.get('key') ?? 'rsa';
  if (type !== 'rsa' && type !== 'dsa') {
    throw wrong('argument to -k or --key must be rsa or dsa');
  }
  const bits = Number(given.get('bits') ?? 2048);
  if (!Number.isInteger(bits) || bits < 1024 || bits > 16_384) {
    throw wrong('argument to -B or --bits must be at least 1024 (and at most 16384)');
  }
  const days = given.has('days') ? Number(given.get('days')) : null;
  if (days !== null && (!Number.isInteger(days) || days < 1)) {
    throw wrong('argument to --days must be a number of days, 1 or more');
  }
  const dir = resolve(given.get('dir') ?? DEFAULT_DIR);
  const dsaParam = given.get('dsaparam') ?? `${dir}/dsaparam.pem`;
  const settings: PkiSettings = {
    ...{ type, bits, days, dir, dsaParam, env },
    log: resolve(given.get('log') ?? 'ovs-pki.log'),
    host: given.get('host') ?? null,
    force: given.has('force'),
    batch: given.has('batch'),
    unique: given.has('unique'),
    help: given.has('help'),
    version: given.has('version'),
  };
  return { settings, args };
}

function wrong(message: string): TapswitchError {
  return new TapswitchError('E_PKI_OPTION', message, "'tapswitch pki --help' explains the options");
}
