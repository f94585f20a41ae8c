#!/usr/bin/env node
/**
 * Writes dist/bundle/*.cache: what this Node.js compiles of the bundles when the switch starts and
 * its tools are used. It runs them, away from everything else, and they write it when they end.
 *
 * A switch needs a network of its own for that, so root or a user namespace; without, a switch
 * with dummies stands in. What comes to nothing here costs time at a start, and nothing else.
 *
 * usage: node scripts/build-cache.mjs [--if-stale]
 *   --if-stale   do nothing where this Node.js has written one since the bundles were made
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const program = join(root, 'bin', 'tapswitch');
const bundles = join(root, 'dist', 'bundle');
const WAIT_MS = 20_000;
const isRoot = process.getuid() === 0;
/** A network of one's own. */
const OWN_NETWORK = ['unshare', isRoot ? '-n' : '-rn'];

function upToDate() {
  const cache = join(bundles, 'switch.cache');
  if (!existsSync(cache)) return false;
  const [head] = readFileSync(cache, 'latin1').split('\n', 1);
  const isNewer = statSync(cache).mtimeMs >= statSync(join(bundles, 'load.cjs')).mtimeMs;
  // The beginning of the line, which the loader reads whole.
  return isNewer && head.startsWith(JSON.stringify({ node: process.version }).slice(0, -1));
}

if (!existsSync(bundles) || (process.argv.includes('--if-stale') && upToDate())) process.exit(0);
const directory = mkdtempSync(join(tmpdir(), 'tapswitch-cache-'));
const env = { ...process.env, NODE_OPTIONS: '', TAPSWITCH_CODE_CACHE: 'write' };
Object.assign(env, { OVS_RUNDIR: directory, OVS_DBDIR: directory, OVS_LOGDIR: directory });

function tool(...args) {
  const options = { env, timeout: WAIT_MS, encoding: 'utf8' };
  return spawnSync(process.execPath, [program, ...args], options);
}

/** Runs and uses a switch. @returns whether it came up */
async function withSwitch(prefix, args) {
  const [first, ...rest] = [...prefix, process.execPath, program, 'start', ...args];
  const child = spawn(first, rest, { env, stdio: 'ignore' });
  let running = true;
  const ended = new Promise((resolve) => {
    const end = () => {
      running = false;
      resolve();
    };
    child.once('error', end);
    child.once('exit', end);
  });
  const isUp = () => tool('appctl', 'version').status === 0;
  for (let waited = 0; running && waited < WAIT_MS && !isUp(); waited += 100) await sleep(100);
  const cameUp = running;
  if (cameUp) use(prefix.length > 0 ? child.pid : undefined);
  child.kill('SIGTERM');
  await ended;
  return cameUp;
}

/** What people do with a switch most. @param pid the process whose network it is in */
function use(pid) {
  const inside = ['-t', `${pid}`, '-n', ...(isRoot ? [] : ['-U', '--preserve-credentials'])];
  const veth = ['ip', 'link', 'add', 'cache1', 'up', 'type', 'veth', 'peer', 'name', 'cache2'];
  if (pid !== undefined) spawnSync('nsenter', [...inside, ...veth], { timeout: WAIT_MS });
  tool('vsctl', '--timeout=10', '--may-exist', 'add-br', 'cache0');
  tool('vsctl', '--timeout=10', '--may-exist', 'add-port', 'cache0', 'cache1');
  tool('vsctl', 'show');
  tool('vsctl', 'get', 'Bridge', 'cache0', 'datapath_id');
  tool('ofctl', 'add-flow', 'cache0', 'in_port=1,ip,nw_dst=10.0.0.1,actions=mod_vlan_vid:5,NORMAL');
  tool('ofctl', 'dump-flows', 'cache0');
  tool('ofctl', 'show', 'cache0');
  tool('appctl', 'fdb/show', 'cache0');
}

try {
  // The second one finds a database with a bridge, as most that are started do.
  const real = await withSwitch(OWN_NETWORK, []);
  const kind = real ? [OWN_NETWORK, []] : [[], ['--enable-dummy=override']];
  await withSwitch(...kind);
  if (!real) await withSwitch(...kind);
  tool('ovsdb-server', '--version');
  if (!existsSync(join(bundles, 'switch.cache'))) {
    process.stderr.write('build-cache: no switch could be run: it will start more slowly\n');
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}
