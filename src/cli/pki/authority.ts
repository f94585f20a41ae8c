/**
 * The certificate authorities of `tapswitch pki`: one that signs switches, one that signs
 * controllers, each a directory in the layout of ovs-pki, so that either program goes on with what
 * the other began.
 *
 *     PKI/switchca, PKI/controllerca:  ca.cnf  cacert.pem  private/cakey.pem  index.txt  serial ...
 */
import { chmodSync, copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TapswitchError } from '../../common/errors.js';
import { type Openssl, openssl } from './openssl.js';

export const AUTHORITIES = ['controllerca', 'switchca'] as const;
const DAYS = '3650';
const PRIVATE_MODE = 0o600;

export interface KeySettings {
  type: 'rsa' | 'dsa';
  bits: number;
}

/** How an authority names itself, and what it puts into certificates. */
function caConfig(name: string, date: string): string {
  return `[ req ]
prompt = no
distinguished_name = subject

[ subject ]
C = US
ST = CA
L = Palo Alto
O = Open vSwitch
OU = ${name}
CN = OVS ${name} CA Certificate (${date})

[ ca ]
default_ca = authority

[ authority ]
dir = .
database = $dir/index.txt
new_certs_dir = $dir/newcerts
certificate = $dir/cacert.pem
serial = $dir/serial
private_key = $dir/private/cakey.pem
default_days = ${DAYS}
default_crl_days = 30
default_md = sha512
policy = policy
email_in_dn = no
name_opt = ca_default
cert_opt = ca_default
copy_extensions = copy
unique_subject = no

[ policy ]
countryName = optional
stateOrProvinceName = optional
organizationName = match
organizationalUnitName = optional
commonName = supplied
emailAddress = optional

[ ca_cert ]
basicConstraints = CA:true

[ usr_cert ]
basicConstraints = CA:false
`;
}

/** Makes both authorities below `pkiDir`, which exists. What is there already is kept. */
export function initAuthorities(
  pkiDir: string,
  key: KeySettings,
  ssl: Openssl,
  say: (text: string) => void,
): void {
  const parameters = join(pkiDir, 'dsaparam.pem');
  if (key.type === 'dsa' && !existsSync(parameters)) {
    say('Generating DSA parameters, please wait...\n');
    const args = ['dsaparam', '-out', parameters, `${key.bits}`];
    openssl(ssl, args, { doing: 'making DSA parameters' });
  }
  for (const name of AUTHORITIES) {
    say(`Creating ${name}...\n`);
    initAuthority(join(pkiDir, name), name, key, ssl);
  }
}

function initAuthority(dir: string, name: string, key: KeySettings, ssl: Openssl): void {
  for (const sub of ['certs', 'crl', 'newcerts']) mkdirSync(join(dir, sub), { recursive: true });
  mkdirSync(join(dir, 'private'), { recursive: true, mode: 0o700 });
  if (key.type === 'dsa') copyFileSync(join(dir, '..', 'dsaparam.pem'), join(dir, 'dsaparam.pem'));
  const date = new Date().toISOString().slice(0, 19).replace('T', ' ');
  const files = {
    'index.txt': '',
    crlnumber: '01\n',
    serial: '01\n',
    'ca.cnf': caConfig(name, date),
  };
  for (const [file, text] of Object.entries(files)) {
    if (!existsSync(join(dir, file))) writeFileSync(join(dir, file), text);
  }
  const newKey = key.type === 'dsa' ? 'dsa:dsaparam.pem' : `rsa:${key.bits}`;
  const doing = `creating ${name}`;
  const keyFile = 'private/cakey.pem';
  writeFileSync(join(dir, keyFile), '', { mode: PRIVATE_MODE });
  const request = ['req', '-config', 'ca.cnf', '-nodes', '-newkey', newKey];
  openssl(ssl, [...request, '-keyout', keyFile, '-out', 'careq.pem'], { cwd: dir, doing });
  const sign = ['ca', '-config', 'ca.cnf', '-create_serial', '-extensions', 'ca_cert'];
  const self = ['-days', DAYS, '-batch', '-keyfile', keyFile, '-selfsign', '-infiles', 'careq.pem'];
  openssl(ssl, [...sign, '-out', 'cacert.pem', ...self], { cwd: dir, doing });
  chmodSync(join(dir, keyFile), PRIVATE_MODE);
}

/** The directory of the authority that signs `type`. @throws TapswitchError E_PKI_DIR */
export function authorityDir(pkiDir: string, type: 'switch' | 'controller'): string {
  const dir = join(pkiDir, `${type}ca`);
  if (existsSync(join(dir, 'cacert.pem'))) return dir;
  throw new TapswitchError(
    'E_PKI_DIR',
    `${pkiDir} does not exist, or is no PKI`,
    "make one with 'tapswitch pki init', or name it with --dir",
  );
}
