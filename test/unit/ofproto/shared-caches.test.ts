/** Lists of what statistics belong to that flows share, and what a first packet is counted as. */
import { describe, expect, it } from 'vitest';
import { parseFlow } from '../../../src/openflow/syntax/flow-parse.js';
import { NO_NAMES } from '../../../src/openflow/syntax/names.js';
import { frame, TestSwitch } from './support/bridge.js';

const H1 = '50:54:00:00:00:01';
const host = (i: number): string => `52:54:00:00:00:${i.toString(16).padStart(2, '0')}`;

function bridge(...flows: string[]) {
  const sw = new TestSwitch();
  const br = sw.bridge('br0');
  for (const name of ['p1', 'p2', 'p3']) sw.port(br, name);
  sw.settle();
  br.flowMod(parseFlow('', 'delete', NO_NAMES).flow);
  for (const flow of flows) br.flowMod(parseFlow(flow, 'add', NO_NAMES).flow);
  return { sw, br };
}

/** By source address, so that each address is a megaflow. */
const CONSULT = 'move:NXM_OF_ETH_SRC[0..31]->NXM_NX_REG0[]';

describe('caches of installed flows', () => {
  it('are one list for flows that meet the same entries', () => {
    const { sw, br } = bridge(
      `in_port=1,actions=${CONSULT},resubmit(,1)`,
      `in_port=2,actions=${CONSULT},resubmit(,1)`,
      'table=1,actions=output:3',
    );
    for (let i = 0; i < 20; i++) sw.send(1 + (i & 1), frame({ src: host(i), dst: H1 }));
    const caches = [...sw.backer.udpif.ukeys].map((ukey) => ukey.cache);
    expect(caches.length).toBe(20);
    expect(new Set(caches).size).toBe(2);
    const counts = [...br.tables[0].cls.rules()].map((rule) => rule.packets);
    expect(counts).toEqual([10, 10]);
    expect([...br.tables[1].cls.rules()].map((rule) => rule.packets)).toEqual([20]);
  });

  it('are those of the entries that there are now', () => {
    const { sw, br } = bridge(`actions=${CONSULT},output:3`);
    sw.send(1, frame({ src: host(1), dst: H1 }));
    br.flowMod(parseFlow('', 'delete', NO_NAMES).flow);
    br.flowMod(parseFlow(`actions=${CONSULT},output:3`, 'add', NO_NAMES).flow);
    sw.settle();
    sw.send(1, frame({ src: host(2), dst: H1 }));
    const [rule] = [...br.tables[0].cls.rules()];
    for (const { cache } of sw.backer.udpif.ukeys) {
      expect(cache.filter((entry) => entry.type === 'rule' && entry.rule === rule).length).toBe(1);
    }
    expect(rule.packets).toBe(1);
  });

  it('do not learn again from the packet that was learned from', () => {
    const { sw, br } = bridge('actions=NORMAL');
    let learned = 0;
    const learn = br.learn.bind(br);
    br.learn = (sighting) => {
      learned += 1;
      return learn(sighting);
    };
    sw.send(1, frame({ src: host(1), dst: H1 }));
    expect(learned).toBe(1);
    expect(br.macs.size).toBe(1);
  });
});
