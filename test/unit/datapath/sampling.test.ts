/** Samples: which packets are taken, and that their cookies survive the way up. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stoppedClock } from '../../../src/common/clock.js';
import { COOKIE_WORDS } from '../../../src/datapath/action-program.js';
import { createDpif } from '../../../src/datapath/create-dpif.js';
import type { UserspaceCookie } from '../../../src/datapath/odp-actions.js';
import { formatOdpActions } from '../../../src/datapath/odp-format.js';
import { decodeCookie, encodeCookie } from '../../../src/datapath/userspace-cookie.js';
import { newFlow } from '../../../src/packet/flow-layout.js';
import { macBytes, udp4Frame } from '../../support/frame-builder.js';

const u32 = fc.nat(0xffffffff);
const bridge = fc.nat(0x7fffffff);
const label = fc.integer();
const cookies: fc.Arbitrary<UserspaceCookie> = fc.oneof(
  fc.record({
    type: fc.constant('sflow' as const),
    bridge,
    vlanTci: fc.nat(0xffff),
    output: u32,
    labels: fc.array(label, { maxLength: 3 }),
  }),
  fc.record({
    type: fc.constant('ipfix' as const),
    bridge,
    outputPort: u32,
    dropped: fc.boolean(),
  }),
  fc.record({
    type: fc.constant('flow_sample' as const),
    bridge,
    probability: fc.nat(0xffff),
    collectorSetId: u32,
    obsDomainId: u32,
    obsPointId: u32,
    outputPort: u32,
    direction: fc.constantFrom('default' as const, 'ingress' as const, 'egress' as const),
    dropped: fc.boolean(),
  }),
);

describe('cookies of samples', () => {
  it('come back as they were', () => {
    fc.assert(
      fc.property(cookies, (cookie) => {
        const words: number[] = [];
        encodeCookie(cookie, words);
        expect(words).toHaveLength(COOKIE_WORDS);
        expect(decodeCookie(Int32Array.from(words), 0)).toEqual(cookie);
      }),
    );
  });

  it('print as those of Open vSwitch do', () => {
    const text = formatOdpActions([
      {
        type: 'sample',
        probability: Math.floor(0xffffffff / 400),
        actions: [
          {
            type: 'userspace',
            cookie: { type: 'sflow', bridge: 1, vlanTci: 0x200a, output: 0x80000002, labels: [] },
          },
        ],
      },
      {
        type: 'userspace',
        cookie: { type: 'ipfix', bridge: 1, outputPort: 0xffffffff, dropped: false },
      },
    ]);
    expect(text).toBe(
      'sample(sample=0.2%,actions(userspace(pid=0,sFlow(vid=10,pcp=1,output=2147483650),' +
        'actions))),userspace(pid=0,ipfix(output_port=4294967295))',
    );
  });
});

/** How many of `n` packets of one flow are sampled. */
function sampledOf(n: number, probability: number): number {
  const dpif = createDpif('dummy', { clock: stoppedClock() });
  let receive: ((frame: Uint8Array) => void) | null = null;
  const device = {
    name: 'p1',
    type: 'dummy',
    onReceive: (receiver: typeof receive) => {
      receive = receiver;
    },
    send: () => true,
  };
  dpif.portAdd(device, 1);
  let sampled = 0;
  dpif.onUpcall((upcall) => {
    if (upcall.cookie?.type === 'ipfix') sampled += 1;
  });
  const cookie = { type: 'ipfix', bridge: 1, outputPort: 0xffffffff, dropped: false } as const;
  const actions = [{ type: 'userspace', cookie } as const];
  const sample = { type: 'sample', probability, actions } as const;
  dpif.flowPut({
    key: newFlow(),
    mask: newFlow(),
    actions: [
      { ...sample, actions },
      { type: 'output', port: 1 },
    ],
  });
  const mac = macBytes('02:00:00:00:00:0a');
  const frame = udp4Frame({ dst: mac, src: mac }, { src: 1, dst: 2 }, { src: 3, dst: 4 }, mac);
  for (let i = 0; i < n; i++) receive!(frame);
  return sampled;
}

describe('sampling', () => {
  it('takes packets with the probability asked for, within five standard deviations', () => {
    for (const rate of [2, 10, 400]) {
      const n = 40_000;
      const expected = n / rate;
      const deviation = Math.sqrt(n * (1 / rate) * (1 - 1 / rate));
      const sampled = sampledOf(n, Math.floor(0xffffffff / rate));
      expect(Math.abs(sampled - expected)).toBeLessThan(5 * deviation);
    }
  });

  it('takes all, or none, when asked to', () => {
    expect(sampledOf(100, 0xffffffff)).toBe(100);
    expect(sampledOf(100, 0)).toBe(0);
  });
});
