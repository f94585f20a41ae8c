/**
 * Records as text, in every format.
 */
import { describe, expect, it } from 'vitest';
import { defaultStyle, formatRecords, type RecordTable } from '../../../src/cli/vsctl/table.js';
import { Datum } from '../../../src/ovsdb/datum.js';
import { BaseType, ColumnType, UNLIMITED } from '../../../src/ovsdb/types.js';

const ID = 'aaaaaaaa-0000-4000-8000-000000000001';
const uuid = new ColumnType(new BaseType('uuid'));
const string = new ColumnType(new BaseType('string'));
const strings = new ColumnType(new BaseType('string'), null, 0, UNLIMITED);
const map = new ColumnType(new BaseType('string'), new BaseType('integer'), 0, UNLIMITED);

const table: RecordTable = {
  headings: ['_uuid', 'name', 'tags', 'counts'],
  rows: [
    [
      { datum: new Datum([ID]), type: uuid },
      { datum: new Datum(['a "b", <c>']), type: string },
      { datum: new Datum(['x', 'y']), type: strings },
      { datum: new Datum(['k', 'l'], [1, 9223372036854775807n]), type: map },
    ],
    [
      { datum: new Datum(['0'.repeat(8) + ID.slice(8)]), type: uuid },
      { datum: new Datum(['é']), type: string },
      { datum: new Datum([]), type: strings },
      { datum: new Datum([], []), type: map },
    ],
  ],
};

const text = (style: Partial<ReturnType<typeof defaultStyle>> = {}, first = true) =>
  formatRecords(table, { ...defaultStyle(), ...style }, first);

describe('records', () => {
  it('as a list', () => {
    expect(text()).toBe(
      `_uuid               : ${ID}\n` +
        'name                : "a \\"b\\", <c>"\n' +
        'tags                : [x, y]\n' +
        'counts              : {k=1, l=9223372036854775807}\n' +
        '\n' +
        '_uuid               : 00000000-0000-4000-8000-000000000001\n' +
        'name                : "é"\n' +
        'tags                : []\n' +
        'counts              : {}\n',
    );
  });

  it('bare, without headings', () => {
    expect(text({ cells: 'bare', headings: false })).toBe(
      `${ID}\na "b", <c>\nx y\nk=1 l=9223372036854775807\n\n` +
        '00000000-0000-4000-8000-000000000001\né\n\n\n',
    );
  });

  it('as a table, whose columns count bytes and can be cut', () => {
    const lines = text({ format: 'table', maxColumnWidth: 6 }).split('\n');
    expect(lines).toEqual([
      '_uuid  name   tags   counts',
      '------ ------ ------ ------',
      'aaaaaa "a \\"b [x, y] {k=1,',
      '000000 "é"   []     {}',
      '',
    ]);
    expect(text({ format: 'table', headings: false }).split('\n')[1]).toBe(
      '00000000-0000-4000-8000-000000000001 "é"           []     {}',
    );
  });

  it('as csv', () => {
    expect(text({ format: 'csv' })).toBe(
      '_uuid,name,tags,counts\n' +
        `${ID},"""a \\""b\\"", <c>""","[x, y]","{k=1, l=9223372036854775807}"\n` +
        '00000000-0000-4000-8000-000000000001,"""é""",[],{}\n',
    );
  });

  it('as html, in which UUIDs are links', () => {
    const html = text({ format: 'html', cells: 'bare' });
    expect(html).toContain('    <th>_uuid</th>\n');
    expect(html).toContain(`    <td><a name="${ID}">aaaaaaaa</a></td>\n`);
    expect(html).toContain('    <td>a &quot;b&quot;, &lt;c&gt;</td>\n');
    const links: RecordTable = {
      headings: ['ref'],
      rows: [[{ datum: new Datum([ID]), type: uuid }]],
    };
    const style = { ...defaultStyle(), format: 'html' as const, headings: false };
    expect(formatRecords(links, style, true)).toBe(
      `<table border=1>\n  <tr>\n    <td><a href="#${ID}">aaaaaaaa</a></td>\n  </tr>\n</table>\n`,
    );
  });

  it('as json, whose 64-bit integers are exact', () => {
    const json = text({ format: 'json' });
    expect(json).toMatch(/^\{"data":\[\[\["uuid","aaaa.*"headings":\["_uuid","name","tags"/);
    expect(json).toContain('["map",[["k",1],["l",9223372036854775807]]]');
    const pretty = text({ format: 'json', pretty: true });
    expect(pretty.split('\n').slice(0, 5)).toEqual([
      '{',
      '  "data": [',
      '    [',
      '      [',
      '        "uuid",',
    ]);
    expect(pretty).toContain('9223372036854775807');
  });

  it('of two commands are apart, but not in html and json', () => {
    expect(text({}, false)).toMatch(/^\n_uuid/);
    expect(text({ format: 'csv' }, false)).toMatch(/^\n_uuid/);
    expect(text({ format: 'json' }, false)).toMatch(/^\{/);
    expect(text({ format: 'html' }, false)).toMatch(/^</);
  });

  it('as json cells', () => {
    expect(text({ cells: 'json' })).toContain('tags                : ["set",["x","y"]]\n');
  });
});
