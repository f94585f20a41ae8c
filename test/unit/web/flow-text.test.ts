/** Help with the flow syntax: where a fault stands, and what could stand there. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nameMap } from '../../../src/openflow/syntax/names.js';
import { checkFlow } from '../../../src/web/flow-text/check.js';
import { completeFlow } from '../../../src/web/flow-text/complete.js';
import { tokenize } from '../../../src/web/flow-text/tokens.js';

const NAMES = {
  ports: nameMap([
    [1, 'p1'],
    [2, 'p2'],
  ]),
  tables: null,
};
const FACTS = { ports: ['p1', 'p2'], names: NAMES.ports };

/** The text with the fault between brackets, and the words that are offered for it. */
function marked(text: string): string {
  const { ok, column = -1, length = 0, expected = [] } = checkFlow(text, NAMES);
  if (ok) return 'ok';
  const fault = text.slice(column, column + length);
  return `${text.slice(0, column)}[${fault}]${text.slice(column + length)} ${expected.join('|')}`;
}

describe('checking a flow', () => {
  it.each([
    ['ip,actions=output:p1', 'ok'],
    ['table=1, priority=5 tcp,tp_dst=80 actions=normal', 'ok'],
    ['ipp,actions=drop', '[ipp],actions=drop ip|ip4|ip6|ipv4'],
    ['tcp,priority=70000,actions=drop', '0 to 65535, 32768 when not given'],
    ['ip,actions=outptu:1', 'ip,actions=[outptu:1] output'],
    ['ip,actions=p1,set_field:1->nosuch,p2', 'p1,[set_field:1->nosuch],p2'],
    ['ip', 'ip[] actions='],
  ])('%s', (text, expected) => {
    expect(marked(text)).toContain(expected);
  });

  it('shows a flow as the switch would', () => {
    expect(checkFlow('table=3,in_port=1,actions=output:2', NAMES).normal).toBe(
      'table=3, in_port=p1 actions=output:p2',
    );
  });

  it('never throws, and never points outside of the text', () => {
    const pieces = fc.constantFrom(
      ...['ip', 'tcp', 'tp_dst=80', 'actions=', 'output:', 'p1', '(', ')', ',', '=', 'learn(', '['],
      ...['set_field:', '->', 'resubmit(', '0x', '::', '/', 'table=300', ' ', 'nw_src=1.2.3.4/33'],
    );
    const texts = fc.oneof(
      fc.array(pieces, { maxLength: 12 }).map((parts) => parts.join('')),
      fc.string({ maxLength: 60 }),
    );
    fc.assert(
      fc.property(texts, (text) => {
        const { ok, column = 0, length = 0 } = checkFlow(text, NAMES);
        expect(ok || (column >= 0 && column + length <= text.length)).toBe(true);
        const { from, to } = completeFlow(text, text.length, FACTS);
        expect(from >= 0 && from <= to && to <= text.length).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('completing a flow', () => {
  const offers = (text: string, cursor = text.length) => {
    const { from, to, items } = completeFlow(text, cursor, FACTS);
    return items.map((item) => text.slice(0, from) + item.text + text.slice(to));
  };

  it.each([
    ['tcp_d', 'tcp_dst='],
    ['ip,in_port=p', 'ip,in_port=p2'],
    ['ip,act', 'ip,actions='],
    ['ip,actions=out', 'ip,actions=output:'],
    ['ip,actions=p1,out', 'ip,actions=p1,output:'],
    ['ip,actions=output:p', 'ip,actions=output:p2'],
    ['ip,actions=nor', 'ip,actions=NORMAL'],
    ['ip,actions=set_field:1->eth_d', 'ip,actions=set_field:1->eth_dst'],
    ['dl_type=0x86', 'dl_type=0x86dd'],
  ])('%s offers %s', (text, expected) => {
    expect(offers(text)).toContain(expected);
  });

  it('looks at what stands before the cursor only', () => {
    expect(offers('tcp_,actions=drop', 4)).toContain('tcp_dst=,actions=drop');
  });
});

describe('the parts of a flow', () => {
  it('are cut outside of parentheses', () => {
    const { match, actions } = tokenize('ip, tp_dst=80 actions=learn(table=1,x),p1');
    expect(match.map(({ text }) => text)).toEqual(['ip', 'tp_dst=80']);
    expect(actions.map(({ text }) => text)).toEqual(['learn(table=1,x)', 'p1']);
  });
});
