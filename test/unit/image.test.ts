/** What the image is built of: all that the build runs gets into it. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readSource, root } from '../support/house.js';

/** Scripts of `npm run build`, and the files beside them that these name. */
function buildFiles(): string[] {
  const { scripts } = JSON.parse(readSource('package.json').text);
  const steps = [...scripts.build.matchAll(/npm run (\S+)/g)].map(([, name]) => scripts[name]);
  const files = new Set(steps.flatMap((step: string) => step.match(/scripts\/\S+/g) ?? []));
  for (const file of files) {
    const { text } = readSource(file);
    for (const [, names] of text.matchAll(/join\(scripts, ([^()]*)\)/g)) {
      files.add(['scripts', ...names.split(', ').map((name) => name.slice(1, -1))].join('/'));
    }
  }
  return [...files];
}

it('the build has every script that it runs', () => {
  const files = buildFiles();
  expect(files).toContain('scripts/lib/bundle-loader.cjs');
  expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([]);
  const kept = new Set(readSource('.dockerignore').text.split('\n'));
  expect(files.filter((file) => !kept.has(`!${file}`))).toEqual([]);
});
