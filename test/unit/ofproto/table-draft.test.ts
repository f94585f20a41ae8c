/** Changes of tables that take many turns: none of them is long. */
import { expect, it } from 'vitest';
import { TableDraft } from '../../../src/ofproto/table-draft.js';
import { performLearning } from '../../../src/ofproto/xlate/learn.js';
import { parseFlow } from '../../../src/openflow/syntax/flow-parse.js';
import { NO_NAMES } from '../../../src/openflow/syntax/names.js';
import { TestSwitch } from './support/bridge.js';

const ENTRIES = 200;
const OTHERS_TURN = 16;

it.each([
  ['that were there', true],
  ['that came and went', false],
])('tells of entries %s in many steps', (_, early) => {
  const br = new TestSwitch().bridge('br0');
  br.setFailMode('secure');
  let told = 0;
  br.connmgr.sendFlowRemoved = () => {
    told += 1;
  };
  const add = (): void => {
    for (let i = 0; i < ENTRIES; i++) {
      br.flowMod(parseFlow(`send_flow_rem,reg0=${i},actions=drop`, 'add', NO_NAMES).flow);
    }
  };
  if (early) add();
  const draft = new TableDraft(br, () => undefined);
  draft.inside(() => {
    if (!early) add();
    br.flowMod(parseFlow('', 'delete', NO_NAMES).flow);
  });
  expect(told).toBe(0);
  draft.publish();
  let before = 0;
  for (const step of draft.settle()) {
    expect(step).toBeUndefined();
    expect(told - before).toBeLessThanOrEqual(OTHERS_TURN);
    before = told;
  }
  expect(told - before).toBeLessThanOrEqual(OTHERS_TURN);
  expect([told, br.tables[0].cls.size]).toEqual([ENTRIES, 0]);
});

it.each(['settle', 'undo'] as const)('what packets teach meanwhile is seen after %s', (end) => {
  const br = new TestSwitch().bridge('br0');
  const mod = (text: string) => parseFlow(`${text},actions=drop`, 'add', NO_NAMES).flow;
  const teach = (text: string): void => {
    performLearning({ ofproto: br, mod: mod(text), limit: 0 });
  };
  const draft = new TableDraft(br, () => undefined);
  draft.inside(() => br.flowMod(mod('table=3')));
  teach('table=5,reg0=1');
  expect(br.tables[5].cls.size).toBe(0);
  draft.inside(() => {
    if (end === 'settle') draft.publish();
    for (const _ of draft[end]());
  });
  const seen = [...br.tables[5].cls.rules()];
  expect(seen).toHaveLength(1);
  expect(seen.every((rule) => rule.seen)).toBe(true);
  expect(br.tables[3].cls.size).toBe(end === 'settle' ? 1 : 0);
  teach('table=5,reg0=2');
  expect([...br.tables[5].cls.rules()]).toHaveLength(2);
});
