/** The pid file, with a table of locks in place of the kernel's. */
import {
  existsSync,
  fstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PidFile } from '../../../src/cli/daemon/pidfile.js';

let directory: string;
let path: string;
/** Who has which file (by inode) locked. */
let holders: Map<number, number>;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tapswitch-pid-'));
  path = join(directory, 'ovs-vswitchd.pid');
  holders = new Map();
});

afterEach(() => rmSync(directory, { recursive: true }));

const lockAs =
  (pid: number) =>
  (fd: number): number => {
    const { ino } = fstatSync(fd);
    const holder = holders.get(ino);
    if (holder !== undefined && holder !== pid) return holder;
    holders.set(ino, pid);
    return 0;
  };

const acquire = (pid: number, overwrite = false): PidFile =>
  PidFile.acquire(path, { pid, lock: lockAs(pid), overwrite });

/** The file of another process `pid`: alive, it holds the lock. */
function otherProcess(file: string, pid: number, alive: boolean): void {
  writeFileSync(file, `${pid}\n`);
  if (alive) holders.set(statSync(file).ino, pid);
}

describe('PidFile', () => {
  it('holds the pid, in a file that only its holder removes', () => {
    const file = acquire(100);
    expect(readFileSync(path, 'latin1')).toBe('100\n');
    expect(readdirSync(directory)).toEqual(['ovs-vswitchd.pid']);
    file.release();
    expect(readdirSync(directory)).toEqual([]);
    file.release();
  });

  it('refuses a second daemon in the same process', () => {
    const file = acquire(100);
    expect(() => acquire(100)).toThrow('already running as pid 100');
    expect(existsSync(path)).toBe(true);
    file.release();
  });

  it('replaces the file of a process that is gone', () => {
    otherProcess(path, 100, false);
    const file = acquire(200);
    expect(readFileSync(path, 'latin1')).toBe('200\n');
    file.release();
  });

  it('is refused while another process holds it, and left as it is', () => {
    otherProcess(path, 100, true);
    expect(() => acquire(200)).toThrow(
      `${path}: already running as pid 100: run directory ${directory} belongs to it`,
    );
    expect(readFileSync(path, 'latin1')).toBe('100\n');
    expect(readdirSync(directory)).toEqual(['ovs-vswitchd.pid']);
  });

  it('is refused while another process is starting', () => {
    otherProcess(`${path}.tmp`, 100, true);
    expect(() => acquire(200)).toThrow('already running as pid 100');
    expect(existsSync(`${path}.tmp`)).toBe(true);
    expect(existsSync(path)).toBe(false);
  });

  it('is taken from a live process with --overwrite-pidfile', () => {
    otherProcess(path, 100, true);
    const file = acquire(200, true);
    expect(readFileSync(path, 'latin1')).toBe('200\n');
    file.release();
  });

  it('tells when the directory is not there', () => {
    const nowhere = join(directory, 'missing', 'x.pid');
    const open = () => PidFile.acquire(nowhere, { pid: 1, lock: lockAs(1) });
    expect(open).toThrow(expect.objectContaining({ code: 'E_PIDFILE' }));
  });
});
