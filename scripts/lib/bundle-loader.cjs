/**
 * Loads the bundles of `npm run build:bundle`, with what the engine has compiled of them before.
 *
 *     bin/tapswitch ─> load('main.cjs') ─> source + CODE.cache ─> vm.Script ─> exports
 *                                             └─ one file for each kind of command
 *
 * The cache spares the engine reading and compiling; without one, or with that of another version
 * of Node.js, which the engine refuses, all works as well, later. `TAPSWITCH_CODE_CACHE=write`
 * writes it at the end of the process (build-cache.mjs), `=off` leaves it alone.
 *
 * A copy of this file lies beside the bundles. Not for: making them (build-bundle.mjs).
 */
'use strict';
const { readFileSync, renameSync, writeFileSync } = require('node:fs');
const { basename, dirname, join } = require('node:path');
const { pathToFileURL } = require('node:url');
const vm = require('node:vm');

/** Commands with a cache of their own, by what they are called with; others share one. */
const KINDS = {
  start: 'switch',
  vswitchd: 'switch',
  'ovs-vswitchd': 'switch',
  'ovsdb-server': 'server',
  vsctl: 'vsctl',
  'ovs-vsctl': 'vsctl',
  ofctl: 'ofctl',
  'ovs-ofctl': 'ofctl',
  worker: 'worker',
};

/** Parts of Node.js that take a while to load, and that few runs need. */
const SELDOM = new Set(['node:child_process', 'node:tls']);

const dist = pathToFileURL(`${dirname(__dirname)}/`).href;
const bundle = pathToFileURL(`${__dirname}/`).href;
const mode = process.env.TAPSWITCH_CODE_CACHE;
const modules = new Map();
const scripts = new Map();
/** What is compiled already, by the bundle's name. */
let compiled = new Map();

/**
 * The exports of a bundle.
 * @param name its file, e.g. `main.cjs`
 * @param called what is run: decides which cache is taken
 */
function load(name, called) {
  const file = join(__dirname, `${KINDS[called] ?? 'other'}.cache`);
  if (mode !== 'off') compiled = readCache(file);
  if (mode === 'write') process.on('exit', () => writeCache(file));
  return bundleNamed(name);
}

/** What was started: the command, or the program that a link stands for. */
function calledWith(argv) {
  const program = basename(argv[1] ?? '');
  return program in KINDS ? program : argv[2];
}

function bundleNamed(name) {
  const known = modules.get(name);
  if (known) return known.exports;
  const filename = join(__dirname, name);
  const script = new vm.Script(readFileSync(filename, 'latin1'), {
    filename,
    cachedData: compiled.get(name),
    importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
  if (mode === 'write') scripts.set(name, script);
  const module = { exports: {} };
  modules.set(name, module);
  script.runInThisContext()(module.exports, take, module, placeOf, bundle);
  return module.exports;
}

/** `require` for bundles: of each other, of Node.js, of packages. */
function take(name) {
  if (name.startsWith('./')) return bundleNamed(name.slice(2));
  return SELDOM.has(name) ? whenUsed(name) : require(name);
}

/** Bundles ask for members of a module where they use them: until then it need not be there. */
function whenUsed(name) {
  return new Proxy({}, { get: (_target, member) => require(name)[member] });
}

/** Where a module would be if it were not in a bundle. */
function placeOf(name) {
  return dist + name;
}

/** A line of JSON (for which Node.js; name and bytes of each), then the bytes. */
function readCache(file) {
  const found = new Map();
  try {
    const bytes = readFileSync(file);
    let at = bytes.indexOf(10) + 1;
    const { node, parts } = JSON.parse(bytes.latin1Slice(0, at));
    if (node !== process.version) return found;
    for (const [name, length] of parts) {
      found.set(name, bytes.subarray(at, at + length));
      at += length;
    }
  } catch {
    // There need not be one.
  }
  return found;
}

function writeCache(file) {
  const parts = [...scripts].map(([name, script]) => [name, script.createCachedData()]);
  const lengths = parts.map(([name, { length }]) => [name, length]);
  const head = JSON.stringify({ node: process.version, parts: lengths });
  const mine = `${file}.${process.pid}`;
  writeFileSync(mine, Buffer.concat([Buffer.from(`${head}\n`), ...parts.map(([, data]) => data)]));
  renameSync(mine, file);
}

module.exports = { load, calledWith };
