/** Words of the flow syntax, with what a person wants to know of each. */
import { ACTION_NAMES } from '../../openflow/syntax/action-parse.js';
import { PROTOCOL_NAMES } from '../../openflow/syntax/match-parse.js';
import { FIELDS, type Field } from '../../packet/fields.js';

/** What is no field, and what it takes. */
export const SETTINGS: Readonly<Record<string, string>> = {
  table: 'number of the table, 0 to 254',
  priority: '0 to 65535, 32768 when not given',
  cookie: 'a number to find the flow by',
  idle_timeout: 'seconds without packets after which it goes',
  hard_timeout: 'seconds after which it goes',
  importance: 'the less, the sooner it is evicted',
};

export const FLAGS: readonly string[] = [
  'send_flow_rem',
  'check_overlap',
  'reset_counts',
  'no_packet_counts',
  'no_byte_counts',
];

const FORMATS: Readonly<Record<Field['format'], string>> = {
  decimal: 'a number',
  hexadecimal: 'a number, 0x... too',
  ethernet: '02:00:00:00:00:01',
  ipv4: '192.0.2.1 or 192.0.2.0/24',
  ipv6: '2001:db8::1 or 2001:db8::/64',
  ofport10: 'a port',
  ofport11: 'a port',
  frag: 'no, yes, first, later, not_later',
  tun_flags: 'oam',
  tcp_flags: '+syn-ack',
  ct_state: '+trk+est',
  packet_type: '(0,0)',
};

export interface Word {
  name: string;
  detail: string;
}

export function fieldDetail({ format, maskable, nBits }: Field): string {
  return `${FORMATS[format]} (${nBits} bits${maskable ? ', maskable' : ''})`;
}

export const MATCH_WORDS: readonly Word[] = [
  ...PROTOCOL_NAMES.map((name) => ({ name, detail: 'packets of this protocol' })),
  ...Object.entries(SETTINGS).map(([name, detail]) => ({ name, detail })),
  ...FLAGS.map((name) => ({ name, detail: 'a flag of the flow' })),
  ...FIELDS.flatMap((field) => {
    const detail = fieldDetail(field);
    return [field.name, ...field.aliases].map((name) => ({ name, detail }));
  }),
];

const ACTION_DETAILS: Readonly<Record<string, string>> = {
  output: 'output:PORT sends it',
  group: 'group:ID',
  controller: 'controller(max_len=..,reason=..)',
  enqueue: 'enqueue:PORT:QUEUE',
  set_field: 'set_field:VALUE->FIELD',
  load: 'load:VALUE->FIELD[BITS]',
  move: 'move:FIELD[BITS]->FIELD[BITS]',
  mod_vlan_vid: 'mod_vlan_vid:VLAN',
  push_vlan: 'push_vlan:0x8100',
  set_queue: 'set_queue:QUEUE',
  resubmit: 'resubmit(PORT,TABLE) or resubmit(,TABLE)',
  learn: 'learn(table=..,..)',
  goto_table: 'goto_table:TABLE',
  write_metadata: 'write_metadata:VALUE/MASK',
  meter: 'meter:ID',
  clone: 'clone(ACTION,..)',
  note: 'note:HEX',
};

/** Ports that have names of their own. */
export const RESERVED_PORTS: Readonly<Record<string, string>> = {
  NORMAL: 'as a learning switch would',
  FLOOD: 'to all ports but the one it came in by',
  ALL: 'to all ports but the one it came in by',
  IN_PORT: 'back to the port it came in by',
  LOCAL: "the bridge's own port",
  CONTROLLER: 'to the controller',
};

const NO_ARGUMENT = 'drops it, alone in the list';

export const ACTION_WORDS: readonly Word[] = [
  { name: 'drop', detail: NO_ARGUMENT },
  ...ACTION_NAMES.filter((name) => name !== 'output_trunc').map((name) => ({
    name,
    detail: ACTION_DETAILS[name] ?? '',
  })),
];

/** The words nearest to one that is none, best first. */
export function nearest(word: string, among: readonly Word[], most = 5): string[] {
  const sought = word.toLowerCase().slice(0, 40);
  return among
    .map(({ name }) => ({ name, distance: distance(sought, name) }))
    .filter(({ name, distance: d }) => d <= Math.max(2, name.length / 3) || name.startsWith(sought))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, most)
    .map(({ name }) => name);
}

/** Changes of single letters that make one word the other (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      next.push(Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + same));
    }
    row = next;
  }
  return row[b.length];
}
