/** The commands that every daemon has: vlog/, time/, coverage/ and memory/. */
import { mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NEVER, stoppedClock, type WarpClock } from '../../../src/common/clock.js';
import { LogHub } from '../../../src/common/log.js';
import { LogPatterns } from '../../../src/common/log-pattern.js';
import { isRateLimitDisabled } from '../../../src/common/log-rate-limit.js';
import { FileSink } from '../../../src/common/log-sinks.js';
import { PollLoop } from '../../../src/common/poll-loop.js';
import { Coverage, registerCoverageCommands } from '../../../src/unixctl/coverage.js';
import { MemoryReport, registerMemoryCommands } from '../../../src/unixctl/memory.js';
import { UnixctlServer } from '../../../src/unixctl/server.js';
import { registerTimeCommands } from '../../../src/unixctl/time-commands.js';
import { registerVlogCommands } from '../../../src/unixctl/vlog-commands.js';

let server: UnixctlServer;
let clock: WarpClock;
const ask = (line: string): Promise<string> => {
  const [command, ...args] = line.split(' ');
  return server.execute(command, args);
};

beforeEach(() => {
  server = new UnixctlServer('');
  clock = stoppedClock(1000);
});

describe('vlog/', () => {
  let hub: LogHub;
  let file: FileSink;
  let directory: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'tapswitch-vlog-'));
    const patterns = new LogPatterns();
    file = new FileSink({ patterns, clock, program: 'test' });
    hub = new LogHub();
    hub.sinks.push(file);
    hub.logger('bond');
    registerVlogCommands(server, { hub, patterns, file });
  });

  afterEach(() => {
    file.close();
    rmSync(directory, { recursive: true });
  });

  it('set takes several specifications, and none for everything', async () => {
    await ask('vlog/set bond:file:warn bond:console:off');
    expect(await ask('vlog/list')).toContain('bond               OFF       INFO       WARN\n');
    await ask('vlog/set');
    expect(await ask('vlog/list')).toContain('bond               DBG        DBG        DBG\n');
  });

  it('set refuses what it does not know', async () => {
    await expect(ask('vlog/set bnod')).rejects.toThrow('no destination, level, or module "bnod"');
  });

  it('rate limits are switched for one module, or all', async () => {
    await ask('vlog/disable-rate-limit BOND');
    expect(isRateLimitDisabled(hub.logger('bond'))).toBe(true);
    await ask('vlog/enable-rate-limit');
    expect(isRateLimitDisabled(hub.logger('bond'))).toBe(false);
    await expect(ask('vlog/disable-rate-limit bnod')).rejects.toThrow('unknown module');
  });

  it('reopen and close handle the log file', async () => {
    await expect(ask('vlog/reopen')).rejects.toThrow('Logging to file not configured');
    const path = join(directory, 'x.log');
    file.open(path);
    renameSync(path, `${path}.1`);
    await ask('vlog/reopen');
    hub.logger('bond').info('after');
    await ask('vlog/close');
    hub.logger('bond').info('lost');
    expect(readFileSync(path, 'utf8')).toMatch(/\|bond\|INFO\|after\n$/);
  });
});

describe('time/warp', () => {
  it('runs the loop at each step and answers at the end', async () => {
    const loop = new PollLoop(clock);
    const turns: number[] = [];
    loop.add({ run: (now) => turns.push(now), nextWake: () => NEVER });
    registerTimeCommands(server, clock, loop);
    expect(await ask('time/warp 250 100')).toBe('warped\n');
    expect(turns).toEqual([1100, 1200, 1250]);
    expect(await ask('time/warp 40')).toBe('warped\n');
    expect(turns.at(-1)).toBe(1290);
  });

  it('refuses times that do not go forward, and a second warp', async () => {
    registerTimeCommands(server, clock, new PollLoop(clock));
    for (const wrong of ['0', '-5', 'soon', '-1 5']) {
      await expect(ask(`time/warp ${wrong}`)).rejects.toThrow('invalid MSECS');
    }
    const first = ask('time/warp 50 1');
    await expect(ask('time/warp 1')).rejects.toThrow('A previous warp in progress');
    await first;
    expect(clock.now()).toBe(1050);
  });
});

describe('coverage/', () => {
  it('shows totals and rates, and counts what never happened', async () => {
    const coverage = new Coverage(clock.now());
    registerCoverageCommands(server, coverage);
    let upcalls = 0;
    coverage.addSource(() => [
      ['dpif_upcall', upcalls],
      ['flow_extract', 0],
    ]);
    coverage.increment('unixctl_received', 3);
    upcalls = 60;
    clock.advance(5000);
    coverage.run(clock.now());
    const text = await ask('coverage/show');
    const title = 'Event coverage, avg rate over last: 5 seconds, last minute, last hour,  hash=';
    expect(text.startsWith(title)).toBe(true);
    expect(text.slice(title.length)).toMatch(/^[0-9a-f]{8}:\n/);
    expect(text).toContain(
      'dpif_upcall               12.0/sec     1.000/sec        0.0167/sec   total: 60\n',
    );
    expect(text).toMatch(/\n1 events never hit\n$/);
    expect(await ask('coverage/read-counter unixctl_received')).toBe('3\n');
    await expect(ask('coverage/read-counter nothing')).rejects.toThrow('No such counter');
  });

  it('forgets rates as time passes, also over a long pause', () => {
    const coverage = new Coverage(clock.now());
    coverage.increment('event', 120);
    clock.advance(5000);
    coverage.run(clock.now());
    clock.advance(60_000);
    coverage.run(clock.now());
    expect(coverage.show()).toMatch(/event +0\.0\/sec +0\.000\/sec +0\.0333\/sec +total: 120\n/);
    clock.advance(10_000_000);
    coverage.run(clock.now());
    expect(coverage.show()).toMatch(/event +0\.0\/sec +0\.000\/sec +0\.0000\/sec +total: 120\n/);
  });
});

describe('memory/show', () => {
  it('adds up what the sources count, by name', async () => {
    const report = new MemoryReport();
    registerMemoryCommands(server, report);
    report.addSource(() => [
      ['rules', 2],
      ['ports', 3],
    ]);
    report.addSource(() => [['rules', 5]]);
    expect(await ask('memory/show')).toBe('ports:3 rules:7\n');
  });
});
