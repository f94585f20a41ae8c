#!/usr/bin/env node
/**
 * Builds the console's page with Vite: src/web/page -> dist/web/page, with the licenses of what is
 * built in.
 *
 * usage: node scripts/build-web.mjs [--if-stale]
 *   --if-stale   do nothing when the page is newer than its sources
 */
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const sources = join(root, 'src', 'web', 'page');
const config = join(root, 'vite.config.ts');
const output = join(root, 'dist', 'web', 'page');
const index = join(output, 'index.html');

/** Packages that become part of the page. */
const BUILT_IN = ['preact', 'uplot', 'cytoscape'];

function upToDate() {
  if (!existsSync(index)) return false;
  const builtAt = statSync(index).mtimeMs;
  const files = readdirSync(sources, { recursive: true, encoding: 'utf8' });
  const all = [config, ...files.map((name) => join(sources, name))];
  return all.every((file) => statSync(file).mtimeMs <= builtAt);
}

if (!process.argv.includes('--if-stale') || !upToDate()) {
  const { build } = await import('vite');
  await build({ configFile: config, logLevel: 'warn' });
  const license = (name) => {
    const text = readFileSync(join(root, 'node_modules', name, 'LICENSE'), 'utf8');
    return `${name}\n\n${text.trim()}\n`;
  };
  writeFileSync(join(output, 'licenses.txt'), BUILT_IN.map(license).join('\n\n'));
}
