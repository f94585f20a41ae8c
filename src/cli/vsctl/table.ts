/**
 * Tables of records as text: ovs-vsctl's five formats.
 *
 *     list    one `column: value` per line, records apart by an empty line (the default)
 *     table   columns under headings        html    csv    json (RFC 7047 values)
 *
 * Not for: which records (record-commands.ts, ../ovsdb).
 */

import type { JsonValue } from '../../common/json.js';
import { stringifyJson } from '../../common/json.js';
import type { Atom } from '../../ovsdb/atom.js';
import { atomToText } from '../../ovsdb/atom.js';
import type { Datum } from '../../ovsdb/datum.js';
import { sortedText } from '../../ovsdb/error.js';
import type { BaseType, ColumnType } from '../../ovsdb/types.js';

export const TABLE_FORMATS = ['table', 'list', 'html', 'csv', 'json'] as const;
export type TableFormat = (typeof TABLE_FORMATS)[number];
export const CELL_FORMATS = ['string', 'bare', 'json'] as const;
export type CellFormat = (typeof CELL_FORMATS)[number];

export interface TableStyle {
  format: TableFormat;
  cells: CellFormat;
  headings: boolean;
  /** Indent JSON. */
  pretty: boolean;
  /** Longest column in format `table`; 0: any. */
  maxColumnWidth: number;
}

export function defaultStyle(): TableStyle {
  return { format: 'list', cells: 'string', headings: true, pretty: false, maxColumnWidth: 0 };
}

export interface Cell {
  readonly datum: Datum;
  readonly type: ColumnType;
}

/** A cell that is just text, the same in every format. */
export interface TextCell {
  readonly text: string;
}

export interface RecordTable {
  readonly caption?: string;
  readonly headings: readonly string[];
  readonly rows: (Cell | TextCell)[][];
}

function bareAtom(base: BaseType, atom: Atom): string {
  return base.type === 'string' ? String(atom) : atomToText(base.type, atom);
}

/** A value without brackets, commas and quotes, for scripts. */
export function bareText({ datum, type }: Cell): string {
  const members = datum.keys.map((key, i) => {
    const text = bareAtom(type.key, key);
    if (!type.value || !datum.values) return text;
    return `${text}=${bareAtom(type.value, datum.values[i])}`;
  });
  return members.join(' ');
}

function cellText(cell: Cell | TextCell, style: TableStyle): string {
  if ('text' in cell) return cell.text;
  if (style.cells === 'json') return sortedText(cell.datum.toJson(cell.type));
  return style.cells === 'bare' ? bareText(cell) : cell.datum.toText(cell.type);
}

/** Without the spaces at the end of the line. */
function line(words: string[]): string {
  return `${words.join(' ').replace(/ +$/, '')}\n`;
}

function byteLength(text: string): number {
  return Buffer.byteLength(text);
}

/** `text` cut and filled to `width` bytes, as printf's %-*.*s counts. */
function padCut(text: string, width: number): string {
  const length = byteLength(text);
  if (length <= width) return text + ' '.repeat(width - length);
  return Buffer.from(text).subarray(0, width).toString();
}

function captionLine({ caption }: RecordTable): string {
  return caption === undefined ? '' : `${caption}\n`;
}

function formatTable(table: RecordTable, style: TableStyle): string {
  const texts = table.rows.map((row) => row.map((cell) => cellText(cell, style)));
  const widths = table.headings.map((heading, x) => {
    let width = texts.reduce((widest, row) => Math.max(widest, byteLength(row[x])), 0);
    if (style.maxColumnWidth > 0) width = Math.min(width, style.maxColumnWidth);
    return style.headings ? Math.max(width, heading.length) : width;
  });
  let out = captionLine(table);
  if (style.headings) {
    out += line(table.headings.map((heading, x) => padCut(heading, widths[x])));
    out += line(widths.map((width) => '-'.repeat(width)));
  }
  for (const row of texts) out += line(row.map((text, x) => padCut(text, widths[x])));
  return out;
}

function formatList(table: RecordTable, style: TableStyle): string {
  const records = table.rows.map((row) => {
    const lines = row.map((cell, x) => {
      const heading = style.headings ? `${table.headings[x].padEnd(20)}: ` : '';
      return `${heading}${cellText(cell, style)}\n`;
    });
    return lines.join('');
  });
  return captionLine(table) + records.join('\n');
}

const HTML_ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
};

function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (c) => HTML_ENTITIES[c]);
}

const UUIDS = /([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/gi;

/** A cell in which every UUID links to the record that it names. */
function htmlCell(element: string, text: string): string {
  const content = text
    .split(UUIDS)
    .map((part, i) =>
      i % 2 === 1 ? `<a href="#${part}">${part.slice(0, 8)}</a>` : escapeHtml(part),
    );
  return `    <${element}>${content.join('')}</${element}>\n`;
}

function formatHtml(table: RecordTable, style: TableStyle): string {
  let out = '<table border=1>\n';
  if (table.caption !== undefined) out += htmlCell('caption', table.caption);
  if (style.headings) {
    const headings = table.headings.map((heading) => htmlCell('th', heading));
    out += `  <tr>\n${headings.join('')}  </tr>\n`;
  }
  for (const row of table.rows) {
    const cells = row.map((cell, x) => {
      const text = cellText(cell, style);
      if (table.headings[x] !== '_uuid') return htmlCell('td', text);
      const name = escapeHtml(text);
      return `    <td><a name="${name}">${escapeHtml(text.slice(0, 8))}</a></td>\n`;
    });
    out += `  <tr>\n${cells.join('')}  </tr>\n`;
  }
  return `${out}</table>\n`;
}

function csvCell(text: string): string {
  return /[\n",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function formatCsv(table: RecordTable, style: TableStyle): string {
  const lines = table.rows.map((row) => row.map((cell) => csvCell(cellText(cell, style))));
  if (style.headings) lines.unshift(table.headings.map(csvCell));
  return captionLine(table) + lines.map((cells) => `${cells.join(',')}\n`).join('');
}

/** JSON text over several lines, two spaces a level; BigInts included. */
function prettyJson(json: JsonValue, indent = ''): string {
  const inner = `${indent}  `;
  if (Array.isArray(json)) {
    if (json.length === 0) return '[]';
    const elements = json.map((element) => inner + prettyJson(element, inner));
    return `[\n${elements.join(',\n')}]`;
  }
  if (typeof json !== 'object' || json === null) return stringifyJson(json);
  const members = Object.entries(json).map(
    ([key, value]) => `${inner}${JSON.stringify(key)}: ${prettyJson(value, inner)}`,
  );
  return members.length === 0 ? '{}' : `{\n${members.join(',\n')}}`;
}

function formatJson(table: RecordTable, style: TableStyle): string {
  const value = (cell: Cell | TextCell): JsonValue =>
    'text' in cell ? cell.text : cell.datum.toJson(cell.type);
  const data = table.rows.map((row) => row.map(value));
  const json: { [key: string]: JsonValue } = {};
  if (table.caption !== undefined) json.caption = table.caption;
  Object.assign(json, { data, headings: [...table.headings] });
  return `${style.pretty ? prettyJson(json) : stringifyJson(json)}\n`;
}

const FORMATTERS: Record<TableFormat, (table: RecordTable, style: TableStyle) => string> = {
  table: formatTable,
  list: formatList,
  html: formatHtml,
  csv: formatCsv,
  json: formatJson,
};

/** The text of `table`. `first`: false if another table was printed before it. */
export function formatRecords(table: RecordTable, style: TableStyle, first: boolean): string {
  const apart = !first && style.format !== 'html' && style.format !== 'json';
  return (apart ? '\n' : '') + FORMATTERS[style.format](table, style);
}
