/**
 * Random mirrors over random VLANs, a bond and a patch cable: an installed megaflow says for each
 * packet that matches it what translating that packet would say, a mirror's port gets each packet
 * once at most, and gets every packet that comes in by a port that it watches.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { OdpAction } from '../../src/datapath/odp-actions.js';
import { odpActionsEqual } from '../../src/datapath/odp-equal.js';
import { formatOdpActions, formatOdpKey } from '../../src/datapath/odp-format.js';
import type { Ofproto } from '../../src/ofproto/ofproto.js';
import { NO_FLAGS } from '../../src/ofproto/rule.js';
import {
  defaultBondSettings,
  defaultBundleSettings,
  type MirrorSettings,
  type VlanMode,
} from '../../src/ofproto/settings.js';
import { installed } from '../../src/ofproto/xlate/slow-path.js';
import { OFPP, type OfAction } from '../../src/openflow/actions.js';
import { matchAny } from '../../src/openflow/match.js';
import { extractFlow } from '../../src/packet/extract.js';
import { frame, TestSwitch } from '../unit/ofproto/support/bridge.js';

const MACS = ['50:54:00:00:00:01', '50:54:00:00:00:02', '50:54:00:00:00:03'];
const vid = fc.constantFrom(0, 10, 20, 99);

/** A packet as independent choices, so that two can differ in exactly one of them. */
const PACKET = {
  port: fc.constantFrom(1, 2, 3, 4, 5),
  src: fc.constantFrom(...MACS),
  dst: fc.constantFrom(...MACS, 'ff:ff:ff:ff:ff:ff', '01:80:c2:00:00:0e'),
  tags: fc.constantFrom(0, 1, 1, 2),
  vlan: vid,
  pcp: fc.constantFrom(0, 3),
  innerVlan: vid,
  type: fc.constantFrom(0x1234, 0x88b5),
};
const arbPacket = fc.record(PACKET);
type Packet = typeof arbPacket extends fc.Arbitrary<infer P> ? P : never;
const FIELDS = Object.keys(PACKET) as (keyof Packet)[];

const toFrame = (p: Packet): Uint8Array =>
  frame({
    src: p.src,
    dst: p.dst,
    vlan: p.tags > 0 ? p.vlan : undefined,
    pcp: p.pcp,
    innerVlan: p.tags > 1 ? p.innerVlan : undefined,
    type: p.type,
  });

const arbPort = fc.record({
  vlanMode: fc.constantFrom<VlanMode>(
    'trunk',
    'trunk',
    'access',
    'native-untagged',
    'dot1q-tunnel',
  ),
  tag: fc.constantFrom(0, 10, 99),
  trunks: fc.constantFrom(null, null, new Set([10]), new Set([10, 99])),
  priorityTags: fc.constantFrom('never' as const, 'if-nonzero' as const),
});
const arbPorts = fc.array(arbPort, { minLength: 4, maxLength: 4 });

/** Ports that mirrors watch, and two that they may put copies to. */
const WATCHED = ['p1', 'p2', 'bond', 'to1', 'p3'];
const OUTPUTS: Record<string, number> = { out1: 6, out2: 7 };

const arbMirror: fc.Arbitrary<MirrorSettings> = fc
  .record({
    selectAll: fc.boolean(),
    srcPorts: fc.subarray(WATCHED),
    dstPorts: fc.subarray(WATCHED),
    vlans: fc.constantFrom(null, null, new Set([10]), new Set([0, 20])),
    out: fc.constantFrom<string | number>(...Object.keys(OUTPUTS), 'bond', 99, 20),
    snaplen: fc.constantFrom(0, 0, 64),
  })
  .map(({ out, ...rest }) => ({
    ...rest,
    ...{ name: 'm', filter: '' },
    outPort: typeof out === 'string' ? out : null,
    outVlan: typeof out === 'number' ? out : null,
  }));
const arbMirrors = fc.array(arbMirror, { minLength: 1, maxLength: 4 });
const arbSent = fc.array(arbPacket, { minLength: 3, maxLength: 10 });

type Port = typeof arbPort extends fc.Arbitrary<infer P> ? P : never;

/** br0: p1 to p3, a bond of 4 and 5, out1, out2; a cable to br1, where q is. */
function build(ports: Port[]): { sw: TestSwitch; br: Ofproto } {
  const sw = new TestSwitch();
  const br = sw.bridge('br0');
  const br1 = sw.bridge('br1');
  for (let i = 0; i < 3; i++) sw.port(br, `p${i + 1}`, ports[i]);
  const members = [sw.device(br, 'b1'), sw.device(br, 'b2')];
  const bond = { ...defaultBondSettings(), mode: 'balance-slb' as const };
  br.bundleSet('bond', { ...defaultBundleSettings('bond', members), ...ports[3], bond });
  for (const name of Object.keys(OUTPUTS)) sw.port(br, name);
  sw.patch(br, 'to1', 'to0');
  sw.patch(br1, 'to0', 'to1');
  sw.port(br1, 'q');
  return { sw, br };
}

function setMirrors(sw: TestSwitch, br: Ofproto, mirrors: readonly MirrorSettings[]): void {
  br.mirrors.configure(new Map(mirrors.map((m, i) => [`m${i}`, { ...m, name: `m${i}` }])));
  sw.settle();
}

/** What the bridge's only entry does: NORMAL consults more of a packet than a mirror does. */
const ACTIONS: Record<string, OfAction[]> = {
  normal: [{ type: 'output', port: OFPP.NORMAL, maxLen: 0 }],
  output: [2, 4].map((port) => ({ type: 'output', port, maxLen: 0 })),
  retag: [
    { type: 'push_vlan', ethType: 0x8100 },
    { type: 'output', port: 1, maxLen: 0 },
  ],
  drop: [],
};

function setActions(sw: TestSwitch, br: Ofproto, actions: OfAction[]): void {
  br.flowMod({
    type: 'flow_mod',
    command: 'add',
    table: 0,
    match: matchAny(),
    priority: 1,
    cookie: 0n,
    cookieMask: 0n,
    newCookie: 0n,
    idleTimeout: 0,
    hardTimeout: 0,
    importance: 0,
    bufferId: 0xffffffff,
    outPort: OFPP.NONE,
    outGroup: 0xffffffff,
    flags: NO_FLAGS,
    actions,
  });
  sw.settle();
}

const copies = (actions: readonly OdpAction[], port: number): number =>
  actions.filter((action) => action.type === 'output' && action.port === port).length;

function check(sw: TestSwitch, br: Ofproto, packet: Packet): void {
  const key = extractFlow(toFrame(packet), packet.port);
  const out = sw.backer.udpif.translateKey(key, false);
  if (out === null) throw new Error('no such port');
  const shown = `${JSON.stringify(packet)}: ${formatOdpActions(out.actions)}`;
  const bundle = br.portByNo(packet.port)?.bundle;
  for (const [name, port] of Object.entries(OUTPUTS)) {
    const reserved = br.mirrors.all().some((m) => m.settings.outPort === name);
    if (!reserved) continue;
    expect(copies(out.actions, port), shown).toBeLessThanOrEqual(1);
    const watched = br.mirrors.all().some(({ bit, settings }) => {
      const any = settings.outPort === name && settings.vlans === null;
      return any && bundle != null && (bundle.mirrorSrc & bit) !== 0;
    });
    const inTrunk = bundle?.vlanMode === 'trunk' && bundle.trunks === null;
    const isOutput = bundle?.mirrorOut !== 0;
    if (watched && inTrunk && !isOutput) expect(copies(out.actions, port), shown).toBe(1);
  }
  const flow = sw.dpif.match(key);
  if (flow === undefined || odpActionsEqual(installed(out), flow.actions)) return;
  const where = `${formatOdpKey(flow.key, flow.mask)} for ${shown}`;
  expect(`${where} installed ${formatOdpActions(flow.actions)}`).toBe(where);
}

const arbCase = fc.record({
  ports: arbPorts,
  mirrors: fc.array(arbMirrors, { minLength: 2, maxLength: 2 }),
  actions: fc.constantFrom(...Object.keys(ACTIONS)),
  sent: arbSent,
  donor: arbPacket,
});

describe('mirrors', () => {
  it('are sound, complete, and copy once', () => {
    fc.assert(
      fc.property(arbCase, ({ ports, mirrors, actions, sent, donor }) => {
        const { sw, br } = build(ports);
        setActions(sw, br, ACTIONS[actions]);
        for (const some of mirrors) {
          setMirrors(sw, br, some);
          for (const packet of sent) sw.send(packet.port, toFrame(packet));
          sw.settle();
          for (const packet of sent) {
            check(sw, br, packet);
            for (const field of FIELDS) check(sw, br, { ...packet, [field]: donor[field] });
          }
        }
      }),
      { numRuns: Number(process.env.MIRROR_RUNS ?? 300) },
    );
  });
});
