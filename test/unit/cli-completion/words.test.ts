/** Completion: what could stand where the cursor is. */
import { describe, expect, it } from 'vitest';
import { candidates, splitLine } from '../../../src/cli/completion/words.js';

const NAMES: Record<string, string[]> = {
  Bridge: ['br0', 'br1'],
  Port: ['br0', 'p1', 'p2'],
  Interface: ['br0', 'p1', 'p2'],
};
const complete = (line: string): Promise<string[]> =>
  candidates(
    splitLine(line),
    async (table) => NAMES[table] ?? [],
    async () => ['bond/show', 'dpctl/dump-flows', 'dpctl/show'],
  );

describe('candidates', () => {
  it.each([
    ['tapswitch vs', ['vsctl', 'vswitchd']],
    ['tapswitch completion ', ['bash']],
    ['tapswitch ovsdb list-', ['list-columns', 'list-dbs', 'list-tables']],
    [
      'tapswitch vsctl add-',
      ['add-aa-mapping', 'add-bond', 'add-bond-iface', 'add-br', 'add-port', 'add-zone-tp'],
    ],
    ['tapswitch vsctl --may-exist add-br x -- add-po', ['add-port']],
    ['tapswitch vsctl --no-w', ['--no-wait']],
    ['tapswitch vsctl show -- --if-', ['--if-exists']],
    ['tapswitch vsctl del-br ', ['--', 'br0', 'br1']],
    ['tapswitch vsctl del-br br0 ', ['--']],
    ['tapswitch vsctl list-ports br', ['br0', 'br1']],
    ['tapswitch vsctl list Br', ['Bridge']],
    ['tapswitch vsctl set Port p', ['p1', 'p2']],
    ['tapswitch vsctl set Open_vSwitch ', ['--', '.']],
    ['tapswitch vsctl set Port p1 bond_', expect.arrayContaining(['bond_mode=', 'bond_updelay='])],
    ['tapswitch vsctl set Port p1 tag=1 other', ['other_config:']],
    ['tapswitch vsctl get Bridge br0 fail', ['fail_mode']],
    ['tapswitch vsctl nothing ', []],
    ['tapswitch ofctl dump-table', ['dump-table-desc', 'dump-table-features', 'dump-tables']],
    ['tapswitch ofctl --priv', ['--private-key=']],
    ['tapswitch ofctl -O OpenFlow14 mod-t', ['mod-table']],
    ['tapswitch ofctl -O OpenFlow14 dump-flows ', ['br0', 'br1']],
    ['tapswitch ofctl dump-flows br0 ', []],
    ['tapswitch ofctl ofp-parse ', []],
    ['tapswitch bond ', ['watch']],
    ['tapswitch appctl bo', ['bond/show']],
    ['tapswitch appctl bond/show ', []],
    ['tapswitch dpctl -m ', ['dump-flows', 'show']],
    ['tapswitch dpctl show ', []],
  ])('%s', async (line, expected) => {
    expect(await complete(line)).toEqual(expected);
  });
});

describe('splitLine', () => {
  it.each([
    ['a b', ['a', 'b']],
    ['a  b ', ['a', 'b', '']],
    ['a "b c" \'d', ['a', 'b c', 'd']],
    ['a b\\ c', ['a', 'b c']],
  ])('%s', (line, words) => {
    expect(splitLine(line)).toEqual(words);
  });
});
