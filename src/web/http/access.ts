/**
 * Who may ask: pure functions over a request's headers.
 *
 *     Host            a name that we answer to           against DNS rebinding
 *     Sec-Fetch-Site  same-origin, none, or absent       against other sites in the same browser
 *     Origin          ours, or absent                    the same, for what changes or stays open
 *     Authorization   Bearer TOKEN                       where a token is needed
 *
 * There are no cookies: nothing is sent that a page did not put there itself.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import { TapswitchError } from '../../common/errors.js';

export interface AccessRules {
  /** Names besides IP addresses under which we may be asked; in lower case, without port. */
  hosts: ReadonlySet<string>;
  /** Only loopback addresses will do as a host. */
  loopbackOnly: boolean;
  /** SHA-256 of the token; null: there is none. */
  tokenDigest: Buffer | null;
  /** Reading needs the token, too. */
  tokenToRead: boolean;
  /** Changes are possible at all. */
  write: boolean;
}

export interface AccessOptions {
  address: string;
  token: string | null;
  /** Changes are allowed, with the token. */
  write: boolean;
  /** Host names under which the console may be asked, besides its own and addresses. */
  allowHosts: readonly string[];
}

const TOKEN_LENGTH_MAX = 1024;
/** Shorter tokens could be guessed. */
const TOKEN_LENGTH_MIN = 16;

/**
 * The rules of a console.
 * @throws TapswitchError E_WEB_TOKEN_NEEDED, E_WEB_TOKEN_SHORT
 */
export function accessRules({ address, token, write, allowHosts }: AccessOptions): AccessRules {
  const loopbackOnly = isLoopback(address);
  if (token === null && (write || !loopbackOnly)) {
    const what = write ? 'to allow changes' : `to listen at ${address}`;
    throw new TapswitchError(
      'E_WEB_TOKEN_NEEDED',
      `a token is needed ${what}`,
      'write a long random text into a file that only you can read: --token-file=FILE',
    );
  }
  if (token !== null && token.length < TOKEN_LENGTH_MIN) {
    const message = `the token has fewer than ${TOKEN_LENGTH_MIN} characters`;
    throw new TapswitchError('E_WEB_TOKEN_SHORT', message, 'openssl rand -hex 32 makes one');
  }
  if (token !== null && !/^[\x21-\x7e]+$/.test(token)) {
    const message = 'the token has blanks or characters beyond ASCII, which no header carries';
    throw new TapswitchError('E_WEB_TOKEN_FILE', message, 'openssl rand -hex 32 makes one');
  }
  const hosts = new Set(['localhost', ...allowHosts.map((name) => name.toLowerCase())]);
  return {
    hosts,
    loopbackOnly,
    tokenDigest: token === null ? null : digestOf(token),
    tokenToRead: !loopbackOnly,
    write,
  };
}

export function digestOf(token: string): Buffer {
  return createHash('sha256').update(token, 'utf8').digest();
}

/** @throws TapswitchError E_WEB_HOST */
export function checkHost(headers: IncomingHttpHeaders, rules: AccessRules): void {
  const host = hostOf(headers.host);
  if (host !== null && isAllowedHost(host, rules)) return;
  throw new TapswitchError(
    'E_WEB_HOST',
    'this console does not answer under that name',
    'use its address, or start it with --allow-host=NAME',
  );
}

function isAllowedHost(host: string, { hosts, loopbackOnly }: AccessRules): boolean {
  if (hosts.has(host)) return true;
  if (isIP(host) === 0) return false;
  return !loopbackOnly || isLoopback(host);
}

/** The host of a Host header in lower case, or null where it is none. */
export function hostOf(header: string | undefined): string | null {
  if (header === undefined || header.length > 300) return null;
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.\-_]+))(?::\d{1,5})?$/.exec(header);
  return match ? (match[1] ?? match[2]).toLowerCase() : null;
}

export function isLoopback(address: string): boolean {
  return /^127\.\d+\.\d+\.\d+$/.test(address) || address === '::1' || address === 'localhost';
}

/**
 * Refuses what another site's page asks for.
 * @param strict also checks Origin: for changes and for connections that stay open
 * @throws TapswitchError E_WEB_ORIGIN
 */
export function checkSite(headers: IncomingHttpHeaders, strict: boolean): void {
  const site = headers['sec-fetch-site'];
  const sameSite = site === undefined || site === 'same-origin' || site === 'none';
  if (sameSite && (!strict || isOwnOrigin(headers))) return;
  throw new TapswitchError('E_WEB_ORIGIN', 'pages of other origins may not ask here');
}

function isOwnOrigin({ origin, host }: IncomingHttpHeaders): boolean {
  if (origin === undefined) return true;
  return origin === `http://${host}` || origin === `https://${host}`;
}

/** The token of an Authorization header, or null. */
export function bearerOf(headers: IncomingHttpHeaders): string | null {
  const header = headers.authorization;
  if (header === undefined || header.length > TOKEN_LENGTH_MAX + 16) return null;
  return /^Bearer ([\x21-\x7e]+)$/i.exec(header)?.[1] ?? null;
}

/** Compares digests, which takes as long for any token. */
export function isToken(token: string | null, { tokenDigest }: AccessRules): boolean {
  if (token === null || tokenDigest === null || token.length > TOKEN_LENGTH_MAX) return false;
  return timingSafeEqual(digestOf(token), tokenDigest);
}

/** @throws TapswitchError E_WEB_TOKEN */
export function checkReader(token: string | null, rules: AccessRules): void {
  if (!rules.tokenToRead || isToken(token, rules)) return;
  throw tokenNeeded();
}

/** @throws TapswitchError E_WEB_READ_ONLY, E_WEB_TOKEN */
export function checkWriter(token: string | null, rules: AccessRules): void {
  if (!rules.write) {
    const hint = 'start it with --write (tapswitch start: --web-write)';
    throw new TapswitchError('E_WEB_READ_ONLY', 'this console changes nothing', hint);
  }
  if (!isToken(token, rules)) throw tokenNeeded();
}

function tokenNeeded(): TapswitchError {
  const hint = 'send it as "Authorization: Bearer TOKEN"';
  return new TapswitchError('E_WEB_TOKEN', 'the token is missing or wrong', hint);
}
