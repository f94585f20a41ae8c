/** Changes of tables that take many turns: none of them is long. */
import { expect, it } from 'vitest';
import { TableDraft } from '../../../src/ofproto/table-draft.js';
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
