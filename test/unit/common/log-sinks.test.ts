/** Log lines in files: rotation, and a disk that is full. */
import { closeSync, mkdtempSync, openSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WarpClock } from '../../../src/common/clock.js';
import { LogHub } from '../../../src/common/log.js';
import { LogPatterns } from '../../../src/common/log-pattern.js';
import { ConsoleSink, FileSink } from '../../../src/common/log-sinks.js';

let directory: string;
let sink: FileSink;
const hub = new LogHub();
const clock = new WarpClock(
  () => 0,
  () => Date.UTC(2026, 0, 1),
);
const options = { patterns: new LogPatterns(), clock, program: 'test' };

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tapswitch-log-'));
  sink = new FileSink(options);
  hub.sinks.splice(0, hub.sinks.length, sink);
});

afterEach(() => {
  sink.close();
  rmSync(directory, { recursive: true });
});

const read = (path: string): string => readFileSync(path, 'utf8');

describe('FileSink', () => {
  it('writes nothing before it is open, and appends after', () => {
    const path = join(directory, 'a.log');
    hub.logger('bond').info('lost');
    sink.open(path);
    hub.logger('bond').info('kept');
    expect(read(path)).toMatch(/^2026-01-01T00:00:00\.000Z\|\d{5}\|bond\|INFO\|kept\n$/);
    sink.close();
    hub.logger('bond').info('lost again');
    expect(sink.reopen()).toBe(true);
    hub.logger('bond').info('kept too');
    expect(read(path).trim().split('\n').length).toBe(2);
  });

  it('follows a rotation on reopen(), and stays with the file without one', () => {
    const path = join(directory, 'a.log');
    sink.open(path);
    hub.logger('bond').info('one');
    sink.reopen();
    hub.logger('bond').info('two');
    renameSync(path, `${path}.1`);
    sink.reopen();
    hub.logger('bond').info('three');
    expect(read(`${path}.1`)).toMatch(/one\n.*two\n$/);
    expect(read(path)).toMatch(/three\n$/);
  });

  it('has nothing to reopen where no file was configured', () => {
    expect(sink.reopen()).toBe(false);
  });

  it('keeps the file before when the new one cannot be opened', () => {
    const path = join(directory, 'a.log');
    sink.open(path);
    expect(() => sink.open(join(directory, 'missing', 'b.log'))).toThrow(/ENOENT/);
    hub.logger('bond').info('still here');
    expect(read(path)).toMatch(/still here/);
  });

  it('counts lines that a full disk refuses, and goes on', () => {
    sink.open('/dev/full');
    expect(() => hub.logger('bond').info('no room')).not.toThrow();
    expect(sink.failedWrites).toBe(1);
  });
});

describe('ConsoleSink', () => {
  it('survives a terminal that is gone', () => {
    const fd = openSync(join(directory, 'tty'), 'w');
    const consoleSink = new ConsoleSink(options, fd);
    hub.sinks.push(consoleSink);
    closeSync(fd);
    expect(() => hub.logger('bond').info('nobody reads')).not.toThrow();
    expect(consoleSink.failedWrites).toBe(1);
  });
});
