/**
 * Commands on whole tables: mod-table, dump-table-features, dump-table-desc.
 */
import type { OfMessage } from '../../openflow/messages.js';
import type { TableDesc, TableFeaturesEntry, TableMod } from '../../openflow/messages-tables.js';
import { TABLE_CONFIG } from '../../openflow/messages-tables.js';
import { formatMessage } from '../../openflow/syntax/message-format.js';
import { NO_NAMES } from '../../openflow/syntax/names.js';
import { TableFeaturesPrinter } from '../../openflow/syntax/table-features-format.js';
import { type ParsedTableMod, parseTableMod } from '../../openflow/syntax/table-parse.js';
import type { Reply } from '../../openflow/vconn.js';
import { fatal, OfctlExit } from './errors.js';
import { syntaxOrFail } from './flow-source.js';
import type { Session, SwitchConnection } from './session.js';

const TABLE_ALL = 255;
const OF13 = 4;
const OF14 = 5;
const OF15 = 6;
const COMMAND_MODIFY = 1;
const NAME_BYTES_MAX = 31;

function onlyReply(parts: readonly Reply[], type: OfMessage['type'], verbosity: number): void {
  const wrong = parts.find(({ msg }) => msg.type !== type);
  if (wrong === undefined) return;
  fatal(`received bad reply: ${formatMessage(wrong.frame, NO_NAMES, verbosity + 1)}`);
}

const needs = (command: string, version: string): never =>
  fatal(`${command} needs OpenFlow ${version} or later ('-O OpenFlow${version.replace('.', '')}')`);

/** Prints what tables can do; those alike are not told twice, whichever message they come in. */
export async function dumpTableFeatures(s: Session, [name]: string[]): Promise<void> {
  const sw = await s.connect(name);
  if (sw.version < OF13) needs('dump-table-features', '1.3');
  const printer = new TableFeaturesPrinter(sw.version);
  let text = '';
  for (const { msg, frame } of await sw.request({ type: 'table_features_request' })) {
    if (msg.type === 'error') s.print(formatMessage(frame, NO_NAMES, s.options.verbosity + 1));
    else if (msg.type === 'table_features_reply') {
      for (const entry of msg.entries) text += printer.add(entry);
    } else fatal(`received bad reply: ${formatMessage(frame, NO_NAMES, s.options.verbosity + 1)}`);
  }
  text += printer.finish();
  s.print(`${text.replace(/^\n/, '')}\n`);
  sw.close();
}

export async function dumpTableDesc(s: Session, [name]: string[]): Promise<void> {
  const sw = await s.connect(name);
  if (sw.version < OF14) needs('dump-table-desc', '1.4');
  await s.dump(sw, { type: 'table_desc_request' });
  sw.close();
}

const versionName = (v: number): string => `OpenFlow1${v - 1}`;

export async function modTable(s: Session, [name, table, setting]: string[]): Promise<void> {
  const names = await s.namesToAccept(name);
  const parsed = syntaxOrFail(() => parseTableMod(table, setting, names.tables));
  const { options } = s;
  const versions = options.versions.filter((v) => parsed.versions.includes(v));
  if (versions.length === 0) {
    const wanted = parsed.versions.map(versionName).join(', ');
    fatal(`table_mod '${setting}' requires one of the OpenFlow versions ${wanted}`);
  }
  options.versions = versions;
  const sw = await s.connect(name);
  if (parsed.name !== undefined) await rename(s, sw, parsed.msg.table, parsed.name);
  else if (parsed.about === 'miss') await sw.transact([parsed.msg]);
  else await modSettings(s, sw, parsed);
  sw.close();
}

/** Changes one of two settings: the other goes along as it is. */
async function modSettings(s: Session, sw: SwitchConnection, p: ParsedTableMod): Promise<void> {
  const { table } = p.msg;
  const tables = table === TABLE_ALL ? Array.from({ length: TABLE_ALL }, (_, i) => i) : [table];
  const parts = await sw.request({ type: 'table_desc_request' });
  onlyReply(parts, 'table_desc_reply', s.options.verbosity);
  const now = new Map<number, TableDesc>();
  for (const { msg } of parts) {
    if (msg.type === 'table_desc_reply') for (const t of msg.entries) now.set(t.table, t);
  }
  for (const number of tables) {
    await sw.transact([merged({ ...p.msg, table: number }, p.about, now.get(number))]);
  }
}

function merged(mod: TableMod, about: string, now: TableDesc | undefined): TableMod {
  if (now === undefined) return mod;
  if (about === 'eviction') {
    const on = now.config & TABLE_CONFIG.VACANCY_EVENTS;
    const vacancy = on !== 0 && now.vacancy ? { ...now.vacancy, current: 0 } : undefined;
    return { ...mod, config: mod.config | on, vacancy };
  }
  const { evictionFlags } = now;
  return { ...mod, config: mod.config | (now.config & TABLE_CONFIG.EVICTION), evictionFlags };
}

/** Gives a table another name; before 1.5 all that is known of all tables goes along. */
async function rename(s: Session, sw: SwitchConnection, table: number, to: string): Promise<void> {
  const parts = await sw.request({ type: 'table_features_request' });
  onlyReply(parts, 'table_features_reply', s.options.verbosity);
  const entries: TableFeaturesEntry[] = [];
  for (const { msg } of parts)
    if (msg.type === 'table_features_reply') entries.push(...msg.entries);
  const entry = entries.find((e) => e.table === table);
  if (entry === undefined) fatal(`switch does not have table ${table}`);
  entry.name = to.slice(0, NAME_BYTES_MAX);
  const changed =
    sw.version >= OF15 ? [{ ...entry, command: COMMAND_MODIFY, properties: [] }] : entries;
  const replies = await sw.request({ type: 'table_features_request', entries: changed });
  for (const { msg, frame } of replies) {
    if (msg.type !== 'error') continue;
    s.io.stderr.write(formatMessage(frame, NO_NAMES, s.options.verbosity + 1));
    throw new OfctlExit(1);
  }
}
