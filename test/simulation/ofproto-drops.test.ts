/**
 * Packets that are dropped are counted by why, each of them: the first of a flow, which the main
 * thread sees, and those that the installed flow drops.
 */
import { beforeEach, expect, it } from 'vitest';
import { stoppedClock } from '../../src/common/clock.js';
import { DpifDummy } from '../../src/datapath/dpif-dummy.js';
import type { DummyNetdev } from '../../src/netdev/dummy-netdev.js';
import { parseOdpFlow } from '../../src/ofproto/commands/parse-odp-flow.js';
import { Ofproto } from '../../src/ofproto/ofproto.js';
import { OfprotoRegistry } from '../../src/ofproto/registry.js';
import { defaultBundleSettings } from '../../src/ofproto/settings.js';
import { parseFlow } from '../../src/openflow/syntax/flow-parse.js';
import { NO_NAMES } from '../../src/openflow/syntax/names.js';
import { composeFrame } from '../../src/packet/compose.js';
import { W_DL_TYPE } from '../../src/packet/flow-layout.js';
import { dummyNetdevs } from '../support/dummy-netdevs.js';

/** Without its Ethernet type, which the address in it tells. */
const PACKET =
  'eth(src=50:54:00:00:00:01,dst=50:54:00:00:00:02),' +
  'ipv4(src=10.0.0.1,dst=10.0.0.2,proto=1,tos=0,ttl=64,frag=no),icmp(type=8,code=0)';

const clock = stoppedClock(1000);
let dpif: DpifDummy;
let registry: OfprotoRegistry;
let br: Ofproto;
let device: DummyNetdev;

beforeEach(() => {
  dpif = new DpifDummy({ clock });
  registry = new OfprotoRegistry({ clock });
  const netdevs = dummyNetdevs(clock);
  const backer = registry.openBacker('dummy', dpif);
  br = new Ofproto(backer, { name: 'br0', datapathId: 1n, clock, hwAddr: new Uint8Array(6) });
  device = netdevs.open('p1', 'dummy', {}) as DummyNetdev;
  br.bundleSet('p1', defaultBundleSettings('p1', [br.portAdd(device, 1)]));
  br.setFailMode('secure');
  br.flushFlows();
});

function settle(): void {
  for (let i = 0; i < 4; i++) registry.run(clock.now());
}

function sendThrice(): void {
  const frame = composeFrame(
    parseOdpFlow(PACKET, () => null),
    64,
  ) as Uint8Array;
  for (let i = 0; i < 3; i++) {
    device.receive(frame);
    settle();
  }
}

const deep = ['table=0,actions=goto_table:1', 'table=1,actions=resubmit(,1)'];
/** Each resubmits twice to the next. */
const wide = Array.from({ length: 64 }, (_, i) => {
  return `in_port=${i + 1},actions=resubmit:${i + 2},resubmit:${i + 2},local`;
});
const push = Array.from({ length: 8 }, () => 'push:NXM_NX_REG0[]').join();
const labels = Array.from({ length: 4 }, () => 'push_mpls:0x8847').join();

it.each([
  ['drop_action_of_pipeline', ['actions=drop']],
  ['drop_action_recursion_too_deep', deep],
  ['drop_action_too_many_resubmit', [...wide, 'in_port=65,actions=local']],
  ['drop_action_stack_too_deep', [...wide.slice(0, 12), `in_port=13,actions=${push}`]],
  ['drop_action_too_many_mpls_labels', [`actions=${labels},output:1`]],
])('are all counted as %s', (counter, flows) => {
  for (const text of flows) br.flowMod(parseFlow(text, 'add', NO_NAMES).flow);
  settle();
  sendThrice();
  expect(dpif.stats()).toMatchObject({ hit: 2, missed: 1, flows: 1 });
  expect(dpif.stats().drops).toEqual({ [counter]: 3 });
});

it.each([
  ['ipv4(src=10.0.0.1)', 0x0800],
  ['ipv6(src=fd00::1)', 0x86dd],
  ['mpls(label=1,tc=0,ttl=64,bos=1)', 0x8847],
  ['eth_type(0x8848),mpls(label=1,tc=0,ttl=64,bos=1)', 0x8848],
  ['eth(src=50:54:00:00:00:01,dst=50:54:00:00:00:02)', 0x05ff],
])('%s has an Ethernet type', (text, type) => {
  expect(parseOdpFlow(text, () => null)[W_DL_TYPE] >>> 16).toBe(type);
});
