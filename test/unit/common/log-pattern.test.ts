/** Layout of log lines. */
import { describe, expect, it } from 'vitest';
import { DEFAULT_PATTERNS, formatLogLine, LogPatterns } from '../../../src/common/log-pattern.js';

const record = {
  sequence: 42,
  module: 'bond',
  level: 'warn' as const,
  message: 'member vetha: link down\n\n',
  wallMs: Date.UTC(2026, 0, 2, 3, 4, 5, 67),
  uptimeMs: 1234.9,
  program: 'ovs-vswitchd',
};

describe('formatLogLine', () => {
  it('lays out the defaults as Open vSwitch does', () => {
    expect(formatLogLine(DEFAULT_PATTERNS.file, record)).toBe(
      '2026-01-02T03:04:05.067Z|00042|bond|WARN|member vetha: link down',
    );
    expect(formatLogLine(DEFAULT_PATTERNS.console, record)).toBe(
      '2026-01-02T03:04:05Z|00042|bond|WARN|member vetha: link down',
    );
    expect(formatLogLine(DEFAULT_PATTERNS.syslog, record)).toBe(
      'ovs|00042|bond|WARN|member vetha: link down',
    );
  });

  it.each([
    ['%A %c %p', 'ovs-vswitchd bond WARN'],
    ['[%10c]', '[      bond]'],
    ['[%-10c]', '[bond      ]'],
    ['%3N|%05N|%1N', ' 42|00042|42'],
    ['%r %t%T', '1234 main'],
    ['%P', String(process.pid)],
    ['%B', String((16 << 3) + 4)],
    ['100%% %n.', '100% \n.'],
    ['%D{%b %e %I%p %j}', 'Jan  2 03AM %j'],
    ['%D{#####}', '06700'],
    ['%D', '2026-01-02 03:04:05.067'],
    ['%q', 'q'],
    ['end %', 'end '],
  ])('lays out %j', (pattern, expected) => {
    expect(formatLogLine(pattern, record)).toBe(expected);
  });

  it('never takes text of the message for a pattern', () => {
    const message = '%p %m $& $1 {x}';
    expect(formatLogLine('%m', { ...record, message })).toBe(message);
  });
});

describe('LogPatterns', () => {
  it('lists the patterns as vlog/list-pattern does', () => {
    const patterns = new LogPatterns();
    patterns.set('console', '%m');
    expect(patterns.list()).toBe(
      '         prefix                            format\n' +
        '         ------                            ------\n' +
        'SYSLOG   none                              ovs|%05N|%c%T|%p|%m\n' +
        'CONSOLE  none                              %m\n' +
        'FILE     none                              ' +
        '%D{%Y-%m-%dT%H:%M:%S.###Z}|%05N|%c%T|%p|%m\n',
    );
  });
});
