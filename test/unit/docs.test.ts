/**
 * The documents as a reader meets them: links lead somewhere, files and scripts that they name are
 * there, and what makes a test run longer is written down.
 */
import { existsSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';
import { filesBelow, readSource, root, type SourceFile } from '../support/house.js';

const pages = [
  ...['README.md', 'ARCHITECTURE.md', 'CHANGELOG.md'].map(readSource),
  ...['docs', 'src', 'native-bindings'].flatMap((folder) => filesBelow(folder, ['.md'])),
];

const withoutExamples = (text: string): string => text.replace(/^( {4}|```)[^\n]*$/gm, '');

/** The names that a page's headings can be linked by. */
function anchors(text: string): Set<string> {
  const headings = [...withoutExamples(text).matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replace(/\s/g, '-'),
  );
  return new Set(headings);
}

/** Links to other places in the checkout that lead nowhere. */
function deadLinks({ path, text }: SourceFile): string[] {
  const links = [...withoutExamples(text).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link);
  return links
    .filter((link) => !/^[a-z]+:/.test(link))
    .filter((link) => {
      const [file, anchor] = link.split('#');
      const target = normalize(join(dirname(path), file));
      if (!existsSync(join(root, target))) return true;
      const linked = file === '' ? text : anchor === undefined ? '' : readSource(target).text;
      return anchor !== undefined && !anchors(linked).has(anchor);
    })
    .map((link) => `${path}: ${link}`);
}

const tests = filesBelow('test', ['.ts']);

/** Files of the checkout that `text` names and that are not there. */
function missingFiles({ path, text }: SourceFile): string[] {
  const named = text.matchAll(/(?<![\w/.-])(?:\.\/)?((?:scripts|test)\/[\w./-]+\.\w+)/g);
  const gone = [...named].map(([, name]) => name).filter((name) => !existsSync(join(root, name)));
  const testNames = [...text.matchAll(/(?<![\w/-])([\w-]+\.test\.ts)/g)].map(([, name]) => name);
  const unknown = testNames.filter((name) => !tests.some((file) => file.path.endsWith(`/${name}`)));
  return [...gone, ...unknown].map((name) => `${path}: ${name}`);
}

describe('documents', () => {
  it('have no link that leads nowhere', () => {
    expect(pages.length).toBeGreaterThan(20);
    expect(pages.flatMap(deadLinks)).toEqual([]);
  });

  it('are all found from the first one', () => {
    const found = new Set(['README.md']);
    for (const path of found) {
      const links = readSource(path).text.matchAll(/\]\(([^)\s#:]+\.md)/g);
      for (const [, link] of links) found.add(normalize(join(dirname(path), link)));
    }
    const all = filesBelow('docs', ['.md']).map(({ path }) => path);
    expect(all.filter((path) => !found.has(path))).toEqual([]);
  });

  it('name no script or test that is not there', () => {
    expect(pages.flatMap(missingFiles)).toEqual([]);
  });

  it('tell what makes tests run longer', () => {
    const guide = readSource('docs/guide-testing.md').text;
    const sizes = tests.flatMap(({ text }) =>
      [...text.matchAll(/Number\(\s*process\.env\.(\w+) \?\?/g)].map(([, name]) => name),
    );
    expect(sizes.length).toBeGreaterThan(10);
    expect(sizes.filter((name) => !guide.includes(`\`${name}\``))).toEqual([]);
  });

  it('are read as readers do', () => {
    const page = (text: string): SourceFile => ({ path: 'docs/x.md', text });
    const links = '[a](errors.md) [b](nix.md) [c](#part-of-it) [d](#nix) [e](https://a.example/)';
    expect(deadLinks(page(`# Part of *it*\n${links}\n    [f](x)`))).toEqual([
      'docs/x.md: nix.md',
      'docs/x.md: #nix',
    ]);
    expect(missingFiles(page('`./scripts/nix.sh`, scripts/test.sh, `nix.test.ts`'))).toEqual([
      'docs/x.md: scripts/nix.sh',
      'docs/x.md: nix.test.ts',
    ]);
  });
});
