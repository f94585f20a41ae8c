/** What could stand at a place of a flow's text. */
import type { NameMap } from '../../openflow/syntax/names.js';
import { FIELDS, fieldByName } from '../../packet/fields.js';
import type { Completion } from '../api/index.js';
import { tokenize } from './tokens.js';
import { ACTION_WORDS, FLAGS, MATCH_WORDS, RESERVED_PORTS, SETTINGS } from './words.js';

type Item = Completion['items'][number];

const ITEMS_MAX = 50;

export interface CompletionFacts {
  /** Names of the bridge's ports. */
  ports: readonly string[];
  names: NameMap | null;
}

/** @param cursor characters before it count; the rest of the text does not */
export function completeFlow(text: string, cursor: number, facts: CompletionFacts): Completion {
  const before = text.slice(0, cursor);
  const { actionsAt } = tokenize(before);
  const from = startOfWord(before, actionsAt ?? 0);
  const word = before.slice(from);
  const found = actionsAt === null ? inMatch(word, facts) : inActions(word, facts);
  const typed = word.slice(found.skip).toLowerCase();
  const items = found.items
    .filter(({ text: name }) => name.toLowerCase().startsWith(typed))
    .sort((a, b) => a.text.length - b.text.length || (a.text < b.text ? -1 : 1));
  return { from: from + found.skip, to: cursor, items: items.slice(0, ITEMS_MAX) };
}

/** Behind the last comma or blank outside of parentheses. */
function startOfWord(text: string, from: number): number {
  let depth = 0;
  let start = from;
  for (let i = from; i < text.length; i++) {
    if (text[i] === '(') depth += 1;
    else if (text[i] === ')') depth -= 1;
    else if (depth <= 0 && /[,\s]/.test(text[i])) start = i + 1;
  }
  return start;
}

interface Found {
  /** Characters of the word that stay. */
  skip: number;
  items: Item[];
}

function inMatch(word: string, facts: CompletionFacts): Found {
  const equals = word.search(/[=:]/);
  if (equals < 0) {
    const keys = MATCH_WORDS.map(({ name, detail }): Item => {
      const takesValue = Object.hasOwn(SETTINGS, name) || fieldByName(name) !== undefined;
      const kind = takesValue ? 'field' : FLAGS.includes(name) ? 'keyword' : 'value';
      return { text: takesValue ? `${name}=` : name, kind, detail };
    });
    const actions: Item = { text: 'actions=', kind: 'keyword', detail: 'what is done with it' };
    return { skip: 0, items: [...keys, actions] };
  }
  return { skip: equals + 1, items: valuesOf(word.slice(0, equals), facts) };
}

const VALUES: Readonly<Record<string, readonly [value: string, detail: string][]>> = {
  dl_type: [
    ['0x0800', 'IPv4'],
    ['0x86dd', 'IPv6'],
    ['0x0806', 'ARP'],
    ['0x8847', 'MPLS'],
    ['0x88cc', 'LLDP'],
  ],
  nw_proto: [
    ['1', 'ICMP'],
    ['6', 'TCP'],
    ['17', 'UDP'],
    ['58', 'ICMPv6'],
    ['132', 'SCTP'],
  ],
  dl_dst: [
    ['ff:ff:ff:ff:ff:ff', 'broadcast'],
    ['01:00:00:00:00:00/01:00:00:00:00:00', 'multicast'],
  ],
  ip_frag: ['no', 'yes', 'first', 'later', 'not_later'].map((name) => [name, 'fragments']),
};

function valuesOf(key: string, { ports }: CompletionFacts): Item[] {
  const field = fieldByName(key);
  if (field?.format === 'ofport10' || field?.format === 'ofport11')
    return portItems(ports, ['LOCAL']);
  const list = Object.entries(VALUES).find(([name]) => fieldByName(name) === field)?.[1] ?? [];
  return list.map(([text, detail]) => ({ text, kind: 'value', detail }));
}

function inActions(word: string, { ports }: CompletionFacts): Found {
  const argument = /^(output|enqueue|resubmit|in_port)[:(]/i.exec(word);
  if (argument) return { skip: argument[0].length, items: portItems(ports, ['LOCAL', 'IN_PORT']) };
  const arrow = word.lastIndexOf('->');
  if (arrow >= 0) {
    const fields = FIELDS.filter(({ writable }) => writable);
    const items = fields.map(({ name }): Item => ({ text: name, kind: 'field', detail: '' }));
    return { skip: arrow + 2, items };
  }
  if (/[:(]/.test(word)) return { skip: word.length, items: [] };
  const actions = ACTION_WORDS.map(({ name, detail }): Item => {
    const colon = detail.startsWith(`${name}:`) ? ':' : detail.startsWith(`${name}(`) ? '(' : '';
    return { text: `${name}${colon}`, kind: 'action', detail };
  });
  return { skip: 0, items: [...actions, ...portItems(ports, Object.keys(RESERVED_PORTS))] };
}

function portItems(ports: readonly string[], reserved: readonly string[]): Item[] {
  return [
    ...ports.map((text): Item => ({ text, kind: 'port', detail: 'port' })),
    ...reserved.map((text): Item => ({ text, kind: 'port', detail: RESERVED_PORTS[text] ?? '' })),
  ];
}
