/** Who may ask the console: Host, Origin, tokens, and what it refuses to start as. */
import { describe, expect, it } from 'vitest';
import {
  type AccessOptions,
  accessRules,
  bearerOf,
  checkHost,
  checkReader,
  checkSite,
  checkWriter,
  hostOf,
  isToken,
} from '../../../src/web/http/access.js';

const TOKEN = '0123456789abcdef0123';
const LOOPBACK: AccessOptions = { address: '127.0.0.1', token: null, write: false, allowHosts: [] };

/** The code of the error, or 'allowed'. */
function outcome(act: () => void): string {
  try {
    act();
    return 'allowed';
  } catch (error) {
    return (error as { code: string }).code;
  }
}

describe('a console', () => {
  it('listens elsewhere than on loopback with a token only', () => {
    for (const address of ['0.0.0.0', '::', '192.0.2.1', 'example.org']) {
      const options = { ...LOOPBACK, address };
      expect(outcome(() => accessRules(options))).toBe('E_WEB_TOKEN_NEEDED');
      expect(accessRules({ ...options, token: TOKEN }).tokenToRead).toBe(true);
    }
    for (const address of ['127.0.0.1', '127.1.2.3', '::1', 'localhost']) {
      expect(accessRules({ ...LOOPBACK, address }).tokenToRead).toBe(false);
    }
  });

  it('allows changes with a token only, and none that can be guessed', () => {
    const write = { ...LOOPBACK, write: true };
    expect(outcome(() => accessRules(write))).toBe('E_WEB_TOKEN_NEEDED');
    expect(outcome(() => accessRules({ ...write, token: 'short' }))).toBe('E_WEB_TOKEN_SHORT');
    const blanks = 'a token with blanks in it';
    expect(outcome(() => accessRules({ ...write, token: blanks }))).toBe('E_WEB_TOKEN_FILE');
  });
});

describe('the Host header', () => {
  const rules = accessRules({ ...LOOPBACK, allowHosts: ['Switch.Example'] });
  it.each([
    ['127.0.0.1:8480', 'allowed'],
    ['localhost', 'allowed'],
    ['LOCALHOST:1', 'allowed'],
    ['[::1]:8480', 'allowed'],
    ['switch.example:8480', 'allowed'],
    ['192.0.2.1:8480', 'E_WEB_HOST'],
    ['evil.example', 'E_WEB_HOST'],
    ['127.0.0.1.evil.example', 'E_WEB_HOST'],
    ['127.0.0.1@evil.example', 'E_WEB_HOST'],
    ['', 'E_WEB_HOST'],
    ['x'.repeat(1000), 'E_WEB_HOST'],
  ])('%s is %s on loopback', (host, expected) => {
    expect(outcome(() => checkHost({ host }, rules))).toBe(expected);
  });

  it('may be any address where the console listens to the world, but no name', () => {
    const open = accessRules({ ...LOOPBACK, address: '0.0.0.0', token: TOKEN });
    expect(outcome(() => checkHost({ host: '192.0.2.1:8480' }, open))).toBe('allowed');
    expect(outcome(() => checkHost({ host: 'evil.example' }, open))).toBe('E_WEB_HOST');
    expect(outcome(() => checkHost({}, open))).toBe('E_WEB_HOST');
  });

  it('is read without its port', () => {
    expect(hostOf('[2001:DB8::1]:80')).toBe('2001:db8::1');
    expect(hostOf('a b')).toBeNull();
  });
});

describe('another site', () => {
  const host = '127.0.0.1:8480';
  it.each([
    [{ host }, false, 'allowed'],
    [{ host, 'sec-fetch-site': 'same-origin' }, true, 'allowed'],
    [{ host, 'sec-fetch-site': 'none' }, true, 'allowed'],
    [{ host, 'sec-fetch-site': 'cross-site' }, false, 'E_WEB_ORIGIN'],
    [{ host, 'sec-fetch-site': 'same-site' }, false, 'E_WEB_ORIGIN'],
    [{ host, origin: `http://${host}` }, true, 'allowed'],
    [{ host, origin: 'http://evil.example' }, true, 'E_WEB_ORIGIN'],
    [{ host, origin: 'null' }, true, 'E_WEB_ORIGIN'],
    [{ host, origin: 'http://127.0.0.1:9999' }, true, 'E_WEB_ORIGIN'],
  ])('%j, strict %s: %s', (headers, strict, expected) => {
    expect(outcome(() => checkSite(headers, strict))).toBe(expected);
  });
});

describe('a token', () => {
  const rules = accessRules({ ...LOOPBACK, token: TOKEN, write: true });

  it('is taken from the Authorization header', () => {
    expect(bearerOf({ authorization: `Bearer ${TOKEN}` })).toBe(TOKEN);
    expect(bearerOf({ authorization: `bearer ${TOKEN}` })).toBe(TOKEN);
    for (const authorization of [
      '',
      'Basic eA==',
      'Bearer ',
      'Bearer a b',
      `Bearer ${'x'.repeat(5000)}`,
    ]) {
      expect(bearerOf({ authorization })).toBeNull();
    }
  });

  it('must be the one', () => {
    expect(isToken(TOKEN, rules)).toBe(true);
    for (const other of [null, '', `${TOKEN}x`, TOKEN.slice(1), TOKEN.toUpperCase()]) {
      expect(isToken(other, rules)).toBe(false);
      expect(outcome(() => checkWriter(other, rules))).toBe('E_WEB_TOKEN');
    }
    expect(outcome(() => checkWriter(TOKEN, rules))).toBe('allowed');
  });

  it('gives no right to change what is read-only', () => {
    const readOnly = accessRules({ ...LOOPBACK, token: TOKEN });
    expect(outcome(() => checkWriter(TOKEN, readOnly))).toBe('E_WEB_READ_ONLY');
    expect(outcome(() => checkReader(null, readOnly))).toBe('allowed');
  });
});
