/**
 * Reads the checkout's own source for the tidy test: which files there are, what each imports, and
 * what stands in it besides comments and strings.
 *
 * Not for: which rules hold (test/unit/house.test.ts).
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** A file of the checkout; `path` is relative to its root. */
export interface SourceFile {
  path: string;
  text: string;
}

/** All files below `folder` whose names end in one of `endings`. */
export function filesBelow(folder: string, endings: string[]): SourceFile[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => endings.some((ending) => path.endsWith(ending)))
    .filter((path) => !/(^|\/)(node_modules|build|dist)\//.test(path))
    .filter((path) => statSync(join(root, path)).isFile())
    .sort()
    .map(readSource);
}

export function readSource(path: string): SourceFile {
  return { path, text: readFileSync(join(root, path), 'utf8') };
}

/** The relative modules that `file` loads, as paths of their .ts files. */
export function localImports(file: SourceFile): string[] {
  const specifier =
    /(?:\bfrom\s+|\bimport\s*\(\s*|^import\s+|\bnew URL\(\s*)'(\.{1,2}\/[^']+\.js)'/gm;
  return [...withoutComments(file.text).matchAll(specifier)].map(([, name]) =>
    relative(root, normalize(join(root, dirname(file.path), name.replace(/\.js$/, '.ts')))),
  );
}

const TOKENS =
  /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/g;

/** `text` with comments blanked out; lines keep their numbers. */
export function withoutComments(text: string): string {
  return text.replace(TOKENS, (token) => (token.startsWith('/') ? blank(token) : token));
}

/** `text` with comments and strings blanked out: what is left is code. */
export function codeOnly(text: string): string {
  return text.replace(TOKENS, (token) => (token.startsWith('/') ? blank(token) : `''`));
}

function blank(token: string): string {
  return token.replace(/[^\n]/g, ' ');
}

/** The line number of `index` in `text`, from 1. */
export function lineOf(text: string, index: number): number {
  return text.slice(0, index).split('\n').length;
}

/** `path:line: why` for every match of `pattern` in `text`. */
export function complaints(path: string, text: string, pattern: RegExp, why: string): string[] {
  return [...text.matchAll(pattern)].map(
    (match) => `${path}:${lineOf(text, match.index)}: ${why}: ${match[0].trim()}`,
  );
}

/** The files among `all` that no chain of imports from `entries` reaches. */
export function unreachable(all: SourceFile[], entries: string[]): string[] {
  const byPath = new Map(all.map((file) => [file.path, file]));
  const reached = new Set<string>();
  const waiting = entries.filter((path) => byPath.has(path));
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (reached.has(path)) continue;
    reached.add(path);
    const file = byPath.get(path);
    if (file) waiting.push(...localImports(file).flatMap(orTsx));
  }
  return all.map(({ path }) => path).filter((path) => !reached.has(path));
}

/** '.js' in an import may mean a file of either kind. */
function orTsx(path: string): string[] {
  return [path, path.replace(/\.ts$/, '.tsx')];
}

/** Marks a file whose functions run for every packet; stands on a line of its own. */
export const HOT_PATH_MARKER = /^\/\/ hot path$/m;

const HOT_PATH_BANS: [RegExp, string][] = [
  [/=>|\bfunction\s*\(/g, 'closure'],
  [/\bnew\s+(?:Weak)?(?:Map|Set)\b/g, 'Map or Set'],
  [/\bBigInt\b|\b\d+n\b|\bBig(?:Ui|I)nt64Array\b/g, 'BigInt'],
  [/\btry\s*\{|\bthrow\b/g, 'exception'],
];

/**
 * What a file of the packet path must not contain. Constructors, and functions whose docstring
 * begins with 'Setup', run before packets do and are exempt.
 */
export function hotPathComplaints(file: SourceFile): string[] {
  const code = codeOnly(blankSetup(file.text));
  return HOT_PATH_BANS.flatMap(([pattern, why]) => complaints(file.path, code, pattern, why));
}

/** `text` without the bodies of constructors and of functions marked as setup. */
function blankSetup(text: string): string {
  const code = codeOnly2(text);
  const head = /\bconstructor\s*\(/g;
  const setup = /\/\*\* Setup\b[\s\S]*?\*\//g;
  const starts = [
    ...[...code.matchAll(head)].map((match) => match.index),
    ...[...text.matchAll(setup)].map((match) => match.index + match[0].length),
  ];
  let result = text;
  for (const start of starts) {
    const end = endOfBlock(code, start);
    result = result.slice(0, start) + blank(result.slice(start, end)) + result.slice(end);
  }
  return result;
}

/** As codeOnly, with strings blanked at their length, so that places stay the same. */
function codeOnly2(text: string): string {
  return text.replace(TOKENS, blank);
}

/** Index after the first block in braces that begins at or after `start`, past its parameters. */
function endOfBlock(code: string, start: number): number {
  let parens = 0;
  let braces = 0;
  for (let i = start; i < code.length; i++) {
    const char = code[i];
    if (char === '(') parens += 1;
    else if (char === ')') parens -= 1;
    else if (char === '{' && parens === 0) braces += 1;
    else if (char === '}' && parens === 0) {
      braces -= 1;
      if (braces === 0) return i + 1;
    }
  }
  return code.length;
}
