/** Tunnel options in matches: which are equal, which cover which, and the lengths of a table. */
import { describe, expect, it } from 'vitest';
import { Classifier } from '../../../src/ofproto/classifier.js';
import { TlvTable } from '../../../src/ofproto/tlv-table.js';
import {
  type Match,
  matchAny,
  matchClone,
  matchCovers,
  matchEqual,
} from '../../../src/openflow/match.js';
import { parseFlow } from '../../../src/openflow/syntax/flow-parse.js';
import { formatMatch } from '../../../src/openflow/syntax/match-format.js';
import { NO_NAMES } from '../../../src/openflow/syntax/names.js';
import { fitTunOptions } from '../../../src/openflow/tun-metadata.js';
import { idAfter } from '../../../src/openflow/tun-options.js';
import { newFlow } from '../../../src/packet/flow-layout.js';

const match = (text: string): Match =>
  parseFlow(`${text},actions=drop`, 'add', NO_NAMES).flow.match;
const lengths = (index: number): number | null => (index < 8 ? 4 : null);

function fitted(text: string): Match {
  const m = match(text);
  fitTunOptions(m, lengths);
  return m;
}

describe('equal sets of options', () => {
  it.each([
    ['tun_metadata0=1,tun_metadata1=2', 'tun_metadata1=2,tun_metadata0=1', true],
    ['tun_metadata0=1', 'tun_metadata0=0x0001', true],
    ['tun_metadata0=1', 'tun_metadata0=1/0xffffffff', true],
    ['tun_metadata0=1', 'tun_metadata0=1/0xff', false],
    ['tun_metadata0=1', 'tun_metadata1=1', false],
    ['tun_metadata0', 'tun_metadata0=0', false],
    ['tun_metadata0=1', 'reg0=1', false],
  ])('%s and %s: %s', (a, b, equal) => {
    expect(matchEqual(fitted(a), fitted(b))).toBe(equal);
  });

  it('a copy keeps them', () => {
    const copy = matchClone(fitted('tun_metadata3=0xab/0xff'));
    expect(formatMatch(copy)).toBe('tun_metadata3=0xab/0xff');
  });
});

it.each([
  ['tun_metadata0', 'tun_metadata0=5', true],
  ['tun_metadata0=1/1', 'tun_metadata0=5,tun_metadata1=2', true],
  ['tun_metadata0=5,tun_metadata1=2', 'tun_metadata0=5', false],
  ['tun_metadata0=2/2', 'tun_metadata0=5', false],
  ['tun_metadata0=5,reg0=1', 'tun_metadata0=5,reg0=1,reg1=2', true],
  ['tun_metadata0=5,reg0=1', 'tun_metadata0=5', false],
  ['', 'tun_metadata0=5', true],
])('%s covers %s: %s', (outer, inner, covers) => {
  const wide = outer === '' ? matchAny() : fitted(outer);
  expect(matchCovers(wide, fitted(inner))).toBe(covers);
  const cls = new Classifier<{ match: Match; priority: number }>();
  cls.insert({ match: fitted(inner), priority: 1 });
  expect([...cls.covered(wide)]).toHaveLength(covers ? 1 : 0);
});

it('no packet has options: entries that ask for them are found by their match alone', () => {
  const cls = new Classifier<{ match: Match; priority: number }>();
  const texts = ['tun_metadata0=0', 'tun_metadata0', 'tun_metadata1=0x7', 'tun_metadata1=0x8/0xf8'];
  for (const text of texts) cls.insert({ match: fitted(text), priority: 5 });
  expect(cls.lookup(newFlow(), newFlow())).toBeNull();
  for (const text of texts) {
    expect(formatMatch(cls.find(fitted(text), 5)?.match ?? matchAny())).toBe(text);
  }
  expect([0, 1, 2].map((index) => cls.usesTunOption(index))).toEqual([true, true, false]);
  for (const text of texts) {
    const rule = cls.find(fitted(text), 5);
    expect(rule !== null && cls.remove(rule)).toBe(true);
  }
  expect(cls.usesTunOption(0)).toBe(false);
});

it("numbers of sets fit a word, and are nobody else's when they begin anew", () => {
  expect(idAfter(6, new Set([7, 8]))).toBe(9);
  expect(idAfter(0x7fff_ffff, new Set())).toBe(1);
  expect(idAfter(0x7fff_fffe, new Set([0x7fff_ffff, 1, 2]))).toBe(3);
});

it('a table knows the lengths, refuses options it does not have, and keeps those in use', () => {
  const table = new TlvTable();
  const mapping = { optionClass: 0xffff, optionType: 0, length: 4, index: 2 };
  const request = (command: 'add' | 'delete' | 'clear') => ({
    type: 'nx_tlv_table_mod' as const,
    command,
    mappings: [mapping],
  });
  table.mod(request('add'), () => false);
  const known = match('tun_metadata2=0xab');
  table.fit(known);
  expect(known.tunMetadata?.options[0].value).toEqual(Uint8Array.of(0, 0, 0, 0xab));
  expect(() => table.fit(match('tun_metadata3=1'))).toThrow('NXFMFC_INVALID_TLV_FIELD');
  expect(() => table.mod(request('delete'), (index) => index === 2)).toThrow(
    'NXTTMFC_INVALID_TLV_DEL',
  );
  expect(() => table.mod(request('clear'), (index) => index === 2)).toThrow();
  table.mod(request('clear'), () => false);
  expect(table.reply().mappings).toEqual([]);
});

it.each([
  ['tun_metadata0=1', 'tun_metadata0=2', false],
  ['tun_metadata0=1', 'tun_metadata1=2', true],
  ['tun_metadata0=1', 'tun_metadata0=1,tun_metadata1=7', true],
  ['tun_metadata0=1', 'tun_metadata0=3/0x2', false],
  ['tun_metadata0=1', 'tun_metadata0=3/0x1', true],
  ['tun_metadata0=1', 'tun_metadata0', true],
  ['tun_metadata0=1', 'reg0=1', true],
  ['reg0=1', 'tun_metadata0=1', true],
  ['tun_metadata0=1,reg0=1', 'tun_metadata0,reg0=2', false],
  ['tun_metadata0=1,reg0=1', 'reg0=1', true],
  ['tun_metadata0=1,reg0=1', 'reg0=2', false],
])('%s and %s can be met by one packet: %s', (one, other, meet) => {
  const cls = new Classifier<{ match: Match; priority: number }>();
  const rule = { match: fitted(one), priority: 1 };
  cls.insert(rule);
  expect(cls.overlapping(fitted(other), 1)).toBe(meet ? rule : null);
});
