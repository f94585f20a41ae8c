#!/usr/bin/env node
/**
 * Builds the native addon with node-gyp, from Node's own headers where they are installed, so that
 * no network is needed; otherwise node-gyp fetches them.
 *
 * usage: node scripts/build-native.mjs [--if-stale]
 *   --if-stale   do nothing when the addon is newer than its sources and made for this Node.js
 */
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const addon = join(root, 'native-bindings');
const output = join(addon, 'build', 'Release');
const stamp = join(output, '.node-version');
const sourcePattern = /\.(cc|cpp|c|h|hpp|gyp|gypi)$/;

/** Where headers of exactly this Node.js lie: beside the binary, or Debian's libnode-dev. */
function headersDir() {
  const beside = dirname(dirname(realpathSync(process.execPath)));
  return [beside, '/usr'].find((dir) => headersVersion(dir) === process.versions.node);
}

function headersVersion(dir) {
  const file = join(dir, 'include', 'node', 'node_version.h');
  if (!existsSync(file) || !existsSync(join(dir, 'include', 'node', 'common.gypi')))
    return undefined;
  const text = readFileSync(file, 'utf8');
  const part = (name) => text.match(new RegExp(`#define NODE_${name}_VERSION (\\d+)`))?.[1];
  return [part('MAJOR'), part('MINOR'), part('PATCH')].join('.');
}

function sources(dir) {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) return entry.name === 'build' ? [] : sources(path);
    return sourcePattern.test(entry.name) ? [path] : [];
  });
}

/** True when a finished build is there, newer than every source, made for this Node.js. */
function upToDate() {
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== process.version) return false;
  const built = readdirSync(output).find((name) => name.endsWith('.node'));
  if (built === undefined) return false;
  const builtAt = statSync(stamp).mtimeMs;
  return sources(addon).every((file) => statSync(file).mtimeMs <= builtAt);
}

function main() {
  if (process.argv.includes('--if-stale') && upToDate()) return 0;
  const headers = headersDir();
  console.log(
    headers === undefined
      ? '==> building the native addon (node-gyp fetches the headers of Node.js)'
      : `==> building the native addon (headers in ${join(headers, 'include', 'node')})`,
  );
  const nodeGyp = createRequire(import.meta.url).resolve('node-gyp/bin/node-gyp.js');
  const args = [nodeGyp, 'rebuild', '--directory', addon, '--loglevel', 'error'];
  if (headers !== undefined) args.push(`--nodedir=${headers}`);
  const result = spawnSync(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  if (result.status !== 0) {
    process.stdout.write(result.stdout ?? '');
    console.error('error: the native addon was not built (its compiler output stands above)');
    return 1;
  }
  writeFileSync(stamp, process.version);
  return 0;
}

process.exitCode = main();
