/**
 * Writes docs/reference-database.md from the declarations of the Open_vSwitch database.
 *
 *     node scripts/gen-database-docs.mjs [--check] [--dist=DIRECTORY]
 *
 * Needs a build. With --check nothing is written: status 1 tells that the page is out of date.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { pathToFileURL } from 'node:url';

const ROOT = path.resolve(import.meta.dirname, '..');
const PAGE = path.join(ROOT, 'docs/reference-database.md');
const option = (name) => process.argv.find((word) => word.startsWith(`--${name}=`))?.split('=')[1];

const dist = path.resolve(option('dist') ?? path.join(ROOT, 'dist'));
const { openVSwitchDocs, openVSwitchSchema } = await import(
  pathToFileURL(path.join(dist, 'ovsdb/index.js')).href
);

const USES = {
  acts: 'yes',
  tells: 'written by the switch',
  keeps: 'not yet',
  theirs: 'it is for clients',
};

function page() {
  const schema = openVSwitchSchema();
  const columns = [...schema.tables.values()].flatMap((table) =>
    own(table).map((column) => [table, column]),
  );
  const counts = { acts: 0, tells: 0, keeps: 0, theirs: 0 };
  for (const [table, { name }] of columns) counts[docOf(table, name).use] += 1;
  const lines = [
    '# The Open_vSwitch database',
    '',
    '<!-- Made by scripts/gen-database-docs.mjs from src/ovsdb/open-vswitch-docs.ts. -->',
    '',
    `Version ${schema.version} of the schema: ${schema.tables.size} tables with ` +
      `${columns.length} columns. The switch follows ${counts.acts} of them and writes ` +
      `${counts.tells}; ${counts.theirs} are for ` +
      `clients to use as they like; ${counts.keeps} are kept and have no effect so far.`,
    '',
    'Change it with `tapswitch vsctl set TABLE RECORD COLUMN=VALUE` or with `ovs-vsctl`. A ' +
      'column that only an insert can write is marked *fixed*; *not in the file* means that ' +
      'the value is gone with ' +
      'the server.',
    '',
  ];
  for (const table of schema.tables.values()) lines.push(...tableLines(table));
  return `${lines.join('\n').trimEnd()}\n`;
}

const own = (table) => [...table.columns.values()].filter(({ name }) => !name.startsWith('_'));
const docOf = (table, column) => openVSwitchDocs[table.name].columns[column];

function tableLines(table) {
  const notes = [];
  if (table.isRoot) notes.push('Rows stay until they are deleted.');
  else notes.push('Rows live as long as another row refers to them.');
  if (table.maxRows === 1) notes.push('At most one row.');
  for (const index of table.indexes) {
    notes.push(`Unique: ${index.map(({ name }) => `\`${name}\``).join(' with ')}.`);
  }
  const lines = [`## ${table.name}`, '', openVSwitchDocs[table.name].text, '', notes.join(' '), ''];
  lines.push('| column | type | does the switch act on it | meaning |', '|---|---|---|---|');
  for (const column of own(table)) {
    const { use, text } = docOf(table, column.name);
    const marks = [!column.mutable && 'fixed', !column.persistent && 'not in the file'];
    const type = [column.type.toEnglish(), ...marks.filter(Boolean).map((mark) => `*${mark}*`)];
    lines.push(
      `| \`${column.name}\` | ${type.join(', ').replaceAll('|', '\\|')} | ${USES[use]} | ${text} |`,
    );
  }
  return [...lines, ''];
}

const text = page();
if (process.argv.includes('--check')) {
  const same = fs.existsSync(PAGE) && fs.readFileSync(PAGE, 'utf8') === text;
  if (!same) console.error(`${PAGE} is out of date: run node scripts/gen-database-docs.mjs`);
  process.exit(same ? 0 : 1);
}
fs.writeFileSync(PAGE, text);
