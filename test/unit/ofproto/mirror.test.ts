/** Mirrors through translation and a fake datapath: what is copied, how often, and where to. */
import { beforeEach, describe, expect, it } from 'vitest';
import { formatOdpKey } from '../../../src/datapath/odp-format.js';
import { ofprotoCommands } from '../../../src/ofproto/index.js';
import { MIRRORS_MAX } from '../../../src/ofproto/mirror.js';
import type { Ofproto } from '../../../src/ofproto/ofproto.js';
import {
  defaultBondSettings,
  defaultBundleSettings,
  type MirrorSettings,
} from '../../../src/ofproto/settings.js';
import { frame, TestSwitch, udp } from './support/bridge.js';

const H1 = '50:54:00:00:00:01';
const H2 = '50:54:00:00:00:02';
const SYSTEM_ID = Uint8Array.of(2, 0, 0, 0, 0, 1);

let sw: TestSwitch;
let br: Ofproto;

beforeEach(() => {
  sw = new TestSwitch();
  br = sw.bridge('br0');
  sw.settle();
});

function mirror(settings: Partial<MirrorSettings>): MirrorSettings {
  const nothing = {
    selectAll: false,
    srcPorts: [],
    dstPorts: [],
    vlans: null,
    snaplen: 0,
    filter: '',
  };
  return { name: 'm', outPort: null, outVlan: null, ...nothing, ...settings };
}

/** Sets the mirrors of a bridge; the keys are their names. */
function setMirrors(...all: Partial<MirrorSettings>[]): void {
  const named = all.map((m, i) => mirror({ name: `m${i}`, ...m }));
  br.mirrors.configure(new Map(named.map((m) => [m.name, m])));
  sw.settle();
}

const trace = (bridge: string, flow: string): string =>
  ofprotoCommands(sw.registry)
    .find(({ name }) => name === 'ofproto/trace')
    ?.run([bridge, flow]) as string;

describe('a mirror to a port', () => {
  beforeEach(() => {
    for (const name of ['p1', 'p2', 'p3']) sw.port(br, name);
  });

  it('gets one copy of each frame, and its port nothing else', () => {
    setMirrors({ selectAll: true, outPort: 'p3' });
    expect(sw.send(1, frame({ src: H1, dst: H2 }))).toBe('3,2');
    expect(sw.send(2, frame({ src: H2, dst: H1 }))).toBe('3,1');
    expect(sw.send(1, frame({ src: H1, dst: H2 }))).toBe('3,2');
    // What comes in by the mirror's port is for nobody.
    expect(sw.send(3, frame({ src: '50:54:00:00:00:03', dst: H2 }))).toBe('drop');
    expect([...br.macs.entries()].length).toBe(2);
  });

  it('copies what comes in, what goes out, or both once', () => {
    setMirrors({ srcPorts: ['p1'], outPort: 'p3' });
    expect(sw.send(1, frame({ src: H1 }))).toBe('3,2');
    expect(sw.send(2, frame({ src: H2 }))).toBe('1');
    setMirrors({ dstPorts: ['p1'], outPort: 'p3' });
    expect(sw.send(1, frame({ src: H1 }))).toBe('2');
    expect(sw.send(2, frame({ src: H2 }))).toBe('1,3');
    setMirrors({ srcPorts: ['p2'], dstPorts: ['p1'], outPort: 'p3' });
    expect(sw.send(2, frame({ src: H2 }))).toBe('3,1');
  });

  it('copies frames that are dropped, too', () => {
    sw.port(br, 'p4', { vlanMode: 'access', tag: 10 });
    setMirrors({ selectAll: true, outPort: 'p3' });
    expect(sw.send(1, frame({ dst: '01:80:c2:00:00:00' }))).toBe('3');
    // An access port's frames are in its VLAN, also in copies; tagged ones are none of its own.
    expect(sw.send(4, frame({ src: H2 }))).toBe('push_vlan(vid=10,pcp=0),3,1,2');
    expect(sw.send(4, frame({ src: H2, vlan: 20 }))).toBe('drop');
    const tagged = [...sw.dpif.installed].map((f) => formatOdpKey(f.key, f.mask));
    expect(tagged.find((text) => text.includes('vlan(vid=20'))).toBeDefined();
  });

  it('copies the VLANs that are asked for, and depends on no more than the VLAN', () => {
    setMirrors({ selectAll: true, vlans: new Set([11]), outPort: 'p3' });
    expect(sw.send(1, frame({ src: H1 }))).toBe('2');
    expect(sw.send(1, frame({ src: H1, vlan: 10 }))).toBe('2');
    expect(sw.send(1, frame({ src: H1, vlan: 11 }))).toBe('3,2');
  });

  it('copies what its filter selects, and depends on no more than that', () => {
    setMirrors({ selectAll: true, filter: `dl_dst=${H2}`, outPort: 'p3' });
    expect(sw.send(1, frame({ src: H1, dst: H2 }))).toBe('3,2');
    expect(sw.send(1, frame({ src: H1, dst: '50:54:00:00:00:09' }))).toBe('2');
    setMirrors({ selectAll: true, filter: 'dl_vlan=11', outPort: 'p3' });
    expect(sw.send(1, frame({ src: H1, dst: H2 }))).toBe('2');
    expect(sw.send(1, frame({ src: H1, dst: H2, vlan: 11 }))).toBe('3,2');
    for (const filter of ['in_port=1', 'no such field', 'tp_dst=80']) {
      setMirrors({ selectAll: true, filter, outPort: 'p3' });
      expect(sw.send(1, frame({ src: H1, dst: H2 })), filter).toBe('2,3');
    }
  });

  it('cuts copies, and copies alone', () => {
    setMirrors({ selectAll: true, snaplen: 100, outPort: 'p3' });
    expect(sw.send(1, frame({ src: H1 }))).toBe('trunc(100),3,2');
    setMirrors({ dstPorts: ['p2'], snaplen: 100, outPort: 'p3' });
    expect(sw.send(1, frame({ src: H1 }))).toBe('2,trunc(100),3');
  });

  it('counts packets and bytes, also of those that the datapath alone has seen', () => {
    setMirrors({ selectAll: true, outPort: 'p3' });
    for (let i = 0; i < 5; i++) sw.dpif.receive(1, frame({ src: H1, dst: H2 }));
    br.backer.pushStats();
    expect(br.mirrors.get('m0')).toMatchObject({ packets: 5, bytes: 300 });
    setMirrors({ selectAll: true, snaplen: 64, outPort: 'p3' });
    expect(br.mirrors.get('m0')?.packets).toBe(5);
  });

  it('waits for its port to come, and ends when it goes', () => {
    setMirrors({ selectAll: true, outPort: 'later' });
    expect(sw.send(1, frame({ src: H1 }))).toBe('2,3');
    sw.port(br, 'later');
    sw.settle();
    expect(sw.send(1, frame({ src: H1 }))).toBe('4,2,3');
    br.bundleSet('later', null);
    sw.settle();
    expect(sw.send(1, frame({ src: H1 }))).toBe('2,3');
  });

  it('is told of in a trace', () => {
    setMirrors({ name: 'spy', selectAll: true, outPort: 'p3' });
    expect(trace('br0', 'in_port=1')).toContain('-> mirror spy: copying to port p3\n');
    expect(trace('br0', 'in_port=3')).toContain(
      'dropping packet received on port p3, which is reserved exclusively for mirroring',
    );
  });
});

describe('several mirrors', () => {
  it('each get their copy, but one place gets one only', () => {
    for (const name of ['p1', 'p2', 'p3', 'p4']) sw.port(br, name);
    setMirrors(
      { srcPorts: ['p1'], outPort: 'p3' },
      { dstPorts: ['p2'], outPort: 'p4' },
      { dstPorts: ['p2'], outPort: 'p3' },
    );
    expect(sw.send(1, frame({ src: H1 }))).toBe('3,2,4');
    br.backer.pushStats();
    expect(br.mirrors.all().map(({ packets }) => packets)).toEqual([1, 1, 0]);
  });

  it('are 32 at most', () => {
    for (const name of ['p1', 'p2', 'p3']) sw.port(br, name);
    const all = Array.from({ length: MIRRORS_MAX + 1 }, () => ({
      srcPorts: ['p1'],
      outPort: 'p3',
    }));
    setMirrors(...all);
    expect(br.mirrors.all()).toHaveLength(MIRRORS_MAX);
    expect(sw.send(1, frame({ src: H1 }))).toBe('3,2');
    setMirrors();
    expect(sw.send(1, frame({ src: H1 }))).toBe('2,3');
  });
});

describe('a mirror into a VLAN', () => {
  it('goes to every port of that VLAN, and is not mirrored again', () => {
    sw.port(br, 'p1', { vlanMode: 'access', tag: 10 });
    sw.port(br, 'p2', { vlanMode: 'access', tag: 10 });
    sw.port(br, 'p3', { vlanMode: 'access', tag: 99 });
    sw.port(br, 'p4', { trunks: new Set([99]) });
    setMirrors({ selectAll: true, outVlan: 99 });
    expect(sw.send(1, frame({ src: H1 }))).toBe('3,push_vlan(vid=99,pcp=0),4,pop_vlan,2');
    // What is in that VLAN is what mirrors made of it.
    expect(sw.send(4, frame({ src: H2, vlan: 99 }))).toBe('pop_vlan,3');
  });

  it('learns nothing in that VLAN when it is one of those that are flooded', () => {
    sw.port(br, 'p1', { vlanMode: 'access', tag: 10 });
    sw.port(br, 'p2', { vlanMode: 'access', tag: 10 });
    sw.port(br, 'p3', { trunks: new Set([99]) });
    sw.port(br, 'p4', { trunks: new Set([99]) });
    br.setFloodVlans(new Set([99]));
    setMirrors({ srcPorts: ['p1'], outVlan: 99 });
    sw.send(1, frame({ src: H1 }));
    // The same frame as another switch's mirror sends it: H1 is not behind p3.
    expect(sw.send(3, frame({ src: H1, dst: H2, vlan: 99 }))).toBe('4');
    const learned = [...br.macs.entries()].map((e) => [e.vlan, e.bundle.name]);
    expect(learned).toEqual([[10, 'p1']]);
  });
});

describe('bonds and patch ports', () => {
  const bonded = (mode: 'active-backup' | 'balance-tcp') => {
    sw.port(br, 'p1');
    const members = ['p2', 'p3'].map((name) => sw.device(br, name));
    br.bundleSet('bond', {
      ...defaultBundleSettings('bond', members),
      bond: { ...defaultBondSettings(), mode, lacpFallbackAb: true },
      lacp:
        mode === 'balance-tcp'
          ? {
              active: true,
              fast: true,
              systemId: SYSTEM_ID,
              systemPriority: 1,
              fallbackAb: false,
            }
          : null,
    });
    sw.port(br, 'p4');
    sw.settle();
  };

  it('are one port each: every member is a source', () => {
    bonded('active-backup');
    setMirrors({ srcPorts: ['bond'], outPort: 'p4' });
    expect(sw.send(2, frame({ src: H1 }))).toBe('4,1');
    // Refused on the inactive member, yet it came in.
    expect(sw.send(3, frame({ src: H2 }))).toBe('4');
    setMirrors({ dstPorts: ['bond'], outPort: 'p4' });
    expect(sw.send(1, frame({ src: '50:54:00:00:00:09' }))).toBe('2,4');
  });

  it('are one port each: copies leave by the active member', () => {
    bonded('active-backup');
    setMirrors({ srcPorts: ['p1'], outPort: 'bond' });
    expect(sw.send(1, frame({ src: H1 }))).toBe('2,4');
    sw.devices.get('p2')?.setLink(false);
    sw.settle();
    expect(sw.send(1, frame({ src: H1 }))).toBe('3,4');
  });

  it('copy what the datapath spreads over members once', () => {
    bonded('balance-tcp');
    const bundle = br.bundleByKey('bond');
    const bond = bundle?.bond;
    if (!bundle?.lacp || !bond) throw new Error('no bond');
    // As if LACP had come to a result.
    Object.defineProperty(bundle.lacp, 'status', { get: () => 'negotiated' });
    bundle.lacp.mayEnable = () => true;
    sw.settle();
    setMirrors({ dstPorts: ['bond'], outPort: 'p4' });
    const sent = sw.send(1, udp(H2, H1));
    expect(sent).toMatch(/^hash\(l4\(0\)\),recirc\(0x\w+\),4/);
    for (const flow of sw.dpif.installed) {
      const outputs = flow.actions.filter((a) => a.type === 'output' && a.port === 4);
      expect(outputs.length).toBeLessThanOrEqual(1);
    }
    setMirrors({ srcPorts: ['p1'], snaplen: 64, outPort: 'bond' });
    // A copy that is cut leaves by a member that is chosen here: the datapath cannot do both.
    expect(sw.send(1, udp(H2, H1))).toMatch(/^trunc\(64\),[23],4$/);
  });

  it('copy at both ends of a patch cable, each bridge by its own mirrors', () => {
    const br1 = sw.bridge('br1');
    sw.port(br, 'p1');
    sw.patch(br, 'to1', 'to0');
    sw.patch(br1, 'to0', 'to1');
    sw.port(br1, 'p2');
    sw.port(br1, 'p3');
    sw.port(br, 'p4');
    sw.settle();
    setMirrors({ dstPorts: ['to1'], outPort: 'p4' });
    const spy = mirror({ name: 'spy', srcPorts: ['to0'], outPort: 'p3' });
    br1.mirrors.configure(new Map([['spy', spy]]));
    sw.settle();
    expect(sw.send(1, frame({ src: H1 }))).toBe('3,2,4');
  });

  it('end loops: mirrors that feed each other through patch cables', () => {
    const br1 = sw.bridge('br1');
    sw.port(br, 'p1');
    sw.patch(br, 'to1', 'to0');
    sw.patch(br1, 'to0', 'to1');
    sw.port(br1, 'p2');
    setMirrors({ selectAll: true, outPort: 'to1' });
    const back = mirror({ name: 'back', selectAll: true, outPort: 'to0' });
    br1.mirrors.configure(new Map([['back', back]]));
    sw.settle();
    expect(sw.send(1, frame({ src: H1 }))).toBe('drop');
    br1.mirrors.configure(new Map());
    sw.settle();
    expect(sw.send(1, frame({ src: H1 }))).toBe('2');
  });
});
