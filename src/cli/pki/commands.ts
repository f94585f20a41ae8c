/**
 * What `tapswitch pki` does: requests, signatures, checks, in files named after NAME.
 *
 *     NAME-privkey.pem   private key, mode 0600
 *     NAME-req.pem       request       NAME-cert.pem   certificate
 */
import { createHash, randomUUID } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { TapswitchError } from '../../common/errors.js';
import { authorityDir } from './authority.js';
import { openssl } from './openssl.js';
import type { PkiSettings } from './options.js';

const PRIVATE_MODE = 0o600;
const DAYS = '3650';

export type CertificateType = 'switch' | 'controller';

function mustExist(file: string): void {
  if (existsSync(file)) return;
  throw new TapswitchError('E_PKI_MISSING', `${file} does not exist`);
}

function mustNotExist(file: string, { force }: PkiSettings): void {
  if (!existsSync(file) || force) return;
  throw new TapswitchError(
    'E_PKI_EXISTS',
    `${file} already exists and --force not supplied`,
    'give another name, or --force to replace it',
  );
}

/** Runs `use` with a file of that text that nobody else may read, and removes it. */
function withFile<T>(text: string, use: (file: string) => T): T {
  const dir = mkdtempSync(join(tmpdir(), 'tapswitch-pki-'));
  try {
    const file = join(dir, 'openssl.cnf');
    writeFileSync(file, text, { mode: PRIVATE_MODE });
    return use(file);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** A key and a request for NAME. */
export function makeRequest(name: string, settings: PkiSettings): void {
  const key = `${name}-privkey.pem`;
  const request = `${name}-req.pem`;
  mustNotExist(key, settings);
  mustNotExist(request, settings);
  const base = name.split('/').at(-1) ?? name;
  const subject = settings.unique ? base : `${base} id:${randomUUID()}`;
  // Made before openssl writes into it: nobody reads the key in between.
  writeFileSync(key, '', { mode: PRIVATE_MODE });
  chmodSync(key, PRIVATE_MODE);
  const { type, bits, dsaParam } = settings;
  if (type === 'dsa') mustExist(dsaParam);
  const generate =
    type === 'rsa' ? ['genrsa', '-out', key, `${bits}`] : ['gendsa', '-out', key, dsaParam];
  openssl(settings, generate, { doing: `making the key of ${name}` });
  chmodSync(key, PRIVATE_MODE);
  withFile(requestConfig(subject, base), (config) => {
    const args = ['req', '-config', config, '-new', '-text', '-key', key, '-out', request];
    openssl(settings, args, { doing: `making the request of ${name}` });
  });
}

function requestConfig(subject: string, host: string): string {
  return `[ req ]
prompt = no
distinguished_name = subject
req_extensions = extensions

[ subject ]
C = US
ST = CA
L = Palo Alto
O = Open vSwitch
OU = Open vSwitch certifier
CN = ${subject}

[ extensions ]
subjectAltName = DNS:${host}
`;
}

/** Has an authority sign NAME-req.pem. */
export function signRequest(name: string, type: CertificateType, settings: PkiSettings): void {
  const request = `${name}-req.pem`;
  const certificate = `${name}-cert.pem`;
  mustExist(request);
  mustNotExist(certificate, settings);
  const cwd = authorityDir(settings.dir, type);
  const args = ['ca', '-config', 'ca.cnf', '-extensions', 'usr_cert', '-batch'];
  const days = settings.days === null ? [] : ['-days', `${settings.days}`];
  const doing = `signing ${request}`;
  const text = openssl(settings, [...args, ...days, '-in', resolve(request)], { cwd, doing });
  writeFileSync(certificate, text);
}

/** NAME's key signs its own request. */
export function selfSign(name: string, settings: PkiSettings): void {
  const request = `${name}-req.pem`;
  const key = `${name}-privkey.pem`;
  const certificate = `${name}-cert.pem`;
  mustExist(request);
  mustExist(key);
  mustNotExist(certificate, settings);
  const host = name.split('/').at(-1) ?? name;
  const text = withFile(`subjectAltName = DNS:${host}\n`, (extensions) => {
    const args = ['x509', '-in', request, '-signkey', key, '-req', '-days', DAYS, '-text'];
    const doing = `signing ${request}`;
    return openssl(settings, [...args, '-extfile', extensions], { doing });
  });
  writeFileSync(certificate, text);
}

/** The digest by which people compare requests and certificates. */
export function fingerprint(file: string, settings: PkiSettings): string {
  mustExist(file);
  const text = readFileSync(file, 'latin1');
  const certificate = text.includes('-BEGIN CERTIFICATE-');
  const digest = certificate
    ? openssl(settings, ['x509', '-noout', '-in', file, '-fingerprint'], {
        doing: `reading ${file}`,
      })
        .replace(/^.*=/, '')
        .replaceAll(':', '')
        .trim()
    : createHash('sha1').update(readFileSync(file)).digest('hex');
  const known = file.startsWith(digest);
  const about = known ? '(correct fingerprint in filename)' : `fingerprint ${digest}`;
  return `${file}\t${dateText(statSync(file).mtime)}\n\t${about}\n`;
}

/** 'Fri Nov 20 23:49:01 UTC 2026', as date(1) prints it. */
function dateText(date: Date): string {
  const [day, , month, year] = date
    .toUTCString()
    .split(' ')
    .map((word) => word.replace(',', ''));
  const dayOfMonth = `${date.getUTCDate()}`.padStart(2);
  const time = date.toISOString().slice(11, 19);
  return `${day} ${month} ${dayOfMonth} ${time} UTC ${year}`;
}

/**
 * Checks that an authority of the PKI signed NAME-cert.pem, that it is valid now and, if asked,
 * that it is made out to a host. @returns openssl's line
 * @throws TapswitchError E_PKI_VERIFY
 */
export function verify(name: string, type: CertificateType, settings: PkiSettings): string {
  const certificate = `${name}-cert.pem`;
  mustExist(certificate);
  const ca = join(authorityDir(settings.dir, type), 'cacert.pem');
  const host = settings.host === null ? [] : ['-verify_hostname', settings.host];
  try {
    const args = ['verify', '-CAfile', ca, ...host, certificate];
    return openssl(settings, args, { doing: `verifying ${certificate}` });
  } catch (error) {
    throw new TapswitchError(
      'E_PKI_VERIFY',
      `${certificate} is no valid ${type} certificate of ${settings.dir}: ${reasonOf(error)}`,
      'see who signed it, until when it is valid and for whom it is made out: ' +
        `openssl x509 -noout -issuer -dates -ext subjectAltName -in ${certificate}`,
      { cause: error },
    );
  }
}

/** What openssl found wrong: 'error 10 at 0 depth lookup: certificate has expired'. */
function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const found = /depth lookup: (.*?)\)?$/.exec(text) ?? /verification failed/.exec(text);
  return found?.[1] ?? text;
}
