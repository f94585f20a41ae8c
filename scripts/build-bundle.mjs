#!/usr/bin/env node
/**
 * Puts the program into few files, so that it starts soon: src/ -> dist/bundle/*.cjs, and what the
 * engine compiles of them (build-cache.mjs).
 *
 *     main.cjs    the command line
 *     worker.cjs  a forwarding worker (run-worker.cjs is what a thread is started with)
 *     others      what commands share, and commands by themselves
 *
 * Loading hundreds of modules one by one takes Node.js 0.4 s of CPU time for a switch, and 0.1 s
 * for vsctl. The modules that `tsc` makes stay what libraries, tests and a stale build use.
 *
 * usage: node scripts/build-bundle.mjs [--if-stale]
 *   --if-stale   do nothing when the bundles are newer than the modules that tsc made last
 *
 * Not for: checking types (tsc), the console's page (build-web.mjs).
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const scripts = dirname(fileURLToPath(import.meta.url));
const root = dirname(scripts);
const source = join(root, 'src');
const output = join(root, 'dist', 'bundle');

/** What is started often, or has to start soon: it loads no more than it needs. */
const FAMILIES = {
  main: ['cli/main.ts'],
  daemon: [
    'vswitchd/daemon.ts',
    'cli/start/index.ts',
    'cli/vswitchd/index.ts',
    'cli/ovsdb-server/index.ts',
  ],
  vsctl: ['cli/vsctl/index.ts'],
  ofctl: ['cli/ofctl/index.ts'],
  appctl: ['cli/appctl/index.ts', 'cli/dpctl/index.ts'],
  worker: ['datapath/worker.ts'],
};

/** Families by module: those that load it when they start. */
function membership(getModuleInfo) {
  const families = new Map();
  for (const [family, entries] of Object.entries(FAMILIES)) {
    const waiting = entries.map((name) => join(source, name));
    const seen = new Set();
    for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
      if (seen.has(id) || !id.startsWith(source)) continue;
      seen.add(id);
      families.set(id, [...(families.get(id) ?? []), family]);
      waiting.push(...getModuleInfo(id).importedIds);
    }
  }
  return families;
}

/** The file for what these families share. Whatever a module imports is in its file or above. */
function fileFor(families) {
  if (families.includes('worker')) {
    return families.length > 2 ? 'packet' : families.length > 1 ? 'datapath' : 'worker';
  }
  if (families.includes('main') || families.length > 2) return 'base';
  return families.join('-');
}

let families = null;

/** What is peculiar to these bundles: they are functions, in ASCII, and modules know their place. */
const bundleFormat = {
  name: 'tapswitch-bundle',
  resolveImportMeta(property, { moduleId }) {
    const place = relative(source, moduleId).replace(/\.ts$/, '.js');
    if (property === 'url') return `__placeOf(${JSON.stringify(place)})`;
    return property === 'bundle' ? '__bundle' : null;
  },
  generateBundle(_options, bundle) {
    for (const chunk of Object.values(bundle)) {
      if (chunk.type === 'chunk') chunk.code = inAscii(chunk.code);
    }
  },
};

/** Read as ASCII, a bundle is read in no time. */
function inAscii(code) {
  return code.replace(
    /[^\0-\x7f]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function writtenAt(name) {
  return statSync(join(root, 'dist', name), { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

if (process.argv.includes('--if-stale')) {
  const bundledAt = writtenAt('bundle/load.cjs');
  if (bundledAt > 0 && bundledAt >= writtenAt('.tsbuildinfo')) process.exit(0);
}
await build({
  configFile: false,
  root,
  logLevel: 'error',
  publicDir: false,
  plugins: [bundleFormat],
  build: {
    ssr: true,
    outDir: output,
    emptyOutDir: true,
    target: 'node20',
    minify: false,
    sourcemap: true,
    rollupOptions: {
      input: { main: join(source, 'cli/main.ts'), worker: join(source, 'datapath/worker.ts') },
      output: {
        format: 'cjs',
        entryFileNames: '[name].cjs',
        chunkFileNames: '[name]-[hash].cjs',
        banner: '(function (exports, require, module, __placeOf, __bundle) {',
        footer: '})',
        manualChunks(id, { getModuleInfo }) {
          families ??= membership(getModuleInfo);
          const of = families.get(id);
          return of && fileFor(of);
        },
      },
    },
  },
});
const runWorker = "require('./load.cjs').load('worker.cjs', 'worker');\n";
writeFileSync(join(output, 'run-worker.cjs'), runWorker);
copyFileSync(join(scripts, 'lib', 'bundle-loader.cjs'), join(output, 'load.cjs'));
execFileSync(process.execPath, [join(scripts, 'build-cache.mjs')], { stdio: 'inherit' });
