/** Packets in a line, and traces as steps. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { packetRow } from '../../../src/web/packets/packet-row.js';
import { topLevel, traceFromJson, traceFromText } from '../../../src/web/packets/trace.js';

const PING =
  'ffffffffffff0200000000018100000708004500001c000000004001f7de0a0000010a0000020800f7ff00000000';
const FACTS = {
  bridge: 'br0',
  names: new Set(['p1', 'm1']),
  bonds: [
    {
      ...({
        bridge: 'br0',
        name: 'bond0',
        mode: 'active-backup',
        lacp: 'off',
        active: 'm1',
      } as const),
      ...{ rebalanceMs: null, events: [] },
      members: [
        {
          ...{ name: 'm1', enabled: true, active: true, carrier: true, why: 'active', buckets: 0 },
          ...{ load: 0, txBps: null, rxBps: null, lacp: null },
        },
      ],
    },
  ],
};

function rowOf(data: Uint8Array, bytes: number | null = null) {
  return packetRow({ at: 0, length: data.length, data, port: null, reason: null }, 0, bytes);
}

describe('a packet', () => {
  it('is told in a line, with the flow to trace it by', () => {
    expect(rowOf(Buffer.from(PING, 'hex'))).toMatchObject({
      ...{ source: '10.0.0.1', destination: '10.0.0.2', protocol: 'ICMP' },
      summary: 'VLAN 7, echo request',
      flow: expect.stringContaining('dl_vlan=7'),
    });
    const arp =
      'ffffffffffff020000000001080600010800060400010200000000010a0000010000000000000a000002';
    expect(rowOf(Buffer.from(arp, 'hex'))).toMatchObject({
      ...{ protocol: 'ARP', summary: 'who has 10.0.0.2? tell 10.0.0.1' },
    });
  });

  it('shows as many bytes as it may', () => {
    expect(rowOf(Buffer.from(PING, 'hex'), 14).hex).toHaveLength(28);
  });

  it('of any bytes is told without failing', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(rowOf(bytes).hex).toBe(Buffer.from(bytes).toString('hex'));
      }),
      { numRuns: 3000 },
    );
  });
});

describe('a trace', () => {
  it('names tables, entries, reasons of drops, and where copies leave', () => {
    const step = (type: string, text: string, ...subs: unknown[]) => ({ type, text, subs });
    const pass = {
      ...{ bridge: 'br0', recirculation: null, flow: 'in_port=1', final_flow: null },
      steps: [
        step(
          'bridge',
          'bridge("br0")',
          step('table', ' 0. ip, priority 10', step('action', 'NORMAL')),
          step('detail', 'learned port is input port, dropping'),
        ),
      ],
      ...{ megaflow: 'eth', datapath_actions: 'set(skb_priority(0x10003)),m1,push_vlan(vid=1),p1' },
      ...{ forwarded: true, error: null, slow_path: null, drops: [] },
    };
    const { passes, outputs } = traceFromJson(JSON.stringify({ passes: [pass] }), FACTS);
    expect(outputs).toEqual([
      { port: 'm1', bond: 'bond0', queue: 2 },
      { port: 'p1', bond: null, queue: 2 },
    ]);
    expect(passes[0].steps).toMatchObject([
      {
        ...{ kind: 'bridge', text: 'br0' },
        steps: [
          { kind: 'table', table: 0, entry: 'ip, priority 10', steps: [{ kind: 'normal' }] },
          { kind: 'drop', text: 'learned port is input port, dropping' },
        ],
      },
      {
        ...{ kind: 'output', port: 'm1' },
        steps: [
          { kind: 'bond', text: 'bond0 (active-backup) uses m1: active' },
          { kind: 'queue', text: 'queue 2' },
        ],
      },
      { kind: 'output', port: 'p1' },
    ]);
  });

  it('says of an output why the bond chose that member, as the switch says it', () => {
    const choice = 'bond0: balance-slb, source 02:00:00:00:00:01 in VLAN 0 is bucket 7, ';
    const steps = [
      { type: 'action', text: 'NORMAL', subs: [{ type: 'bond', text: `${choice}X`, subs: [] }] },
    ];
    const told = JSON.stringify({
      passes: [
        {
          ...{ bridge: 'br0', recirculation: null, flow: '', steps, final_flow: null },
          ...{ megaflow: '', datapath_actions: 'm1', forwarded: true, error: null },
          ...{ slow_path: null, drops: [] },
        },
      ],
    }).replace(`${choice}X`, `${choice}which leads to m1`);
    const [pass] = traceFromJson(told, FACTS).passes;
    expect(pass.steps).toMatchObject([
      { kind: 'normal', steps: [] },
      { kind: 'output', port: 'm1', steps: [{ text: `${choice}which leads to m1` }] },
    ]);
  });

  it('keeps the queue over a recirculation, and says how a bond chooses', () => {
    const pass = (flow: string, actions: string) => ({
      ...{ bridge: 'br0', recirculation: null, flow, steps: [], final_flow: null, megaflow: '' },
      ...{ datapath_actions: actions, forwarded: true, error: null, slow_path: null, drops: [] },
    });
    const bonds = [{ ...FACTS.bonds[0], mode: 'balance-tcp' as const }];
    const passes = [
      pass('in_port=1', 'set(skb_priority(0x3)),hash(l4(0)),recirc(0x1)'),
      pass('recirc_id=0x1,skb_priority=0x3,in_port=1', 'm1'),
      pass('in_port=1', 'lb_output(1)'),
    ];
    const answer = traceFromJson(JSON.stringify({ passes }), { ...FACTS, bonds });
    expect(answer.outputs).toEqual([{ port: 'm1', bond: 'bond0', queue: 3 }]);
    const texts = JSON.stringify(answer.passes);
    expect(texts).toContain('bond0 (balance-tcp) chooses by the hash');
    expect(texts).toContain('the datapath chooses a member');
  });

  it("of Open vSwitch is read from its text's indentation", () => {
    const text = `Flow: icmp,in_port=1

bridge("br0")
-------------
 0. priority 0
    resubmit(,1)
     1. No match.
            drop
    NORMAL
     -> no learned MAC for destination, flooding

Final flow: unchanged
Megaflow: recirc_id=0,eth,in_port=1
Datapath actions: p1
`;
    const { passes } = traceFromText(text, FACTS);
    expect(passes[0]).toMatchObject({
      ...{ flow: 'icmp,in_port=1', finalFlow: null, datapathActions: 'p1', forwarded: true },
      steps: [
        {
          kind: 'bridge',
          steps: [
            {
              ...{ kind: 'table', table: 0 },
              steps: [
                { text: 'resubmit(,1)', steps: [{ kind: 'table', table: 1, entry: 'No match.' }] },
                { kind: 'normal', steps: [{ kind: 'detail' }] },
              ],
            },
          ],
        },
        { kind: 'output', port: 'p1' },
      ],
    });
  });

  it('cuts actions outside of parentheses', () => {
    expect(topLevel('a,clone(b,c),d(e(f,g)),h')).toEqual(['a', 'clone(b,c)', 'd(e(f,g))', 'h']);
  });
});
