/**
 * Addresses inside the page: `#/flows/br1?table=0&filter=tcp`.
 *
 *     name   path          query
 *     flows  ['br1']       { table: '0', filter: 'tcp' }
 */

export interface Route {
  name: string;
  path: string[];
  query: Record<string, string>;
}

export const HOME = 'overview';

/** A part of an address that somebody typed wrongly is taken as it stands. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function parseRoute(hash: string): Route {
  const [place, search = ''] = hash.replace(/^#?\/?/, '').split(/\?(.*)/s);
  const [name, ...path] = place.split('/').filter(Boolean).map(decode);
  return { name: name ?? HOME, path, query: Object.fromEntries(new URLSearchParams(search)) };
}

export type Query = Record<string, string | number | boolean | null | undefined>;

/** What is empty is left out. */
export function href(name: string, path: readonly string[] = [], query: Query = {}): string {
  const place = [name, ...path].map(encodeURIComponent).join('/');
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value === undefined || value === null || value === '' || value === false) continue;
    search.set(key, String(value));
  }
  const text = search.toString();
  return `#/${place}${text === '' ? '' : `?${text}`}`;
}
