/** A trace as people read it. */
import { expect, it } from 'vitest';
import { traceText } from '../../../src/cli/trace/trace-text.js';

it('tells the steps, what is sent, and why something is not', () => {
  const step = (type: string, text: string, subs: object[] = []) => ({ type, text, subs });
  const table = step('table', ' 0. in_port=1, priority 5', [
    step('action', 'output:1'),
    step('warn', 'skipping output to input port'),
  ]);
  const pass = {
    bridge: 'br0',
    recirculation: null,
    flow: 'in_port=1',
    steps: [step('bridge', 'bridge("br0")', [table])],
    final_flow: null,
    megaflow: 'in_port=1',
    datapath_actions: 'drop',
    forwarded: false,
    error: null,
    slow_path: null,
    drops: [{ where: 'bridge br0, table 0', why: 'skipping output to input port' }],
  };
  expect(traceText({ passes: [pass] } as Parameters<typeof traceText>[0])).toBe(`in_port=1
  bridge br0
    table 0: in_port=1, priority 5
      output:1
      !! skipping output to input port

consulted: in_port=1
dropped:   drop
why not:   bridge br0, table 0: skipping output to input port
`);
});
