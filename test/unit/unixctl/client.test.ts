/** Finding a daemon's control socket. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UnixctlClient, unixctlPath } from '../../../src/unixctl/client.js';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tapswitch-client-'));
});

afterEach(() => rmSync(directory, { recursive: true }));

describe('unixctlPath', () => {
  it('takes a path as it is', () => {
    expect(unixctlPath('/some/where.ctl', directory)).toBe('/some/where.ctl');
  });

  it('finds the socket of a program by its pid file', () => {
    writeFileSync(join(directory, 'ovs-vswitchd.pid'), `${process.pid}\n`);
    const expected = join(directory, `ovs-vswitchd.${process.pid}.ctl`);
    expect(unixctlPath('ovs-vswitchd', directory)).toBe(expected);
  });

  it.each([
    ['', 'No such process'],
    ['not a number', 'No such process'],
    // The largest pid that a kernel gives is 2^22.
    ['4194305', 'No such process'],
  ])('refuses a pid file that holds %j', (text, reason) => {
    const file = join(directory, 'x.pid');
    writeFileSync(file, text);
    expect(() => unixctlPath('x', directory)).toThrow(`cannot read pidfile "${file}" (${reason})`);
  });

  it('tells of a pid file that is not there', () => {
    expect(() => unixctlPath('x', directory)).toThrow('(No such file or directory)');
  });
});

describe('UnixctlClient', () => {
  it('tells why a socket cannot be reached', async () => {
    const file = join(directory, 'x.ctl');
    await expect(UnixctlClient.connect(file)).rejects.toThrow(
      `cannot connect to "${file}" (No such file or directory)`,
    );
    writeFileSync(file, '');
    await expect(UnixctlClient.connect(file)).rejects.toThrow('(Connection refused)');
  });
});
