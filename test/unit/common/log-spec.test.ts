/** The words of vlog/set. */
import { beforeEach, describe, expect, it } from 'vitest';
import { LogHub } from '../../../src/common/log.js';
import { LogPatterns } from '../../../src/common/log-pattern.js';
import { honourRateLimit } from '../../../src/common/log-rate-limit.js';
import { applyLogSpec, listLogLevels, setMaximumVerbosity } from '../../../src/common/log-spec.js';

let hub: LogHub;
let patterns: LogPatterns;

beforeEach(() => {
  hub = new LogHub();
  patterns = new LogPatterns();
  hub.logger('bond');
  hub.logger('ofproto_dpif');
});

const apply = (spec: string): string | null => applyLogSpec(hub, patterns, spec);
const levels = (module: string): string =>
  ['console', 'syslog', 'file'].map((where) => hub.logger(module).level(where)).join(' ');

describe('applyLogSpec', () => {
  it.each([
    ['bond:file:dbg', 'info info dbg', 'info info info'],
    ['dbg,bond', 'dbg dbg dbg', 'info info info'],
    ['ANY:CONSOLE:Err', 'err info info', 'err info info'],
    ['off', 'off off off', 'off off off'],
    ['BOND', 'dbg dbg dbg', 'info info info'],
    ['syslog warn', 'info warn info', 'info warn info'],
  ])('%j', (spec, bond, other) => {
    expect(apply(spec)).toBe(null);
    expect([levels('bond'), levels('ofproto_dpif')]).toEqual([bond, other]);
  });

  it('also holds for modules that come later, when it is for all', () => {
    apply('file:dbg');
    expect(levels('lacp')).toBe('info info dbg');
  });

  it.each([
    ['bond:nonsense', 'no destination, level, or module "nonsense"'],
    ['file:console', 'cannot specify multiple destinations'],
    ['dbg:info', 'cannot specify multiple levels'],
    ['bond:ofproto_dpif', 'cannot specify multiple modules'],
    ['PATTERN', 'missing destination'],
    ['PATTERN:disk:%m', 'unknown destination "disk"'],
    ['FACILITY:nonsense', 'invalid facility'],
  ])('refuses %j and changes nothing', (spec, message) => {
    expect(apply(spec)).toBe(message);
    expect([levels('bond'), levels('ofproto_dpif')]).toEqual(['info info info', 'info info info']);
  });

  it('sets patterns, with the separators that are in them', () => {
    expect(apply('PATTERN:file:%c: %m, %p')).toBe(null);
    expect(patterns.get('file')).toBe('%c: %m, %p');
    expect(apply('pattern:any:%m')).toBe(null);
    expect([patterns.get('file'), patterns.get('console')]).toEqual(['%m', '%m']);
  });

  it('sets the syslog facility', () => {
    expect(apply('FACILITY:local1')).toBe(null);
    expect(patterns.facility).toBe(17 << 3);
  });
});

describe('listLogLevels', () => {
  it('prints the table of vlog/list', () => {
    setMaximumVerbosity(hub);
    apply('bond:emer');
    honourRateLimit(hub.logger('bond'), false);
    expect(listLogLevels(hub)).toBe(
      '                 console    syslog    file\n' +
        '                 -------    ------    ------\n' +
        'bond              EMER       EMER       EMER    (rate limiting disabled)\n' +
        'ofproto_dpif       DBG        DBG        DBG\n',
    );
  });
});
