/** Programs that flows with equal actions share. */
import { describe, expect, it } from 'vitest';
import { compileActions } from '../../../src/datapath/compile-actions.js';
import type { OdpAction } from '../../../src/datapath/odp-actions.js';
import { SharedPrograms } from '../../../src/datapath/shared-programs.js';
import { newFlow, W_NW_DST, W_TP } from '../../../src/packet/flow-layout.js';

const output = (...ports: number[]): OdpAction[] =>
  ports.map((port) => ({ type: 'output', port }) as const);

function rewrite(address: number, port: number): OdpAction[] {
  const [value, mask] = [newFlow(), newFlow()];
  value[W_NW_DST] = address;
  mask[W_NW_DST] = -1;
  return [{ type: 'set', attr: 'ipv4', value, mask }, ...output(port)];
}

describe('shared programs', () => {
  it('are the same for lists that do the same, and so are the lists', () => {
    const programs = new SharedPrograms();
    const first = programs.of(output(1, 2));
    programs.of(output(3));
    const again = programs.of(output(1, 2));
    expect(again.actions).toBe(first.actions);
    expect(again.program).toBe(first.program);
    expect(first.program).toEqual(compileActions(output(1, 2)));
  });

  it('are those of the list that was asked for, whichever share a place with it', () => {
    const programs = new SharedPrograms();
    const lists: OdpAction[][] = [[], output(0), [{ type: 'drop', reason: 1 }]];
    for (let i = 0; i < 600; i++) lists.push(output(i), output(i, 7), rewrite(i, 1));
    lists.push(
      [{ type: 'clone', actions: rewrite(1, 2) }],
      [{ type: 'clone', actions: output(2) }],
    );
    lists.push(output(...Array.from({ length: 40 }, (_, i) => i)));
    for (let round = 0; round < 2; round++) {
      for (const actions of lists) {
        const found = programs.of(actions);
        expect(found.actions).toEqual(actions);
        expect(found.program).toEqual(compileActions(actions));
        expect(programs.of(actions)).toBe(found);
      }
    }
  });

  it('tell lists apart that differ in what they write alone', () => {
    const programs = new SharedPrograms();
    const one = programs.of(rewrite(1, 2)).program;
    const mask = newFlow();
    mask[W_TP] = -1;
    const ports: OdpAction = { type: 'set', attr: 'udp', value: newFlow(), mask };
    expect(programs.of(rewrite(2, 2)).program).not.toEqual(one);
    expect(programs.of([ports, ...output(2)]).program).not.toEqual(one);
    expect(programs.of(rewrite(1, 2)).program).toEqual(one);
  });
});
