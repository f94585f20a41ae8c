/**
 * Where the parts of a flow's text stand, for those who point at them.
 *
 *     table=0,priority=10,ip,actions=set_field:1->reg0,output:2
 *     [------][---------][-]         [----------------][------]
 *
 * Not for: what they mean (src/openflow/syntax).
 */

export interface Token {
  text: string;
  from: number;
  to: number;
}

export interface FlowTokens {
  match: Token[];
  actions: Token[];
  /** Where the list of actions begins; null: there is none. */
  actionsAt: number | null;
}

export function tokenize(text: string): FlowTokens {
  const found = /(^|[\s,])actions?\s*=/.exec(text);
  if (!found) return { match: cut(text, 0, text.length), actions: [], actionsAt: null };
  const actionsAt = found.index + found[0].length;
  return {
    match: cut(text, 0, found.index),
    actions: cut(text, actionsAt, text.length),
    actionsAt,
  };
}

/** Cuts at commas and blanks outside of parentheses and brackets. */
function cut(text: string, from: number, to: number): Token[] {
  const tokens: Token[] = [];
  let depth = 0;
  let start = from;
  for (let i = from; i <= to; i++) {
    const c = i < to ? text[i] : ',';
    if (c === '(' || c === '[') depth += 1;
    else if (c === ')' || c === ']') depth = Math.max(0, depth - 1);
    if (i < to && (depth > 0 || !/[,\s]/.test(c))) continue;
    if (i > start) tokens.push({ text: text.slice(start, i), from: start, to: i });
    start = i + 1;
  }
  return tokens;
}
