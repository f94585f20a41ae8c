/** Where the text of a flow is wrong, and what was expected there. */
import { expect, it } from 'vitest';
import { parseFlow } from '../../../src/openflow/syntax/flow-parse.js';
import { NO_NAMES } from '../../../src/openflow/syntax/names.js';
import { FlowSyntaxError } from '../../../src/openflow/syntax/scan.js';

function wrong(text: string): FlowSyntaxError {
  try {
    parseFlow(text, 'file', NO_NAMES);
  } catch (e) {
    if (e instanceof FlowSyntaxError) return e;
    throw e;
  }
  throw new Error(`'${text}' is right`);
}

/** The wrong part is marked by ^ before it. */
it.each([
  ['^foo=1,actions=drop', /^a field, a protocol such as tcp/],
  ['tcp,^tp_src=99999,actions=drop', /tp_src= and a value of 16 bits, with or without \/MASK/],
  ['table=0, ^priority=70000 actions=drop', /^a number from 0 to 65535$/],
  ['delete ip,^nw_src=1.2.3', /nw_src= and a value of 32 bits/],
  ['ip,actions=dec_ttl,^outputt:1', /^an action such as output:PORT/],
  ['ip,actions=output:1,^resubmit(x,300)', /^what resubmit takes/],
  ['actions=write_actions(output:1,^outputt:1)', /^an action such as/],
  ['actions=learn(table=1),^learn(tab=1)', /^what learn takes/],
  ['ip,tcp^', /^$/],
])('%s', (marked, expected) => {
  const error = wrong(marked.replace('^', ''));
  expect(error.column).toBe(marked.indexOf('^') + 1);
  expect(error.expected ?? '').toMatch(expected);
});
