/**
 * Lists of field names, shortened: `eth_{src,dst}`, `reg0...reg15`.
 */

/** How many characters up to and including an underscore two names share at their beginnings. */
function commonPrefix(a: string, b: string): number {
  let shared = 0;
  for (let i = 0; i < a.length && a[i] === b[i]; i++) if (a[i] === '_') shared = i + 1;
  return shared;
}

/** True for `reg0` and `reg1`. */
function isNext(a: string, b: string): boolean {
  let i = 0;
  while (i < a.length && a[i] === b[i]) i++;
  const [x, y] = [a.slice(i), b.slice(i)];
  return /^\d{1,9}$/.test(x) && /^\d{1,9}$/.test(y) && Number(x) + 1 === Number(y);
}

/** How many names at the beginning count up; two are none. */
function countingRun(names: readonly string[]): number {
  let n = 1;
  while (n < names.length && isNext(names[n - 1], names[n])) n++;
  return n === 2 ? 1 : n;
}

/** How many names at the beginning share more than `skip` characters, and how many they share. */
function prefixRun(names: readonly string[], skip: number): [run: number, shared: number] {
  if (names.length < 2) return [names.length, 0];
  const shared = commonPrefix(names[0].slice(skip), names[1].slice(skip));
  if (shared === 0) return [1, 0];
  let n = 2;
  while (n < names.length && commonPrefix(names[0].slice(skip), names[n].slice(skip)) > 0) n++;
  return [n, shared];
}

/** Names in their order, shortened. @param skip characters that all of them share */
export function shortenNames(names: readonly string[], skip = 0): string {
  const parts: string[] = [];
  for (let left = names; left.length > 0; ) {
    const [shareRun, shared] = prefixRun(left, skip);
    const countRun = countingRun(left);
    const run = Math.max(shareRun, countRun);
    const first = left[0].slice(skip);
    if (countRun >= shareRun)
      parts.push(run > 1 ? `${first}...${left[run - 1].slice(skip)}` : first);
    else {
      const inner = shortenNames(left.slice(0, run), skip + shared);
      parts.push(`${first.slice(0, shared)}{${inner}}`);
    }
    left = left.slice(run);
  }
  return parts.join(skip > 0 ? ',' : ' ');
}
