#!/usr/bin/env node
/**
 * Builds the console's page with Vite: src/web/page -> dist/web/page.
 *
 * usage: node scripts/build-web.mjs [--if-stale]
 *   --if-stale   do nothing when the page is newer than its sources
 */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const sources = join(root, 'src', 'web', 'page');
const config = join(root, 'vite.config.ts');
const index = join(root, 'dist', 'web', 'page', 'index.html');

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
}
