/**
 * `ofctl --color`: the lines of dump-flows in the colours that Open vSwitch gives their parts.
 *
 *     parameter 36   special 33   value 32   paren 35   learn 31   actions= 1;31   drop 34
 *
 * Not for: when to colour (options.ts), other commands.
 */

const COLORS = {
  actions: '1;31',
  drop: '34',
  learn: '31',
  param: '36',
  paren: '35',
  special: '33',
  value: '32',
} as const;

type Color = keyof typeof COLORS;

/** Whether `--color[=WHEN]` asks for it; undefined: the option was not given. */
export function wantsColor(when: string | undefined, stream: { isTTY?: boolean }): boolean {
  if (when === undefined || /^(?:never|no|none)$/i.test(when)) return false;
  return /^(?:always|yes|force)$/i.test(when) || stream.isTTY === true;
}

const paint = (color: Color, text: string): string =>
  `\x1b[${COLORS[color]}m\x1b[K${text}\x1b[m\x1b[K`;

/** Words of a match that stand for an Ethernet type and a protocol. */
const PROTOCOLS = /^(?:ip|ipv6|icmp6?|tcp6?|udp6?|sctp6?|arp|rarp|mpls|mplsm)$/;

/** What stands before a colon or an equals sign: what it is said of. */
const SPECIAL = /^(?:table|priority|output|load|move|set_field|controller|push|pop|note)$/;

const VALUES = /^(?:strip_vlan|pop_vlan|pop_queue)$/;

/** A line of dump-flows; other lines stay as they are. */
export function colorFlow(line: string): string {
  const at = line.indexOf('actions=');
  if (at < 0) return line;
  const actions = line.slice(at + 'actions='.length);
  return `${colorHead(line.slice(0, at))}${paint('actions', 'actions=')}${colorActions(actions)}`;
}

/** Statistics and match: names, their values as they are. */
function colorHead(text: string): string {
  return text.replace(/([A-Za-z_]\w*(?:\[[^\]]*\])?)(=?)/g, (whole, name, sign, at) => {
    if (!/(?:^|[\s,])$/.test(text.slice(0, at))) return whole;
    if (sign === '=') return paint(SPECIAL.test(name) ? 'special' : 'param', whole);
    return PROTOCOLS.test(name) ? paint('value', whole) : whole;
  });
}

/** Words of actions, and the parentheses that they open, in their colour. */
function colorActions(text: string): string {
  const open: Color[] = [];
  let out = '';
  for (const [part] of text.matchAll(/\w+(?:-\w+)*(?:\[[^\]]*\])?[(:=]?|->|\)|./g)) {
    if (part.endsWith('(')) {
      const color = part === 'learn(' ? 'learn' : 'paren';
      open.push(color);
      out += paint(color, part);
    } else if (part === ')' && open.length > 0) out += paint(open.pop() ?? 'paren', part);
    else out += colorWord(part);
  }
  return out;
}

function colorWord(word: string): string {
  const name = word.replace(/[:=]$/, '');
  if (word === 'drop') return paint('drop', word);
  if (word === '->') return paint('special', word);
  if (word === 'exit') return paint('special', word);
  if (VALUES.test(word)) return paint('value', word);
  if (/^dec_/.test(word)) return paint('paren', word);
  if (/[a-z]:$/.test(word)) return paint(SPECIAL.test(name) ? 'special' : 'param', word);
  // What learn() sets or matches.
  if (word.endsWith(']=')) return `${paint('param', name)}${paint('param', '=')}`;
  if (/\w=$/.test(word)) return paint(SPECIAL.test(name) ? 'special' : 'param', word);
  return word;
}
