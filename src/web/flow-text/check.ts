/**
 * Checks a flow's text as ofctl would, and finds where the fault stands.
 *
 * The parser tells what is wrong but not where. The fault is in the first part that cannot be read
 * when all after it is left out.
 */
import { formatActions } from '../../openflow/syntax/action-format.js';
import { type ParsedFlow, parseFlow } from '../../openflow/syntax/flow-parse.js';
import { DEFAULT_PRIORITY, formatMatch } from '../../openflow/syntax/match-format.js';
import type { Names } from '../../openflow/syntax/names.js';
import { FlowSyntaxError } from '../../openflow/syntax/scan.js';
import { fieldByName } from '../../packet/fields.js';
import type { FlowCheck } from '../api/index.js';
import { type FlowTokens, type Token, tokenize } from './tokens.js';
import { ACTION_WORDS, fieldDetail, MATCH_WORDS, nearest, SETTINGS } from './words.js';

/** Texts with more parts are checked, but faults in them are not located. */
const PARTS_MAX = 300;

export function checkFlow(text: string, names: Names): FlowCheck {
  const fault = faultOf(text, names);
  if (fault === null) return { ok: true, normal: normal(text, names) };
  const tokens = tokenize(text);
  if (tokens.match.length + tokens.actions.length > PARTS_MAX) return { ok: false, error: fault };
  return { ok: false, ...locate(text, tokens, names, fault) };
}

function faultOf(text: string, names: Names): string | null {
  try {
    parseFlow(text, 'add', names);
    return null;
  } catch (error) {
    if (error instanceof FlowSyntaxError) return error.message;
    throw error;
  }
}

/** The flow as the switch would list it. */
function normal(text: string, names: Names): string {
  const { flow }: ParsedFlow = parseFlow(text, 'add', names);
  const table = flow.table === 0 || flow.table === 255 ? '' : `table=${flow.table}, `;
  const match = formatMatch(flow.match, names.ports, flow.priority);
  const priority = flow.priority === DEFAULT_PRIORITY && match === '' ? '' : match;
  const head = `${table}${priority}`.trim();
  return `${head}${head === '' ? '' : ' '}actions=${formatActions(flow.actions, names)}`;
}

type Fault = Pick<FlowCheck, 'error' | 'column' | 'length' | 'expected'>;

function locate(text: string, tokens: FlowTokens, names: Names, fault: string): Fault {
  const { match, actions, actionsAt } = tokens;
  for (let i = 0; i < match.length; i++) {
    const head = text.slice(0, match[i].to);
    const error = faultOf(`${head},actions=drop`, names);
    if (error !== null) return at(match[i], error, expectedInMatch(match[i].text));
  }
  if (actionsAt === null) {
    return { error: fault, column: text.length, length: 0, expected: ['actions='] };
  }
  for (let i = 0; i < actions.length; i++) {
    const error = faultOf(text.slice(0, actions[i].to), names);
    if (error !== null) return at(actions[i], error, expectedInActions(actions[i].text));
  }
  return { error: fault, column: actionsAt, length: text.length - actionsAt, expected: [] };
}

function at({ from, to }: Token, error: string, expected: string[]): Fault {
  return { error, column: from, length: to - from, expected };
}

function expectedInMatch(token: string): string[] {
  const key = /^[^=:(]*/.exec(token)?.[0] ?? '';
  const field = fieldByName(key);
  if (field) return [fieldDetail(field)];
  if (Object.hasOwn(SETTINGS, key)) return [SETTINGS[key]];
  return nearest(key, MATCH_WORDS);
}

function expectedInActions(token: string): string[] {
  const key = /^[^:(]*/.exec(token)?.[0] ?? '';
  const known = ACTION_WORDS.find(({ name }) => name === key.toLowerCase());
  if (known) return known.detail === '' ? [] : [known.detail];
  return nearest(key, ACTION_WORDS);
}
