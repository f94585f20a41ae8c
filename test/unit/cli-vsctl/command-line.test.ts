/**
 * What is typed: global options, `--` chains, options of commands, and suggestions for mistakes.
 */
import { describe, expect, it } from 'vitest';
import { escapeArgs, parseCommands } from '../../../src/cli/vsctl/command-line.js';
import { COMMAND_TABLE, completionLine } from '../../../src/cli/vsctl/commands.js';
import { connectionErrorText, splitRemotes } from '../../../src/cli/vsctl/connection.js';
import { parseOptions } from '../../../src/cli/vsctl/options.js';
import { bestMatches, closest, editDistance } from '../../../src/cli/vsctl/suggest.js';

const options = (line: string, env = {}) => parseOptions(line.split(' '), COMMAND_TABLE, env);
const commands = (line: string) => {
  const { words, local } = options(line);
  const parsed = parseCommands(words, COMMAND_TABLE, local);
  return parsed.map(({ argv, options: own }) => [Object.fromEntries(own), ...argv]);
};

describe('commands', () => {
  it('are separated by --, each with options of its own', () => {
    expect(commands('add-br br0 -- --may-exist add-port br0 p0 tag=1 -- -- list-br')).toEqual([
      [{}, 'add-br', 'br0'],
      [{ '--may-exist': null }, 'add-port', 'br0', 'p0', 'tag=1'],
      [{}, 'list-br'],
    ]);
  });

  it('may have the options of the first one among the global options', () => {
    expect(commands('--columns=name --no-wait --if-exists -- list Port p0')).toEqual([
      [{ '--columns': 'name', '--if-exists': null }, 'list', 'Port', 'p0'],
    ]);
    expect(commands('--columns name list Port')).toEqual([
      [{ '--columns': 'name' }, 'list', 'Port'],
    ]);
  });

  it.each([
    ['--no-wait', 'missing command name (use --help for help)'],
    ['--if-exists --', 'missing command name (use --help for help)'],
    ['list-br -- --real', 'missing command name (use --help for help)'],
    ['lst-br', "unknown command 'lst-br'; use --help for help"],
    ['--if-exists list-br', "'list-br' command has no '--if-exists' option"],
    ['show -- --columns list x', "missing argument to '--columns' option on 'list' command"],
    ['show -- --real=1 list-br', "'--real' option on 'list-br' does not accept an argument"],
    ['show -- --real --real list-br', "'--real' option specified multiple times"],
    ['del-br', "'del-br' command requires at least 1 arguments"],
    ['del-br a b', "'del-br' command takes at most 1 arguments"],
    [
      'del-br a --if-exists',
      "'del-br' command takes at most 1 arguments (note that options must precede command " +
        'names and follow a "--" argument)',
    ],
  ])('%s', (line, message) => {
    expect(() => commands(line)).toThrow(expect.objectContaining({ message }));
  });
});

describe('global options', () => {
  it('have defaults from the environment', () => {
    expect(options('show')).toMatchObject({
      db: 'unix:/var/run/openvswitch/db.sock',
      wait: true,
      timeoutSeconds: 0,
      style: { format: 'list', cells: 'string', headings: true },
    });
    const env = { OVS_RUNDIR: '/r', OVS_CTL_TIMEOUT: '9' };
    expect(options('show', env)).toMatchObject({ db: 'unix:/r/db.sock', timeoutSeconds: 9 });
    expect(options('-t5 show', env).timeoutSeconds).toBe(5);
  });

  it('are all read', () => {
    const line = '--db=tcp:h:1 --no-wait --dry-run --oneline --retry -f csv -d bare --pretty';
    expect(options(`${line} --no-headings --max-column-width=9 -vdbg show`)).toMatchObject({
      ...{ db: 'tcp:h:1', wait: false, dryRun: true, oneline: true, retry: true },
      style: { format: 'csv', cells: 'bare', headings: false, pretty: true, maxColumnWidth: 9 },
      verbosity: ['dbg'],
      words: ['show'],
    });
    expect(options('--bare show').style).toMatchObject({ format: 'list', cells: 'bare' });
    expect(options('-p k -c c -C a show').tls).toEqual({
      ...{ privateKey: 'k', certificate: 'c', caCert: 'a' },
    });
    expect(options('-V show').action).toBe('version');
  });

  it.each([
    ['-t 0 show', 'value 0 on -t or --timeout is invalid'],
    ['-f xml show', 'unknown output format "xml"'],
    ['-d xml show', 'unknown data format "xml"'],
    ['--nope show', "unrecognized option '--nope'"],
  ])('%s', (line, message) => {
    expect(() => options(line)).toThrow(expect.objectContaining({ message }));
  });
});

describe('what completion reads', () => {
  const line = (name: string) => completionLine(COMMAND_TABLE.get(name)!).trimEnd();

  it('marks arguments as required, optional or repeated', () => {
    expect(line('add-br')).toBe('[--may-exist] ,add-br,!NEW-BRIDGE ?PARENT ?NEW-VLAN');
    expect(line('add-bond')).toBe(
      '[--may-exist] [--fake-iface] ,add-bond,!BRIDGE !BOND +IFACE *COLUMN?:KEY=VALUE',
    );
    expect(line('add')).toBe('[--if-exists] ,add,!TABLE !RECORD !COLUMN +?KEY=VALUE');
    expect(line('show')).toBe(',show,');
  });
});

describe('suggestions', () => {
  it('abbreviate names, whatever the case, and - for _', () => {
    const names = ['fail_mode', 'flood_vlans', 'flow_tables', 'Fail'];
    expect(bestMatches(names, 'fail-m')).toEqual(['fail_mode']);
    expect(bestMatches(names, 'FAIL')).toEqual(['Fail']);
    expect(bestMatches(names, 'flo')).toEqual(['flood_vlans', 'flow_tables']);
    expect(bestMatches(names, 'x')).toEqual([]);
    expect(bestMatches(names, '')).toEqual([]);
  });

  it('are few edits away', () => {
    expect(editDistance('add-br', 'ad-br')).toBe(1);
    expect(editDistance('bridge', 'brigde')).toBe(1);
    expect(editDistance('', 'abc')).toBe(3);
    expect(closest(COMMAND_TABLE.keys(), 'add-prot')).toBe('add-port');
    expect(closest(COMMAND_TABLE.keys(), 'add-bridge')).toBe('add-br');
    expect(closest(COMMAND_TABLE.keys(), 'list-interfaces')).toBe('list-ifaces');
    expect(closest(COMMAND_TABLE.keys(), 'list-bridges')).toBe('list-br');
    expect(closest(COMMAND_TABLE.keys(), 'frobnicate')).toBeNull();
    expect(closest(['x'], 'x'.repeat(1000))).toBeNull();
  });
});

describe('words', () => {
  it('are quoted only where they must be', () => {
    expect(escapeArgs(['a', 'b c', 'd"e', 'f\\'])).toBe('a "b c" "d\\"e" "f\\\\"');
  });

  it('of --db are remotes', () => {
    expect(splitRemotes('tcp:a:1,ssl:b:2,unix:/x,y', false)).toEqual([
      ...['tcp:a:1', 'ssl:b:2', 'unix:/x,y'],
    ]);
    expect(splitRemotes('tcp:a:1,tcp:b:2', true).sort()).toEqual(['tcp:a:1', 'tcp:b:2']);
  });

  it('say why a connection failed as the C library does', () => {
    const failure = Object.assign(new Error('connect ENOENT /x'), { code: 'ENOENT' });
    expect(connectionErrorText(failure)).toBe('No such file or directory');
    expect(connectionErrorText(new Error('else'))).toBe('else');
  });
});
