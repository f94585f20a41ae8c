/**
 * Keys and certificates of `ssl:` and `pssl:` remotes, as Open vSwitch's options name them.
 *
 * Not for: where the names of the files come from (options, or the database's SSL table).
 */
import * as fs from 'node:fs';
import type { Socket } from 'node:net';
import {
  checkServerIdentity,
  type DetailedPeerCertificate,
  type PeerCertificate,
  type SecureContextOptions,
  type SecureVersion,
  TLSSocket,
} from 'node:tls';
import { errorMessage, TapswitchError } from './errors.js';
import { getLogger } from './log.js';

const log = getLogger('stream_ssl');

/** PEM files and what may be negotiated. */
export interface TlsFiles {
  readonly privateKey?: string;
  readonly certificate?: string;
  /** The CA that peers must be signed by; `none`: peers are not checked. */
  readonly caCert?: string;
  /** Take the CA certificate from the first peer if its file is not there yet. */
  readonly bootstrap?: boolean;
  /** A CA certificate that is sent along with the own one, for peers that bootstrap theirs. */
  readonly peerCaCert?: string;
  /** Versions, such as `TLSv1.1,TLSv1.2`. Default: those that Node.js thinks safe. */
  readonly protocols?: string;
  /** Ciphers, as OpenSSL names them. */
  readonly ciphers?: string;
}

const VERSIONS = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const;
/** OpenSSL refuses older versions above security level 0, whatever else is asked for. */
const OLD_VERSIONS: readonly string[] = ['TLSv1', 'TLSv1.1'];

/** True when peers need not show a certificate that the CA signed. */
export function trustsAnybody(files: TlsFiles): boolean {
  return files.caCert === 'none';
}

/** True when the CA's certificate is to be taken from the first peer. */
export function needsBootstrap(files: TlsFiles): boolean {
  return files.bootstrap === true && files.caCert !== undefined && !fs.existsSync(files.caCert);
}

/** Reads the files. Throws TapswitchError E_TLS, naming the one that is amiss. */
export function secureContextOptions(files: TlsFiles): SecureContextOptions {
  const { protocols, ciphers, caCert } = files;
  const [minVersion, maxVersion] = protocols ? versionRange(protocols) : [];
  return {
    key: files.privateKey === undefined ? undefined : read(files.privateKey),
    cert: certificateChain(files),
    ca: caCert === undefined || trustsAnybody(files) ? undefined : read(caCert),
    ciphers: ciphers ?? undefined,
    ...(minVersion && { minVersion }),
    ...(maxVersion && { maxVersion }),
  };
}

/** An address, or a name with a dot: ovs-pki puts other things in the same place. */
const NAMES_HOST = /(?:^|, )(?:IP Address:|DNS:[^\s,]+\.[^\s,]+(?:,|$))/;

/**
 * Node.js's checkServerIdentity, for certificates that name hosts at all. Open vSwitch looks at the
 * CA alone, and its certificates name none; one that does is held to it.
 */
export function checkHostNames(host: string, certificate: PeerCertificate): Error | undefined {
  const names = certificate.subjectaltname;
  if (names === undefined || !NAMES_HOST.test(names)) return undefined;
  if (checkServerIdentity(host, certificate) === undefined) return undefined;
  return new TapswitchError(
    'E_TLS',
    `the peer's certificate is made out to ${names}, not to ${host}`,
    'connect by a name in the certificate, or have one signed for this name',
  );
}

/** The name in the certificate that a peer has shown (its CN); null when it showed none. */
export function commonName(socket: Socket): string | null {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return null;
  const { subject } = socket.getPeerCertificate();
  return typeof subject?.CN === 'string' ? subject.CN : null;
}

function certificateChain({ certificate, peerCaCert }: TlsFiles): Buffer | undefined {
  if (certificate === undefined) return undefined;
  if (peerCaCert === undefined) return read(certificate);
  return Buffer.concat([read(certificate), Buffer.from('\n'), read(peerCaCert)]);
}

/** The lowest and highest of the versions that a list names. Throws TapswitchError E_TLS. */
function versionRange(list: string): [SecureVersion, SecureVersion] {
  const names = list.split(/[\s,]+/).filter((name) => name !== '');
  const unknown = names.find((name) => !(VERSIONS as readonly string[]).includes(name));
  if (unknown !== undefined || names.length === 0) {
    throw new TapswitchError(
      'E_TLS',
      `${unknown ?? list}: SSL protocol not recognized`,
      `give some of ${VERSIONS.join(', ')}`,
    );
  }
  const present = VERSIONS.filter((version) => names.includes(version));
  const safe = present.filter((version) => !OLD_VERSIONS.includes(version));
  const usable = safe.length > 0 ? safe : present;
  return [usable[0], usable[usable.length - 1]];
}

function read(file: string): Buffer {
  try {
    return fs.readFileSync(file);
  } catch (error) {
    throw new TapswitchError(
      'E_TLS',
      `${file}: cannot read (${errorMessage(error)})`,
      'check the names of private key, certificate and CA certificate',
      { cause: error },
    );
  }
}

/** Writes the CA certificate that ends the peer's chain to `file`, and ends the connection. */
export function saveCaCert(socket: TLSSocket, file: string): void {
  let cert = socket.getPeerCertificate(true) as DetailedPeerCertificate | undefined;
  while (cert?.issuerCertificate && cert.issuerCertificate !== cert) cert = cert.issuerCertificate;
  socket.on('error', () => {});
  socket.destroy();
  if (!cert?.raw || cert.issuerCertificate !== cert) {
    throw new TapswitchError(
      'E_TLS',
      `could not bootstrap ${file}: the peer's chain does not end in a CA certificate`,
      'copy the CA certificate to this machine and name it with --ca-cert',
    );
  }
  const base64 = cert.raw.toString('base64').replace(/.{64}(?=.)/g, '$&\n');
  const pem = `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`;
  try {
    // Never over another process's: whoever came first has set the trust.
    fs.writeFileSync(file, pem, { flag: 'wx', mode: 0o644 });
    log.info(`successfully bootstrapped CA cert to ${file}`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/**
 * Throws E_TLS when files that a connection cannot do without are not named, as Open vSwitch says
 * it. With a CA certificate both sides are checked; `none` trusts anybody.
 */
export function requireFiles({ privateKey, certificate, caCert }: TlsFiles): void {
  const missing = !privateKey
    ? 'Private key'
    : !certificate
      ? 'Certificate'
      : !caCert
        ? 'CA certificate'
        : null;
  if (missing === null) return;
  throw new TapswitchError(
    'E_TLS',
    `${missing} must be configured to use SSL`,
    'give --private-key, --certificate and --ca-cert, or ovs-vsctl set-ssl',
  );
}
