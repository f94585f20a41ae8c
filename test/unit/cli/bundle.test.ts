/**
 * How the program is loaded: bundles with what was compiled of them, and modules where the bundles
 * are older than those.
 */
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { root } from '../../support/house.js';

let folder: string;
let bundles: string;

/** A bundle as scripts/build-bundle.mjs makes them. */
function bundle(name: string, body: string): void {
  const head = '(function (exports, require, module, __placeOf, __bundle) {';
  writeFileSync(join(bundles, name), `${head}${body}\n})`);
}

function tapswitch(argv: string[], env: NodeJS.ProcessEnv = {}): string {
  const options = { env: { ...process.env, ...env }, encoding: 'utf8' } as const;
  return execFileSync(process.execPath, [join(folder, 'bin/tapswitch'), ...argv], options);
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tapswitch-bundle-'));
  bundles = join(folder, 'dist/bundle');
  for (const name of ['bin', 'dist/bundle', 'dist/cli']) {
    mkdirSync(join(folder, name), { recursive: true });
  }
  for (const name of ['bin/tapswitch', 'bin/package.json']) {
    copyFileSync(join(root, name), join(folder, name));
  }
  copyFileSync(join(root, 'scripts/lib/bundle-loader.cjs'), join(bundles, 'load.cjs'));
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  const modules = "export const main = () => console.log('modules');";
  writeFileSync(join(folder, 'dist/cli/main.js'), modules);
  bundle('part.cjs', "exports.place = __placeOf('a/b.js'); exports.folder = __bundle;");
  const print = 'console.log([node_path.basename("/x/y"), part.place, part.folder].join(" "))';
  const main = `
    const node_path = require("node:path");
    const tls = require("node:tls");
    const part = require("./part.cjs");
    exports.main = () => { ${print}; if (process.argv[3]) console.log(typeof tls.connect); };`;
  bundle('main.cjs', main);
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function cacheOf(name: string): Buffer {
  return readFileSync(join(bundles, `${name}.cache`));
}

describe('bundles', () => {
  const expected = () => {
    const url = pathToFileURL(join(folder, 'dist')).href;
    return `y ${url}/a/b.js ${url}/bundle/\n`;
  };

  it('load each other and know the places of their modules', () => {
    expect(tapswitch(['top'])).toBe(expected());
    expect(tapswitch(['top', 'more'])).toBe(`${expected()}function\n`);
  });

  it('keep what was compiled where they are told to, by kind of command', () => {
    expect(tapswitch(['start'])).toBe(expected());
    expect(readdirSync(bundles).filter((name) => name.includes('cache'))).toEqual([]);
    tapswitch(['start'], { TAPSWITCH_CODE_CACHE: 'write' });
    tapswitch(['vsctl'], { TAPSWITCH_CODE_CACHE: 'write' });
    expect(existsSync(join(bundles, 'switch.cache'))).toBe(true);
    expect(existsSync(join(bundles, 'vsctl.cache'))).toBe(true);
    const [head] = cacheOf('switch').toString('latin1').split('\n', 1);
    const { node, parts } = JSON.parse(head);
    expect(node).toBe(process.version);
    expect(parts.map(([name]: [string]) => name)).toEqual(['main.cjs', 'part.cjs']);
    expect(tapswitch(['start'])).toBe(expected());
    expect(tapswitch(['vswitchd'])).toBe(expected());
  });

  it('do without a cache that is cut off, garbage, or of another Node.js', () => {
    tapswitch(['start'], { TAPSWITCH_CODE_CACHE: 'write' });
    const whole = cacheOf('switch');
    const other = Buffer.from(whole.toString('latin1').replace(process.version, 'v1.0.0'));
    const broken = [
      whole.subarray(0, 40),
      whole.subarray(0, -100),
      Buffer.from('garbage'),
      Buffer.alloc(0),
      other,
    ];
    for (const bytes of broken) {
      writeFileSync(join(bundles, 'switch.cache'), bytes);
      expect(tapswitch(['start'])).toBe(expected());
    }
  });

  it('have a cache that was cut off written anew', () => {
    mkdirSync(join(folder, 'scripts'));
    const script = join(folder, 'scripts/build-cache.mjs');
    copyFileSync(join(root, 'scripts/build-cache.mjs'), script);
    writeFileSync(join(bundles, 'switch.cache'), 'gar');
    execFileSync(process.execPath, [script, '--if-stale'], { stdio: 'ignore' });
    expect(cacheOf('switch').toString('latin1')).toContain(`{"node":"${process.version}"`);
    const before = cacheOf('switch');
    execFileSync(process.execPath, [script, '--if-stale'], { stdio: 'ignore' });
    expect(cacheOf('switch').equals(before)).toBe(true);
  });

  it('are passed over when modules are newer, or when there are none', () => {
    const info = join(folder, 'dist/.tsbuildinfo');
    writeFileSync(info, '');
    utimesSync(info, new Date(), new Date(Date.now() - 60_000));
    expect(tapswitch(['top'])).toBe(expected());
    utimesSync(info, new Date(), new Date(Date.now() + 60_000));
    expect(tapswitch(['top'])).toBe('modules\n');
    rmSync(info);
    rmSync(bundles, { recursive: true });
    expect(tapswitch(['top'])).toBe('modules\n');
  });

  it('are missed where nothing is built', () => {
    rmSync(join(folder, 'dist'), { recursive: true });
    expect(() => tapswitch(['top'])).toThrow(/E_NOT_BUILT/);
  });
});
