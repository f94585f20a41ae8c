/**
 * The medians as a picture: a group of bars for each column, a bar for each switch. Plain SVG
 * without scripts or fonts of its own, legible on light and dark ground.
 */
import { type Column, median, type Row } from './table.js';

const BAR_HEIGHT = 22;
const GAP = 6;
const GROUP_HEAD = 34;
const LEFT = 250;
const WIDTH = 640;
const RIGHT = 90;
const OURS = '#2f7d4f';
const OTHERS = '#7a8ca3';
const TEXT = '#6b7280';

/** @param caption a line below: what it was measured on */
export function drawBars(
  columns: readonly Column[],
  rows: readonly Row[],
  caption: string,
): string {
  const groupHeight = GROUP_HEAD + rows.length * (BAR_HEIGHT + GAP);
  const height = columns.length * groupHeight + 40;
  const groups = columns.map((column, at) => group(column, at, rows, at * groupHeight));
  const foot = text(10, height - 12, caption, 'start', 12);
  const size = `width="${LEFT + WIDTH + RIGHT}" height="${height}"`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" ${size} font-family="sans-serif" role="img">`,
    '<title>tapswitch beside other switches</title>',
    ...groups.flat(),
    foot,
    '</svg>\n',
  ].join('\n');
}

function group(column: Column, at: number, rows: readonly Row[], top: number): string[] {
  const values = rows.map((row) => median(row.values[at]));
  const most = Math.max(...values.filter((value) => Number.isFinite(value)), 0);
  const better = column.higherIsBetter ? 'more is better' : 'less is better';
  const lines = [text(10, top + 24, `${column.title} (${better})`, 'start', 15)];
  rows.forEach((row, i) => {
    const y = top + GROUP_HEAD + i * (BAR_HEIGHT + GAP);
    const value = values[i];
    const width = most > 0 && Number.isFinite(value) ? Math.max(1, (WIDTH * value) / most) : 0;
    const colour = row.title.startsWith('tapswitch') ? OURS : OTHERS;
    const box = `width="${width.toFixed(1)}" height="${BAR_HEIGHT}" rx="3" fill="${colour}"`;
    const label = Number.isFinite(value) ? value.toFixed(column.digits) : '-';
    lines.push(
      text(LEFT - 10, y + 16, row.title, 'end', 13),
      `<rect x="${LEFT}" y="${y}" ${box}/>`,
      text(LEFT + width + 8, y + 16, label, 'start', 13),
    );
  });
  return lines;
}

function text(x: number, y: number, words: string, anchor: string, size: number): string {
  const safe = words.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  const place = `x="${x.toFixed(1)}" y="${y}" text-anchor="${anchor}"`;
  return `<text ${place} font-size="${size}" fill="${TEXT}">${safe}</text>`;
}
