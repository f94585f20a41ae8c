/** Rate limits of log messages. */
import { beforeEach, describe, expect, it } from 'vitest';
import { stoppedClock } from '../../../src/common/clock.js';
import { type Logger, LogHub } from '../../../src/common/log.js';
import { honourRateLimit, rateLimited } from '../../../src/common/log-rate-limit.js';

let lines: string[];
let logger: Logger;
let hub: LogHub;

beforeEach(() => {
  lines = [];
  hub = new LogHub();
  hub.sinks.push({
    destination: 'console',
    write: (_sequence, _module, level, message) => lines.push(`${level} ${message}`),
  });
  logger = hub.logger('vconn');
});

describe('rateLimited', () => {
  it('lets a burst through, then as many a minute as it was told', () => {
    const clock = stoppedClock(1_000_000);
    const limited = rateLimited(logger, clock, { burst: 2, perMinute: 6 });
    for (let i = 0; i < 5; i++) limited.warn(`message ${i}`);
    expect(lines).toEqual(['warn message 0', 'warn message 1']);
    clock.advance(9_999);
    limited.warn('too early');
    expect(lines.length).toBe(2);
    clock.advance(1);
    limited.warn('in time');
    expect(lines.slice(2)).toEqual([
      'warn Dropped 4 log messages in last 10 seconds (most recently, 0 seconds ago) ' +
        'due to excessive rate',
      'warn in time',
    ]);
  });

  it('fills up to its burst only, however long it was quiet', () => {
    const clock = stoppedClock();
    const limited = rateLimited(logger, clock, { burst: 3, perMinute: 60 });
    limited.info('first');
    clock.advance(3_600_000);
    for (let i = 0; i < 10; i++) limited.info('again');
    expect(lines.length).toBe(4);
  });

  it('spends nothing on messages that nobody would see', () => {
    const clock = stoppedClock();
    const limited = rateLimited(logger, clock, { burst: 1, perMinute: 1 });
    for (let i = 0; i < 10; i++) limited.dbg('invisible');
    limited.err('visible');
    expect(lines).toEqual(['err visible']);
  });

  it('is off while vlog/disable-rate-limit holds for the module', () => {
    const limited = rateLimited(logger, stoppedClock(), { burst: 1, perMinute: 1 });
    honourRateLimit(logger, false);
    for (let i = 0; i < 4; i++) limited.info('again');
    honourRateLimit(logger, true);
    for (let i = 0; i < 4; i++) limited.info('again');
    expect(lines.length).toBe(5);
  });
});
