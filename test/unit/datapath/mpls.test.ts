/** MPLS labels pushed, popped and set by the datapath. */
import { describe, expect, it } from 'vitest';
import type { OdpAction } from '../../../src/datapath/odp-actions.js';
import { newFlow, W_MPLS } from '../../../src/packet/flow-layout.js';
import { EngineFixture } from './engine-fixture.js';

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));
const MACS = '020000000002020000000001';
const IP = '4500001c00000000401166cf0a0000010a00000200010002000800';

function run(frame: string, actions: OdpAction[]): string[] {
  const sent = new EngineFixture().run(hex(frame), actions);
  return sent.map(({ frame: bytes }) => Buffer.from(bytes).toString('hex'));
}

describe('MPLS', () => {
  const push = { type: 'push_mpls', lse: 0x00064140, ethType: 0x8847 } as const;

  it('pushes a label in front of the network header', () => {
    expect(run(`${MACS}0800${IP}`, [push, { type: 'output', port: 2 }])).toEqual([
      `${MACS}884700064140${IP}`,
    ]);
  });

  it('pushes it behind the tags', () => {
    expect(run(`${MACS}810000050800${IP}`, [push, { type: 'output', port: 2 }])).toEqual([
      `${MACS}81000005884700064140${IP}`,
    ]);
  });

  it('pops what it pushed, on a copy where the frame was output before', () => {
    const actions: OdpAction[] = [
      { type: 'output', port: 2 },
      push,
      push,
      { type: 'output', port: 3 },
      { type: 'pop_mpls', ethType: 0x8847 },
      { type: 'pop_mpls', ethType: 0x0800 },
      { type: 'output', port: 4 },
    ];
    expect(run(`${MACS}0800${IP}`, actions).sort()).toEqual(
      [`${MACS}0800${IP}`, `${MACS}88470006414000064140${IP}`, `${MACS}0800${IP}`].sort(),
    );
  });

  it('sets the outer label alone', () => {
    const value = newFlow();
    const mask = newFlow();
    value[W_MPLS] = 0x0000a03f;
    mask[W_MPLS] = 0xfffff0ff | 0;
    const set: OdpAction = { type: 'set', attr: 'mpls', value, mask };
    expect(run(`${MACS}8847000640400006414000`, [set, { type: 'output', port: 2 }])).toEqual([
      `${MACS}88470000a03f0006414000`,
    ]);
  });

  it('leaves frames without a label alone', () => {
    const pop: OdpAction = { type: 'pop_mpls', ethType: 0x0800 };
    expect(run(`${MACS}0806${IP}`, [pop, { type: 'output', port: 2 }])).toEqual([
      `${MACS}0806${IP}`,
    ]);
    expect(run(`${MACS}8847ffff`, [pop, { type: 'output', port: 2 }])).toEqual([`${MACS}8847ffff`]);
  });
});
