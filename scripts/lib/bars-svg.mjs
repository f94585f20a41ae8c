/**
 * A picture of bars for documentation: panels side by side, in each a pair of bars for every label.
 *
 *     barsSvg({ names: { ours, theirs }, panels: [{ title, bars: [{ label, ours, theirs }] }] })
 */
const PANEL = { width: 420, height: 240, left: 16, top: 40, bottom: 30 };
const COLUMNS = 2;
const COLOURS = { ours: '#2a7f62', theirs: '#b0b7bf' };

const text = (x, y, words, extra = '') => `<text x="${x}" y="${y}"${extra}>${words}</text>`;

function shown(value) {
  if (!Number.isFinite(value)) return '–';
  if (value >= 100) return Math.round(value).toLocaleString('en');
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function panel({ title, bars }, index) {
  const x = (index % COLUMNS) * PANEL.width + PANEL.left;
  const y = Math.floor(index / COLUMNS) * PANEL.height + PANEL.top;
  const height = PANEL.height - PANEL.bottom - 50;
  const most = Math.max(...bars.flatMap((b) => [b.ours, b.theirs]).filter(Number.isFinite));
  const step = (PANEL.width - 2 * PANEL.left) / bars.length;
  const width = Math.min(step / 3, 60);
  const parts = [text(x, y + 12, title, ' font-weight="bold"')];
  const floor = y + 34 + height;
  for (const [i, bar] of bars.entries()) {
    for (const [j, name] of ['ours', 'theirs'].entries()) {
      const value = bar[name];
      const size = Number.isFinite(value) ? (value / most) * height : 0;
      const left = x + i * step + step / 2 + (j - 1) * width;
      const place = `x="${left.toFixed(1)}" y="${(floor - size).toFixed(1)}"`;
      const area = `width="${(width - 3).toFixed(1)}" height="${size.toFixed(1)}"`;
      parts.push(`<rect ${place} ${area} fill="${COLOURS[name]}"/>`);
      const middle = (left + width / 2).toFixed(1);
      parts.push(
        text(middle, (floor - size - 4).toFixed(1), shown(value), ' text-anchor="middle"'),
      );
    }
    const centre = (x + i * step + step / 2).toFixed(1);
    parts.push(text(centre, floor + 16, bar.label, ' text-anchor="middle"'));
  }
  return parts.join('\n');
}

export function barsSvg({ names, panels }) {
  const width = COLUMNS * PANEL.width;
  const height = Math.ceil(panels.length / COLUMNS) * PANEL.height + PANEL.top;
  const legend = Object.entries(names).map(
    ([key, name], i) =>
      `<rect x="${PANEL.left + i * 140}" y="12" width="12" height="12" fill="${COLOURS[key]}"/>${text(
        PANEL.left + 18 + i * 140,
        22,
        name,
      )}`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" ` +
      'font-family="sans-serif" font-size="12" fill="#222">',
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    ...legend,
    ...panels.map(panel),
    '</svg>\n',
  ].join('\n');
}
