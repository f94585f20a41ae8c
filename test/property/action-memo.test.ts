/** Actions that were decoded before mean what they mean when they are decoded. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ActionMemo } from '../../src/openflow/codec/action-memo.js';
import { decodeMessage, encodeMessage } from '../../src/openflow/codec/index.js';
import type { FlowMod } from '../../src/openflow/messages.js';
import { parseFlow } from '../../src/openflow/syntax/flow-parse.js';
import { NO_NAMES } from '../../src/openflow/syntax/names.js';

const ACTIONS = [
  'drop',
  'output:1',
  'output:2',
  'output:1,output:2',
  'NORMAL',
  'controller(max_len=100)',
  'mod_vlan_vid:5,output:1',
  'mod_nw_src:10.0.0.1,output:1',
  'set_field:10.0.0.2->ip_src,output:3',
  'strip_vlan,in_port',
  'resubmit(,3)',
  'note:01.02.03',
  'group:7',
  'goto_table:4',
  'meter:2,output:1',
  'write_actions(output:1)',
  'learn(table=1,NXM_OF_VLAN_TCI[0..11]),output:1',
  'clear_actions,write_metadata:0x5/0xff,goto_table:9',
  `${Array.from({ length: 20 }, (_, i) => `output:${i + 1}`).join()}`,
];

const decode = (version: number, frame: Uint8Array, memo?: ActionMemo): FlowMod =>
  decodeMessage(version, frame, { memo }).msg as FlowMod;

describe('a memo of actions', () => {
  it('changes nothing of what is decoded, in any order and version', () => {
    const arbStep = fc.tuple(fc.constantFrom(...ACTIONS), fc.constantFrom(1, 2, 4, 5, 6));
    fc.assert(
      fc.property(fc.array(arbStep, { maxLength: 60 }), (steps) => {
        const memo = new ActionMemo();
        for (const [actions, version] of steps) {
          let frame: Uint8Array;
          try {
            const text = `priority=5,ip,actions=${actions}`;
            frame = encodeMessage(version, parseFlow(text, 'add', NO_NAMES).flow, 1);
          } catch {
            continue; // The version has no such action.
          }
          expect(decode(version, frame, memo)).toEqual(decode(version, frame));
        }
      }),
    );
  });

  it('gives the same list again, which nobody can change', () => {
    const memo = new ActionMemo();
    const frame = encodeMessage(4, parseFlow('actions=output:1', 'add', NO_NAMES).flow, 1);
    const first = decode(4, frame, memo).actions;
    expect(decode(4, frame, memo).actions).toBe(first);
    expect(() => (first as unknown[]).push(1)).toThrow(TypeError);
    expect(() => Object.assign(first[0], { port: 2 })).toThrow(TypeError);
  });
});
