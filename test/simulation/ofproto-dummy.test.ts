/**
 * The OpenFlow layer on the in-process datapath with dummy devices and a stopped clock: frames go
 * in at a device and come out at others, changed as the tables say.
 */
import { beforeEach, describe, expect, it } from 'vitest';
import { stoppedClock } from '../../src/common/clock.js';
import { DpifDummy } from '../../src/datapath/dpif-dummy.js';
import type { DummyNetdev } from '../../src/netdev/dummy-netdev.js';
import { Ofproto } from '../../src/ofproto/ofproto.js';
import { OfprotoRegistry } from '../../src/ofproto/registry.js';
import { NO_FLAGS } from '../../src/ofproto/rule.js';
import {
  type BundleSettings,
  defaultBondSettings,
  defaultBundleSettings,
} from '../../src/ofproto/settings.js';
import { formatFlowText } from '../../src/ofproto/text.js';
import { OFPP, type OfAction } from '../../src/openflow/actions.js';
import { matchAny } from '../../src/openflow/match.js';
import type { FlowMod } from '../../src/openflow/messages.js';
import { matchFieldText } from '../../src/openflow/syntax/match-parse.js';
import { extractFlow } from '../../src/packet/extract.js';
import { dummyNetdevs } from '../support/dummy-netdevs.js';
import { frame, udp } from '../unit/ofproto/support/bridge.js';

const H1 = '50:54:00:00:00:01';
const H2 = '50:54:00:00:00:02';

class DummySwitch {
  readonly clock = stoppedClock(1000);
  readonly dpif = new DpifDummy({ clock: this.clock });
  readonly registry = new OfprotoRegistry({ clock: this.clock });
  readonly backer = this.registry.openBacker('dummy', this.dpif);
  readonly devices = new Map<string, DummyNetdev>();
  private readonly netdevs = dummyNetdevs(this.clock);
  /** 'port: flow' of every frame sent since the last look. */
  private sent: string[] = [];

  bridge(name: string): Ofproto {
    return new Ofproto(this.backer, {
      name,
      datapathId: 1n,
      clock: this.clock,
      hwAddr: new Uint8Array(6),
    });
  }

  device(br: Ofproto, name: string): number {
    const device = this.netdevs.open(name, 'dummy', {}) as DummyNetdev;
    this.devices.set(name, device);
    device.onTransmit((data) => {
      const text = formatFlowText(extractFlow(data));
      this.sent.push(`${name}: ${text.replace(/(vlan_tci1?=0x0000|nw_ecn=0|nw_frag=no),/g, '')}`);
    });
    return br.portAdd(device);
  }

  port(br: Ofproto, name: string, settings: Partial<BundleSettings> = {}): number {
    const no = this.device(br, name);
    br.bundleSet(name, { ...defaultBundleSettings(name, [no]), ...settings });
    return no;
  }

  send(name: string, data: Uint8Array): string[] {
    this.sent = [];
    this.devices.get(name)?.receive(data);
    this.settle();
    return this.sent.map((line) => line);
  }

  /** The names of the ports that sent the frame. */
  ports(name: string, data: Uint8Array): string[] {
    return this.send(name, data).map((line) => line.split(':')[0]);
  }

  settle(): void {
    for (let i = 0; i < 4; i++) this.registry.run(this.clock.now());
  }

  advance(ms: number): void {
    this.clock.advance(ms);
    this.settle();
  }
}

function add(br: Ofproto, text: string, actions: OfAction[], fields: Partial<FlowMod> = {}): void {
  const match = matchAny();
  for (const part of text.split(',').filter((p) => p !== '')) {
    const [name, value] = part.split('=');
    matchFieldText(match, name, value, null);
  }
  br.flowMod({
    type: 'flow_mod',
    command: 'add',
    table: 0,
    match,
    priority: 100,
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
    ...fields,
  });
}

const output = (port: number): OfAction => ({ type: 'output', port, maxLen: 0 });
const set = (field: string, ...value: number[]): OfAction => ({
  type: 'set_field',
  field,
  value: Uint8Array.from(value),
  mask: new Uint8Array(value.length).fill(0xff),
  form: 'set_field',
});

describe('the OpenFlow layer on the dummy datapath', () => {
  let sw: DummySwitch;
  let br: Ofproto;

  beforeEach(() => {
    sw = new DummySwitch();
    br = sw.bridge('br0');
  });

  it('switches with learning', () => {
    for (const name of ['p1', 'p2', 'p3']) sw.port(br, name);
    expect(sw.ports('p1', frame({ src: H1, dst: H2 }))).toEqual(['p2', 'p3']);
    expect(sw.ports('p2', frame({ src: H2, dst: H1 }))).toEqual(['p1']);
    expect(sw.ports('p1', frame({ src: H1, dst: H2 }))).toEqual(['p2']);
    expect(sw.dpif.stats().flows).toBe(2);
  });

  it('tags and untags between access and trunk ports', () => {
    sw.port(br, 'a', { vlanMode: 'access', tag: 10 });
    sw.port(br, 'b', { vlanMode: 'access', tag: 10 });
    sw.port(br, 't');
    const rest = `dl_src=${H1},dl_dst=ff:ff:ff:ff:ff:ff,dl_type=0x1234`;
    expect(sw.send('a', frame({ src: H1 }))).toEqual([
      `b: ${rest}`,
      `t: dl_vlan=10,dl_vlan_pcp=0,${rest}`,
    ]);
    expect(sw.send('t', frame({ src: H2, vlan: 10 }))).toHaveLength(2);
  });

  it('changes headers as set_field and dec_ttl say, per output', () => {
    for (const name of ['p1', 'p2', 'p3']) sw.port(br, name);
    add(br, 'in_port=1,dl_type=0x0800', [
      output(2),
      set('eth_dst', 2, 0, 0, 0, 0, 9),
      set('ip_src', 10, 0, 0, 77),
      { type: 'dec_ttl', controllerIds: [0] },
      set('udp_dst', 0, 53),
      output(3),
    ]);
    sw.settle();
    const [first, second] = sw.send('p1', udp(H2, H1, 64));
    expect(first).toContain('nw_src=10.0.0.1,nw_dst=10.0.0.2,nw_tos=0,nw_ttl=64,tp_src=1000');
    expect(second).toContain('dl_dst=02:00:00:00:00:09,nw_src=10.0.0.77');
    expect(second).toContain('nw_ttl=63,tp_src=1000,tp_dst=53');
  });

  it('fails over to the other member and back, keeping MACs', () => {
    const members = [sw.device(br, 'x'), sw.device(br, 'y')];
    br.bundleSet('bond0', {
      ...defaultBundleSettings('bond0', members),
      bond: { ...defaultBondSettings(), updelayMs: 50, downdelayMs: 100 },
    });
    sw.port(br, 'h');
    sw.settle();
    sw.send('x', frame({ src: H2 }));
    expect(sw.ports('h', frame({ src: H1, dst: H2 }))).toEqual(['x']);
    sw.devices.get('x')?.setCarrier(false);
    sw.settle();
    sw.advance(99);
    expect(sw.ports('h', frame({ src: H1, dst: H2 }))).toEqual(['x']);
    sw.advance(1);
    expect(sw.ports('h', frame({ src: H1, dst: H2 }))).toEqual(['y']);
    expect(sw.ports('x', frame({ src: H2, dst: H1 }))).toEqual([]);
    expect(sw.ports('y', frame({ src: H2, dst: H1 }))).toEqual(['h']);
  });

  it('keeps statistics exact through caches, changes and removals of flows', () => {
    for (const name of ['p1', 'p2', 'p3']) sw.port(br, name);
    add(br, 'in_port=1', [{ type: 'resubmit', table: 1 }]);
    add(br, '', [output(2)], { table: 1, priority: 1 });
    sw.settle();
    const everything = {
      type: 'flow_stats_request' as const,
      aggregate: false,
      table: 255,
      match: matchAny(),
      outPort: OFPP.NONE,
      outGroup: 0xffffffff,
      cookie: 0n,
      cookieMask: 0n,
    };
    const rules = () =>
      [...br.flowStats(everything)]
        .filter((rule) => rule.priority > 0)
        .map((rule) => [rule.tableId, rule.packets, rule.bytes]);
    for (let i = 0; i < 5; i++) sw.send('p1', frame({ src: H1, dst: H2 }));
    expect(rules()).toEqual([
      [0, 5, 300],
      [1, 5, 300],
    ]);
    add(br, `dl_dst=${H2}`, [output(3)], { table: 1, priority: 7 });
    sw.settle();
    for (let i = 0; i < 3; i++) sw.send('p1', frame({ src: H1, dst: H2 }));
    sw.advance(20_000);
    expect(sw.dpif.stats().flows).toBe(0);
    sw.send('p1', frame({ src: H1, dst: H2 }));
    expect(rules().sort()).toEqual([
      [0, 9, 540],
      [1, 4, 240],
      [1, 5, 300],
    ]);
  });

  it('lets idle flows and unused MACs go, and learns again', () => {
    for (const name of ['p1', 'p2', 'p3']) sw.port(br, name);
    sw.send('p1', frame({ src: H1, dst: H2 }));
    sw.send('p2', frame({ src: H2, dst: H1 }));
    expect(sw.dpif.stats().flows).toBe(2);
    sw.advance(10_600);
    expect(sw.dpif.stats().flows).toBe(0);
    sw.advance(290_000);
    expect([...br.macs.entries()]).toEqual([]);
    expect(sw.ports('p1', frame({ src: H1, dst: H2 }))).toEqual(['p2', 'p3']);
  });

  it('crosses a patch cable', () => {
    const br1 = sw.bridge('br1');
    sw.port(br, 'p1');
    const netdev = (name: string, peer: string) => ({
      name,
      type: 'patch',
      patchPeer: peer,
      etherAddr: () => new Uint8Array(6),
      carrier: () => true,
      carrierResets: () => 0,
      adminUp: () => true,
      setAdminUp: () => {},
      mtu: () => 0,
    });
    const a = br.portAdd(netdev('a', 'b'));
    br.bundleSet('a', defaultBundleSettings('a', [a]));
    const b = br1.portAdd(netdev('b', 'a'));
    br1.bundleSet('b', { ...defaultBundleSettings('b', [b]), vlanMode: 'access', tag: 7 });
    sw.port(br1, 'q');
    expect(sw.send('p1', frame({ src: H1 }))[0]).toMatch(/^q: dl_vlan=7,dl_vlan_pcp=0/);
  });
});
