/** Command lines as getopt_long reads them. */
import { describe, expect, it } from 'vitest';
import { getopt, type OptionSpec } from '../../../src/cli/getopt.js';

const specs: OptionSpec[] = [
  { name: 'target', short: 't', arg: 'required' },
  { name: 'timeout', short: 'T', arg: 'required' },
  { name: 'help', short: 'h', arg: 'none' },
  { name: 'more', short: 'm', arg: 'none' },
  { name: 'verbose', short: 'v', arg: 'optional' },
  { name: 'pidfile', arg: 'optional' },
];

const parse = (line: string, permute = true): string => {
  const { options, args } = getopt(line.split(' '), specs, permute);
  const shown = options.map(({ name, value }) => (value === undefined ? name : `${name}=${value}`));
  return [...shown, '|', ...args].join(' ');
};

describe('getopt', () => {
  it.each([
    ['-t x show', 'target=x | show'],
    ['-tx show', 'target=x | show'],
    ['--target=x --target y z', 'target=x target=y | z'],
    ['-mmh', 'more more help |'],
    ['-mtx y', 'more target=x | y'],
    ['-vbond:dbg -v info', 'verbose=bond:dbg verbose | info'],
    ['--pidfile unix:db.sock', 'pidfile | unix:db.sock'],
    ['--pidfile=f unix:db.sock', 'pidfile=f | unix:db.sock'],
    ['--pidfile= x', 'pidfile= | x'],
    ['--mo --he', 'more help |'],
    ['show -m dp', 'more | show dp'],
    ['show -- -m', '| show -m'],
    ['- x', '| - x'],
  ])('%j gives %j', (line, expected) => {
    expect(parse(line)).toBe(expected);
  });

  it('stops at the first other argument, where options may not follow', () => {
    expect(parse('-m bond/show -m --x', false)).toBe('more | bond/show -m --x');
  });

  it.each([
    ['-Z', "invalid option -- 'Z'"],
    ['-mZ', "invalid option -- 'Z'"],
    ['--nonsense', "unrecognized option '--nonsense'"],
    ['--nonsense=3', "unrecognized option '--nonsense'"],
    ['--target', "option '--target' requires an argument"],
    ['-t', "option requires an argument -- 't'"],
    ['--help=3', "option '--help' doesn't allow an argument"],
    ['--t=x', "option '--t=x' is ambiguous; possibilities: '--target' '--timeout'"],
  ])('%j is refused: %s', (line, message) => {
    expect(() => parse(line)).toThrow(message);
  });
});
