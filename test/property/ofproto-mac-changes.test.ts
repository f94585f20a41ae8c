/**
 * A change of the MAC table translates only flows again that looked the address up: after any
 * sequence of packets, moves, evictions, ageing, gratuitous ARP and flow-mods every installed flow
 * is what translating its key gives now.
 *
 * MAC_RUNS in the environment makes it longer, MAC_SEED repeats a run.
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { formatOdpActions, formatOdpKey } from '../../src/datapath/odp-format.js';
import { macParse } from '../../src/ofproto/flow-access.js';
import type { Ofproto } from '../../src/ofproto/ofproto.js';
import { NO_FLAGS } from '../../src/ofproto/rule.js';
import { defaultBondSettings, defaultBundleSettings } from '../../src/ofproto/settings.js';
import { installed } from '../../src/ofproto/xlate/slow-path.js';
import { megaflowMask } from '../../src/ofproto/xlate/translate.js';
import { OFPP, type OfAction } from '../../src/openflow/actions.js';
import { matchAny } from '../../src/openflow/match.js';
import { matchFieldText } from '../../src/openflow/syntax/match-parse.js';
import { arp, frame, TestSwitch } from '../unit/ofproto/support/bridge.js';

const RUNS = Number(process.env.MAC_RUNS ?? 150);
const SEED = process.env.MAC_SEED === undefined ? undefined : Number(process.env.MAC_SEED);
/** More than the smallest table holds. */
const HOSTS = 14;
const mac = (n: number): string => `50:54:00:00:00:${(n + 16).toString(16)}`;
const NORMAL: OfAction = { type: 'output', port: OFPP.NORMAL, maxLen: 0xffff };

const host = fc.nat({ max: HOSTS - 1 });
const step = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      what: fc.constant('packet' as const),
      port: fc.integer({ min: 1, max: 6 }),
      src: host,
      dst: host,
      vlan: fc.constantFrom(undefined, undefined, 10),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      what: fc.constant('arp' as const),
      port: fc.integer({ min: 1, max: 6 }),
      src: host,
      op: fc.constantFrom(1, 2),
    }),
  },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('age' as const), s: fc.nat({ max: 9 }) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('static' as const), src: host }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('flush' as const) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('entry' as const), dst: host }) },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

/** br0 with ports 1 to 3 and a bond of 4 and 5, br1 with port 6 behind a patch cable. */
function build(): TestSwitch {
  const sw = new TestSwitch();
  const [br0, br1] = ['br0', 'br1'].map((name) => sw.bridge(name));
  for (const name of ['p1', 'p2', 'p3']) sw.port(br0, name);
  const members = [sw.device(br0, 'b1'), sw.device(br0, 'b2')];
  const bond = { ...defaultBondSettings(), mode: 'balance-slb' as const };
  br0.bundleSet('bond', { ...defaultBundleSettings('bond', members), bond });
  sw.port(br1, 'p6');
  sw.patch(br0, 'to1', 'to0');
  sw.patch(br1, 'to0', 'to1');
  for (const br of [br0, br1]) br.setMacTableConfig(15, 10);
  sw.settle();
  return sw;
}

function addEntry(br: Ofproto, dst: number): void {
  const match = matchAny();
  matchFieldText(match, 'dl_dst', mac(dst), null);
  const base = { table: 0, priority: 9, cookie: 0n, cookieMask: 0n, newCookie: 0n };
  const times = { idleTimeout: 0, hardTimeout: 0, importance: 0, bufferId: 0xffffffff };
  const out = { outPort: OFPP.NONE, outGroup: 0xffffffff, flags: NO_FLAGS };
  const actions: OfAction[] = [{ type: 'output', port: 2, maxLen: 0xffff }, NORMAL];
  br.flowMod({ type: 'flow_mod', command: 'add', match, ...base, ...times, ...out, actions });
}

function play(sw: TestSwitch, each: Step): void {
  const [br0, br1] = [...sw.backer.ofprotos];
  if (each.what === 'packet') {
    const { port, src, dst, vlan } = each;
    sw.dpif.receive(port, frame({ src: mac(src), dst: mac(dst), vlan, type: 0x1234 }));
  } else if (each.what === 'arp') {
    // Gratuitous: sender and target are the same.
    sw.dpif.receive(each.port, arp(each.op, mac(each.src), 7, 7, 'ff:ff:ff:ff:ff:ff'));
  } else if (each.what === 'age') {
    sw.clock.advance(1000 * each.s);
  } else if (each.what === 'static') {
    const bundle = br0.portByName('p3')?.bundle;
    if (!bundle) throw new Error('no p3');
    br0.macs.addStatic(macParse(mac(each.src)) ?? 0, 0, bundle);
    br0.markRevalidate();
  } else if (each.what === 'flush') {
    br1.macs.flush();
    br1.markRevalidate();
  } else addEntry(br0, each.dst);
}

function checkFlows(sw: TestSwitch): void {
  for (const { key, mask, actions } of sw.dpif.installed) {
    const out = sw.backer.udpif.translateKey(key, false);
    const wanted = out === null ? [] : installed(out);
    const where = formatOdpKey(key, mask);
    expect(`${where} ${formatOdpActions(actions)}`).toBe(`${where} ${formatOdpActions(wanted)}`);
    if (out === null) continue;
    const consulted = megaflowMask(out.wc, key);
    expect(consulted.some((word, i) => (word & ~mask[i]) !== 0)).toBe(false);
  }
}

it('flows are as the MAC table demands after every change', { timeout: 1e9 }, () => {
  let marked = 0;
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 40 }), (steps) => {
      const sw = build();
      for (const each of steps) {
        play(sw, each);
        sw.settle();
        checkFlows(sw);
        marked = Math.max(marked, sw.dpif.installed.size);
      }
    }),
    { numRuns: RUNS, seed: SEED },
  );
  expect(marked).toBeGreaterThan(5);
});
