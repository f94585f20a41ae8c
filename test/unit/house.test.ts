/**
 * The rules of the house, kept by a test: who may import whom, headers, lengths, what the packet
 * path must not do, one clock, no dead files, every error code documented.
 *
 * A rule that is checked by the formatter or the compiler is not repeated here.
 */
import { describe, expect, it } from 'vitest';
import { COMMANDS } from '../../src/cli/commands.js';
import {
  codeOnly,
  complaints,
  filesBelow,
  HOT_PATH_MARKER,
  hotPathComplaints,
  localImports,
  readSource,
  type SourceFile,
  unreachable,
} from '../support/house.js';

/** Folders of src, and those that each may import besides itself. */
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  common: [],
  native: ['common'],
  packet: ['native', 'common'],
  netdev: ['packet', 'native', 'common'],
  datapath: ['netdev', 'packet', 'native', 'common'],
  openflow: ['packet', 'common'],
  ofproto: ['openflow', 'datapath', 'netdev', 'packet', 'native', 'common'],
  export: ['ofproto', 'openflow', 'datapath', 'packet', 'common'],
  ovsdb: ['common'],
  unixctl: ['common'],
  vswitchd: [
    ...['ovsdb', 'openflow', 'unixctl', 'export', 'ofproto', 'datapath', 'netdev', 'packet'],
    ...['native', 'common'],
  ],
  web: ['ovsdb', 'openflow', 'unixctl', 'packet', 'common'],
  cli: [
    ...['web', 'vswitchd', 'ovsdb', 'openflow', 'unixctl', 'export', 'ofproto', 'datapath'],
    ...['netdev', 'packet', 'native', 'common'],
  ],
};

/** What package.json exports, and what the command line loads by name. */
const ENTRIES = [
  'src/index.ts',
  'src/ovsdb/index.ts',
  'src/openflow/index.ts',
  'src/unixctl/index.ts',
  'src/web/api/index.ts',
  'src/cli/main.ts',
  ...COMMANDS.map(({ name }) => `src/cli/${name}/index.ts`),
];

/**
 * Files that may read the machine's clock: the clock itself, and the two sides of a worker thread,
 * which no stopped clock reaches.
 */
const CLOCK_READERS = [
  'src/common/clock.ts',
  'src/datapath/worker.ts',
  'src/datapath/worker-handle.ts',
  'src/datapath/dpif-netdev.ts',
];

const LINES_MAX = 500;
const COLUMNS_MAX = 100;

/** The console's page: Vite builds it for a browser, with a compiler configuration of its own. */
const PAGE = 'src/web/page/';

const page = filesBelow(PAGE, ['.ts', '.tsx']);
const src = filesBelow('src', ['.ts']).filter(({ path }) => !path.startsWith(PAGE));
const tests = filesBelow('test', ['.ts', '.mjs']);
const texts = [
  ...filesBelow('docs', ['.md']),
  ...filesBelow('scripts', ['.sh', '.mjs', '.ts']),
  ...filesBelow('native-bindings/src', ['.cc', '.h']),
];

function layerComplaints({ path, text }: SourceFile): string[] {
  const layer = path.split('/')[1];
  const allowed = LAYERS[layer];
  // Files right under src are the package's entry points: they may import everything.
  if (allowed === undefined) return path.split('/').length === 2 ? [] : [`${path}: no such layer`];
  return localImports({ path, text })
    .map((target) => target.split('/')[1])
    .filter((target) => target !== layer && !allowed.includes(target))
    .map((target) => `${path}: ${layer} must not import ${target}`);
}

describe('imports', () => {
  it('point down the list of layers, never up', () => {
    expect(src.flatMap(layerComplaints)).toEqual([]);
  });

  it('are seen in all their forms', () => {
    const text = [
      "import type { Row } from '../ovsdb/row.js';",
      "import { a } from './a.js';",
      "import '../cli/b.js';",
      "export * from '../vswitchd/c.js';",
      "const d = await import('../ofproto/d.js');",
      "new Worker(new URL('./worker.js', import.meta.url));",
      "// import { e } from '../cli/e.js';",
    ].join('\n');
    const file = { path: 'src/datapath/x.ts', text };
    expect(localImports(file)).toEqual([
      'src/ovsdb/row.ts',
      'src/datapath/a.ts',
      'src/cli/b.ts',
      'src/vswitchd/c.ts',
      'src/ofproto/d.ts',
      'src/datapath/worker.ts',
    ]);
    expect(layerComplaints(file)).toEqual([
      'src/datapath/x.ts: datapath must not import ovsdb',
      'src/datapath/x.ts: datapath must not import cli',
      'src/datapath/x.ts: datapath must not import vswitchd',
      'src/datapath/x.ts: datapath must not import ofproto',
    ]);
  });

  it('reach every file from an entry point', () => {
    expect(unreachable(src, ENTRIES)).toEqual([]);
  });

  it('of the page are its own, but for types of the API', () => {
    const outside = /^import (?!type )[^;]*?from '(?:\.\.\/)+(?:api|common|packet)\//gm;
    const found = page.flatMap(({ path, text }) => complaints(path, text, outside, 'no type'));
    expect(found).toEqual([]);
    expect(unreachable(page, [`${PAGE}main.tsx`])).toEqual([]);
  });

  it('that reach no file are found', () => {
    const a = { path: 'src/cli/main.ts', text: "import './b.js';" };
    const b = { path: 'src/cli/b.ts', text: '' };
    const dead = { path: 'src/cli/dead.ts', text: "import './b.js';" };
    expect(unreachable([a, b, dead], ['src/cli/main.ts'])).toEqual(['src/cli/dead.ts']);
  });
});

describe('every file', () => {
  it('opens with what it is for', () => {
    const bare = [...src, ...page, ...tests].filter(({ text }) => !/^(#!.*\n)?\/\*\*/.test(text));
    expect(bare.map(({ path }) => path)).toEqual([]);
  });

  it(`has at most ${LINES_MAX} lines of at most ${COLUMNS_MAX} columns`, () => {
    const long = [...src, ...page, ...tests].flatMap(({ path, text }) => {
      const lines = text.split('\n');
      const wide = lines
        .map((line, index) => ({ line, place: `${path}:${index + 1}: too wide` }))
        .filter(({ line }) => [...line].length > COLUMNS_MAX)
        .map(({ place }) => place);
      const count = lines.length - 1;
      return count > LINES_MAX ? [`${path}: ${count} lines`, ...wide] : wide;
    });
    expect(long).toEqual([]);
  });

  it('leaves nothing for later', () => {
    const later = new RegExp(['\\b(TO', 'DO|FIX', 'ME|X', 'XX)\\b'].join(''), 'g');
    const found = [...src, ...page, ...tests, ...texts].flatMap(({ path, text }) =>
      complaints(path, text, later, 'unfinished'),
    );
    expect(found).toEqual([]);
  });

  it('speaks of no place but the checkout', () => {
    const places = new RegExp(['(?<![\\w.])/wo', 'rk/|/tmp/scr', 'atch'].join(''), 'g');
    const found = [...src, ...page, ...tests, ...texts].flatMap(({ path, text }) =>
      complaints(path, text, places, 'a path of one machine'),
    );
    expect(found).toEqual([]);
  });
});

describe('tests', () => {
  it('all run', () => {
    const switchedOff = /\b(?:it|test|describe|suite|bench)(?:\.\w+)*\.(?:only|skip|todo)\b/g;
    const found = tests.flatMap(({ path, text }) =>
      complaints(path, codeOnly(text), switchedOff, 'switched off'),
    );
    expect(found).toEqual([]);
  });
});

describe('time', () => {
  it('comes from the Clock that is passed in, below the command line', () => {
    const clocks = /\bDate\.now\b|\bperformance\.now\b|\bnew Date\(\)|\bhrtime\b/g;
    const found = src
      .filter(({ path }) => !CLOCK_READERS.includes(path) && !path.startsWith('src/cli/'))
      .flatMap(({ path, text }) => complaints(path, codeOnly(text), clocks, 'a global clock'));
    expect(found).toEqual([]);
  });
});

describe('the packet path', () => {
  it("has no closure, Map, BigInt or exception in files marked '// hot path'", () => {
    const hot = src.filter(({ text }) => HOT_PATH_MARKER.test(text));
    expect(hot.flatMap(hotPathComplaints)).toEqual([]);
  });

  it('is checked beyond strings, comments, constructors and setup', () => {
    const text = `/** A file. */
// hot path
export class Hot {
  private readonly table: Map<string, number>;
  constructor(private readonly o: { f(): void }) {
    this.table = new Map([['=>', 1]].map((x) => x));
  }
  /** Setup: makes tables. */
  prepare(list: number[]): void {
    list.forEach((x) => { if (x) throw new Error('no'); });
  }
  run(): void { /* try { */
    const name = 'throw => 1n';
    const f = () => name;
    try { f(); } finally { new Set(); }
    if (1n) throw new Error(\`\${name}\`);
  }
}`;
    expect(HOT_PATH_MARKER.test(text)).toBe(true);
    expect(hotPathComplaints({ path: 'x.ts', text }).sort()).toEqual([
      'x.ts:14: closure: =>',
      'x.ts:15: Map or Set: new Set',
      'x.ts:15: exception: try {',
      'x.ts:16: BigInt: 1n',
      'x.ts:16: exception: throw',
    ]);
  });
});

describe('error codes', () => {
  it('are all explained in docs/errors.md', () => {
    const page = readSource('docs/errors.md').text;
    const used = new Set(src.flatMap(({ text }) => text.match(/(?<=')E_[A-Z0-9_]+(?=')/g) ?? []));
    expect([...used].filter((code) => !page.includes(`| ${code} |`)).sort()).toEqual([]);
  });
});
