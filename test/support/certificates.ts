/**
 * Keys and certificates for tests of TLS, made by openssl in a directory of the test's own.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { must } from './command.js';

const CONFIG = `
[ca]
default_ca = own
[own]
database = index.txt
new_certs_dir = issued
serial = serial
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
[req]
distinguished_name = names
[names]
`;

/** A certificate authority, and whom it has signed. */
export class Authority {
  private constructor(private readonly directory: string) {}

  /** Makes one under `parent`. */
  static async make(parent: string, name: string): Promise<Authority> {
    const directory = join(parent, name);
    await mkdir(join(directory, 'issued'), { recursive: true });
    await writeFile(join(directory, 'index.txt'), '');
    await writeFile(join(directory, 'serial'), '1000\n');
    await writeFile(join(directory, 'ca.cnf'), CONFIG);
    const authority = new Authority(directory);
    await authority.openssl(
      ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'ca-key.pem'],
      ...['-out', 'ca.pem', '-days', '2', '-subj', `/CN=${name}`],
    );
    return authority;
  }

  /** Its own certificate. */
  get certificate(): string {
    return join(this.directory, 'ca.pem');
  }

  /**
   * Signs a new key.
   * @param until end of the certificate's validity, YYYYMMDDHHMMSSZ; default: two days from now
   */
  async issue(name: string, until?: string): Promise<{ key: string; certificate: string }> {
    const [key, certificate] = [`${name}-key.pem`, `${name}.pem`];
    await this.openssl(
      ...['req', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', `${name}.csr`],
      ...['-subj', `/CN=${name}`],
    );
    const validity =
      until === undefined ? ['-days', '2'] : ['-startdate', '20100101000000Z', '-enddate', until];
    await this.openssl(
      ...['ca', '-config', 'ca.cnf', '-batch', '-notext', '-in', `${name}.csr`],
      ...['-cert', 'ca.pem', '-keyfile', 'ca-key.pem', '-out', certificate, ...validity],
    );
    return { key: join(this.directory, key), certificate: join(this.directory, certificate) };
  }

  private openssl(...args: string[]): Promise<string> {
    const script = 'cd "$1" && shift && exec openssl "$@"';
    return must(['sh', '-c', script, 'sh', this.directory, ...args]);
  }
}
