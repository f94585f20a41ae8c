/**
 * What a page must have that nobody sees: names for screen readers, tables that are tables, text
 * that can be read against its ground.
 *
 * Runs inside the browser: `page.evaluate(pageFaults)`.
 */

/** Complaints about the page as it is now; none is the answer that is wanted. */
export function pageFaults(): string[] {
  const CONTRAST_MIN = 4.5;
  const faults: string[] = [];
  const all = (selector: string): HTMLElement[] =>
    [...document.querySelectorAll<HTMLElement>(selector)].filter((element) => {
      const { width, height } = element.getBoundingClientRect();
      return width > 0 && height > 0;
    });
  const place = (element: Element): string =>
    `<${element.tagName.toLowerCase()} class="${element.getAttribute('class') ?? ''}"> ` +
    `"${(element.textContent ?? '').trim().slice(0, 40)}"`;

  const byIds = (ids: string | null): string =>
    (ids ?? '')
      .split(' ')
      .map((id) => document.getElementById(id)?.textContent ?? '')
      .join(' ')
      .trim();
  const nameOf = (element: HTMLElement): string => {
    const label =
      element.getAttribute('aria-label') || byIds(element.getAttribute('aria-labelledby'));
    if (label) return label;
    const labels = (element as HTMLInputElement).labels;
    const own =
      labels === undefined || labels === null ? '' : [...labels].map((l) => l.textContent).join();
    return own || (element.textContent ?? '').trim();
  };
  for (const element of all('a, button, input, select, textarea, dialog, nav, [role=img]')) {
    const field = /^(INPUT|SELECT|TEXTAREA)$/.test(element.tagName);
    const text = field ? nameOf(element).replace(/^\s*$/, '') : nameOf(element);
    if (text === '') faults.push(`no name: ${place(element)}`);
    if (field && element.getAttribute('aria-label') === null) {
      const labels = (element as HTMLInputElement).labels;
      if (labels === null || labels.length === 0) faults.push(`no label: ${place(element)}`);
    }
  }
  const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id);
  for (const id of new Set(ids.filter((id, i) => ids.indexOf(id) !== i))) {
    faults.push(`twice: id ${id}`);
  }
  for (const table of all('table')) {
    const heads = [...table.querySelectorAll('th')];
    if (heads.length === 0) faults.push(`a table without heads: ${place(table)}`);
    for (const head of heads) {
      if (!head.hasAttribute('scope')) faults.push(`a head without scope: ${place(head)}`);
    }
  }
  for (const element of all('[aria-controls], [aria-activedescendant]')) {
    for (const name of ['aria-controls', 'aria-activedescendant']) {
      const id = element.getAttribute(name);
      if (id && !document.getElementById(id)) faults.push(`${name} to nothing: ${place(element)}`);
    }
  }
  if (all('h1').length === 0) faults.push('no h1');
  if (all('main').length !== 1) faults.push('no single main');

  type Rgb = [number, number, number, number];
  const rgb = (text: string): Rgb => {
    const parts = text.match(/[\d.]+/g)?.map(Number) ?? [];
    const scale = text.startsWith('color(srgb') ? 255 : 1;
    const [r, g, b, a = 1] = parts;
    return [r * scale, g * scale, b * scale, a];
  };
  const light = ([r, g, b]: Rgb): number => {
    const [x, y, z] = [r, g, b].map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const groundOf = (from: Element): Rgb => {
    for (let element: Element | null = from; element; element = element.parentElement) {
      const color = rgb(getComputedStyle(element).backgroundColor);
      if (color[3] > 0.99) return color;
    }
    return [255, 255, 255, 1];
  };
  const seen = new Set<string>();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!element || !node.textContent?.trim() || element.closest('noscript, option')) continue;
    if (element.getBoundingClientRect().width <= 1) continue;
    if (element.closest('button:disabled')) continue;
    const { color, visibility } = getComputedStyle(element);
    if (visibility !== 'visible') continue;
    const [ink, ground] = [light(rgb(color)), light(groundOf(element))];
    const contrast = (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05);
    const key = `${color} on ${groundOf(element)}`;
    if (contrast < CONTRAST_MIN && !seen.has(key)) {
      seen.add(key);
      faults.push(`contrast ${contrast.toFixed(2)}: ${key}: ${place(element)}`);
    }
  }
  return faults;
}
