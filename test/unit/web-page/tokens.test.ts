/** The page's colours: every pair of text and ground can be read, in both themes. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { PLACES } from '../../../src/web/page/places.js';

const css = readFileSync(
  new URL('../../../src/web/page/styles/tokens.css', import.meta.url),
  'utf8',
);
const tokens = new Map(
  [...css.matchAll(/--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)/g)].map(
    ([, name, light, dark]) => [name, [light, dark] as const],
  ),
);

function luminance(color: string): number {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const share = Number.parseInt(color.slice(at, at + 2), 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a: string, b: string): number {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
}

const GROUNDS = ['ground', 'panel', 'raised', 'hover', 'accent-ground'];
const INKS = ['ink', 'ink-soft', 'ink-faint', 'accent'];
const PAIRS = [
  ...INKS.flatMap((ink) => GROUNDS.map((ground) => [ink, ground])),
  ...['ok', 'warn', 'bad'].flatMap((tone) => [
    [tone, `${tone}-ground`],
    [tone, 'panel'],
    ['ink', `${tone}-ground`],
    ['ink-soft', `${tone}-ground`],
  ]),
  ['on-accent', 'accent'],
];

describe('colours', () => {
  it.each(['light', 'dark'])('have a contrast of 4.5 at least (%s)', (theme) => {
    const color = (name: string): string => tokens.get(name)?.[theme === 'light' ? 0 : 1] ?? '';
    const weak = PAIRS.map(([ink, ground]) => ({
      pair: `${ink} on ${ground}`,
      contrast: contrast(color(ink), color(ground)),
    })).filter((found) => !(found.contrast >= 4.5));
    expect(weak).toEqual([]);
  });

  it('of borders of fields can be seen', () => {
    for (const theme of [0, 1]) {
      const [line, panel] = ['line-strong', 'panel'].map((name) => tokens.get(name)?.[theme] ?? '');
      expect(contrast(line, panel)).toBeGreaterThanOrEqual(3);
    }
  });
});

describe('pages', () => {
  it('have a letter each', () => {
    expect(new Set(PLACES.map(({ letter }) => letter)).size).toBe(PLACES.length);
    expect(new Set(PLACES.map(({ name }) => name)).size).toBe(PLACES.length);
  });
});
