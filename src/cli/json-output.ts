/**
 * `tapswitch COMMAND ... --json` for commands that print text: what they print, as one JSON object.
 *
 *     {"command":"ofctl","arguments":["dump-flows","br0"],"status":0,"result":[{...}],"errors":[]}
 *
 * `result` is what the text says where it is known how to read it (flows, ports), the JSON that a
 * command prints by itself, else its lines. Without it, texts are those of Open vSwitch's programs;
 * under their names there is no --json.
 *
 * Not for: commands that have a --json of their own (trace, top...), or that serve.
 */
import { Writable } from 'node:stream';
import { errorMessage } from '../common/errors.js';
import type { CliIo } from './io.js';

/** Commands that know --json themselves, or print nothing that ends. */
const WITHOUT: ReadonlySet<string> = new Set([
  ...['bond', 'trace', 'top', 'doctor', 'bench', 'install-aliases'],
  ...['start', 'vswitchd', 'ovsdb-server', 'controller', 'openflowd', 'web', 'tcpdump'],
]);

/** Of text that goes on: each line at once. */
const ENDLESS: ReadonlySet<string> = new Set(['monitor', 'snoop', 'monitor-cond', 'wait']);

/** Output that is kept, bytes. */
const OUTPUT_BYTES_MAX = 512 * 1024 * 1024;

/** The arguments without --json, where this file is to give it; otherwise null. */
export function takeJsonFlag(command: string, argv: readonly string[]): string[] | null {
  if (WITHOUT.has(command)) return null;
  const end = argv.indexOf('--');
  const at = argv.indexOf('--json');
  if (at < 0 || (end >= 0 && at > end)) return null;
  return argv.toSpliced(at, 1);
}

/** Runs a command and prints what it printed as JSON. @returns its status */
export async function runAsJson(
  command: string,
  argv: string[],
  io: CliIo,
  run: (argv: string[], io: CliIo) => Promise<number>,
): Promise<number> {
  const endless = argv.some((word) => ENDLESS.has(word));
  const stdout = endless ? new LineWriter(io.stdout) : new Kept();
  const stderr = new Kept();
  let status = 1;
  try {
    status = await run(withFormat(command, argv), { ...io, stdout, stderr, hints: false });
  } catch (error) {
    stderr.write(errorMessage(error));
  }
  const answer = {
    ...{ command, arguments: argv, status },
    ...(stdout instanceof Kept ? { result: resultOf(command, argv, stdout.text) } : {}),
    errors: linesOf(stderr.text),
  };
  io.stdout.write(`${JSON.stringify(answer)}\n`);
  return status;
}

/** Keeps what is written. */
class Kept extends Writable {
  private readonly chunks: Buffer[] = [];
  private bytes = 0;

  get text(): string {
    return Buffer.concat(this.chunks).toString('utf8');
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.bytes += chunk.length;
    if (this.bytes <= OUTPUT_BYTES_MAX) this.chunks.push(chunk);
    done();
  }
}

/** Hands on each line as {"line": ...}. */
class LineWriter extends Writable {
  private rest = '';

  constructor(private readonly to: Writable) {
    super();
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    const lines = `${this.rest}${chunk}`.split('\n');
    this.rest = lines.pop() ?? '';
    for (const line of lines) this.to.write(`${JSON.stringify({ line })}\n`);
    done();
  }
}

function linesOf(text: string): string[] {
  return text.split('\n').filter((line) => line !== '');
}

/** What a text says. */
export function resultOf(command: string, argv: readonly string[], text: string): unknown {
  if (command === 'ofctl' || command === 'appctl' || command === 'dpctl') {
    const lines = linesOf(text);
    const has = (...names: string[]) => argv.some((word) => names.includes(word));
    if (has('dump-flows', 'bridge/dump-flows') && lines.some((line) => line.includes('actions='))) {
      return lines.flatMap((line) => {
        const flow = flowOf(line);
        return flow === null ? [] : [flow];
      });
    }
    if (command === 'ofctl' && has('dump-ports')) return portsOf(text);
  }
  const lines = linesOf(text);
  if (!/^[[{]/.test(text)) return lines;
  const parsed = jsonOf(text);
  if (parsed !== undefined) return withoutNotation(parsed);
  // Several tables are a line of JSON each.
  const tables = lines.map(jsonOf);
  return tables.includes(undefined) ? lines : tables.map(withoutNotation);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A table of the database as its rows; other JSON as it is. */
function withoutNotation(value: unknown): unknown {
  const { headings, data } = (value ?? {}) as { headings?: string[]; data?: unknown[][] };
  if (!Array.isArray(headings) || !Array.isArray(data)) return value;
  return data.map((row) =>
    Object.fromEntries(headings.map((name, i) => [name, plainValue(row[i])])),
  );
}

/** ["set", [...]], ["map", [...]] and ["uuid", "..."] of RFC 7047 as lists, objects and text. */
function plainValue(value: unknown): unknown {
  if (!Array.isArray(value)) return value;
  const [kind, content] = value as [string, unknown];
  if (kind === 'set') return (content as unknown[]).map(plainValue);
  if (kind !== 'map') return content;
  const pairs = content as [unknown, unknown][];
  return Object.fromEntries(pairs.map(([k, v]) => [`${plainValue(k)}`, plainValue(v)]));
}

/** Commands that print tables of the database, which they can print as JSON. */
const TABLES: Readonly<Record<string, readonly string[]>> = {
  vsctl: ['list', 'find'],
  ovsdb: ['dump', 'list-tables', 'list-columns'],
};

function withFormat(command: string, argv: readonly string[]): string[] {
  const printsTable = argv.some((word) => TABLES[command]?.includes(word));
  const formatted = argv.some((word) => word.startsWith('--format') || word.startsWith('-f'));
  return printsTable && !formatted ? ['--format=json', ...argv] : [...argv];
}

type Fields = Record<string, string | number | readonly string[]>;

const STATISTIC =
  /^(cookie|duration|table|n_\w+|(?:idle|hard)_(?:timeout|age)|importance)=([^, ]*)[, ]*/;
const FLAG = /^(send_flow_rem|check_overlap|reset_counts|no_packet_counts|no_byte_counts) /;

/** ' cookie=0x0, duration=1.5s, table=0, n_packets=1, priority=5,ip actions=drop' */
export function flowOf(line: string): Fields | null {
  const [, head, actions] = /^\s*(.*?)[, ]*actions=(.*)$/.exec(line) ?? [];
  if (actions === undefined) return null;
  const fields: Fields = {};
  const flags: string[] = [];
  let rest = `${head} `;
  for (;;) {
    const [whole, name, value] = STATISTIC.exec(rest) ?? FLAG.exec(rest) ?? [];
    if (whole === undefined) break;
    if (value === undefined) flags.push(name);
    else fields[name] = numberOr(value);
    rest = rest.slice(whole.length);
  }
  const words = rest.trim().split(',');
  const [, priority] = /^priority=(\d+)$/.exec(words[0]) ?? [];
  if (priority !== undefined) fields.priority = Number(words.shift()?.slice('priority='.length));
  return { ...fields, ...(flags.length > 0 ? { flags } : {}), match: words.join(','), actions };
}

/** '12' and '1.5s' are numbers, '0x1f' is not. */
function numberOr(text: string): string | number {
  if (!/^-?\d+(?:\.\d+)?s?$/.test(text)) return text;
  const number = Number(text.replace(/s$/, ''));
  return Number.isSafeInteger(number) || text.includes('.') ? number : text;
}

/** Of dump-ports: '  port  1: rx pkts=5, bytes=..., ...' and 'tx ...' on the line below. */
function portsOf(text: string): Fields[] {
  const found = text.matchAll(/^\s+port\s+(.*?): rx (.*)\n\s+tx (.*)$/gm);
  return [...found].map(([, port, rx, tx]): Fields => {
    const fields: Fields = { port: port.replace(/^"(.*)"$/, '$1') };
    for (const [side, list] of [
      ['rx', rx],
      ['tx', tx],
    ]) {
      for (const [, name, value] of list.matchAll(/(\w+)=([^, ]+)/g)) {
        fields[`${side}_${name}`] = numberOr(value);
      }
    }
    return fields;
  });
}
