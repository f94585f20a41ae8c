/** In-band control: which hidden entries there are, and that what they are for passes. */
import { beforeEach, describe, expect, it } from 'vitest';
import type { NextHop } from '../../../src/netdev/next-hop.js';
import { bridgeCommands } from '../../../src/ofproto/commands/bridge-commands.js';
import { inBandRemote } from '../../../src/ofproto/connmgr/in-band.js';
import type { Ofproto } from '../../../src/ofproto/ofproto.js';
import { OFPP } from '../../../src/openflow/actions.js';
import { FakeDevice, frame, TestSwitch } from './support/bridge.js';

const LOCAL_MAC = 'aa:55:00:00:00:09';
const HOP = Uint8Array.of(0x52, 0x54, 0, 0, 0, 1);
const HOP_MAC = '52:54:00:00:00:01';
const HOST = '52:54:00:00:00:02';

let sw: TestSwitch;
let br: Ofproto;
let hop: NextHop;

beforeEach(() => {
  sw = new TestSwitch();
  br = sw.bridge('br0');
  for (const name of ['p1', 'p2']) sw.port(br, name);
  br.portAdd(new FakeDevice('br0', 'internal', 9), OFPP.LOCAL);
  br.setFailMode('secure');
  hop = { mac: HOP };
  br.connmgr.inBand.nextHop = () => hop;
});

function control(target: string, connectionMode: 'in-band' | 'out-of-band' = 'in-band'): void {
  const times = { maxBackoffMs: 8000, inactivityProbeMs: 5000 };
  br.setControllers([{ target, connectionMode, ...times }]);
  sw.settle();
}

/** Hidden entries as priority, match and actions. */
function hidden(): string[] {
  const text = bridgeCommands(sw.registry)[0].run(['br0']) as string;
  const entries = [...text.matchAll(/priority=(\d{6}),(.*)$/gm)];
  return entries.map(([, priority, rest]) => `${priority} ${rest}`).sort();
}

const udp = (from: number, to: number): Uint8Array =>
  frame({
    ...{ src: HOST, dst: 'ff:ff:ff:ff:ff:ff', type: 0x0800 },
    payload: [
      ...[0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 192, 168, 1, 1, 255, 255, 255, 255],
      ...[from >> 8, from & 255, to >> 8, to & 255, 0, 8, 0, 0],
    ],
  });

describe('hidden entries', () => {
  it('let DHCP, ARP and the connection through', () => {
    control('tcp:192.168.1.1:6633');
    expect(hidden()).toEqual([
      `180000 udp,in_port=LOCAL,dl_src=${LOCAL_MAC},tp_src=68,tp_dst=67,actions=NORMAL`,
      `180001 arp,dl_dst=${LOCAL_MAC},arp_op=2,actions=NORMAL`,
      `180002 arp,dl_src=${LOCAL_MAC},arp_op=1,actions=NORMAL`,
      `180003 arp,dl_dst=${HOP_MAC},arp_op=2,actions=NORMAL`,
      `180004 arp,dl_src=${HOP_MAC},arp_op=1,actions=NORMAL`,
      '180005 arp,arp_tpa=192.168.1.1,arp_op=2,actions=NORMAL',
      '180006 arp,arp_spa=192.168.1.1,arp_op=1,actions=NORMAL',
      '180007 tcp,nw_dst=192.168.1.1,tp_dst=6633,actions=NORMAL',
      '180008 tcp,nw_src=192.168.1.1,tp_src=6633,actions=NORMAL',
    ]);
    expect(br.connmgr.nHidden).toBe(9);
  });

  it('follow the next hop, which is asked for again', () => {
    hop = { mac: null };
    control('ssl:192.168.1.1');
    expect(hidden().length).toBe(7);
    hop = { mac: HOP };
    sw.advance(1000);
    expect(hidden().length).toBe(9);
    hop = { mac: Uint8Array.of(2, 0, 0, 0, 0, 7) };
    sw.advance(9000);
    expect(hidden().join()).toContain(HOP_MAC);
    sw.advance(1000);
    expect(hidden().join()).not.toContain(HOP_MAC);
    expect(hidden().join()).toContain('02:00:00:00:00:07');
    hop = { error: 'No such device or address' };
    sw.advance(10_000);
    expect(hidden().length).toBe(7);
  });

  it('go where a queue is named, and go away when not wanted', () => {
    control('tcp:192.168.1.1');
    br.connmgr.inBand.configure({ enabled: true, queue: 5 });
    sw.settle();
    expect(hidden().every((entry) => entry.endsWith('actions=set_queue:5,NORMAL'))).toBe(true);
    br.connmgr.inBand.configure({ enabled: false, queue: null });
    sw.settle();
    expect(hidden()).toEqual([]);
    br.connmgr.inBand.configure({ enabled: true, queue: null });
    sw.settle();
    expect(hidden().length).toBe(9);
    control('tcp:192.168.1.1', 'out-of-band');
    expect(hidden()).toEqual([]);
    br.connmgr.inBand.setManagers([{ ip: '192.168.1.8', port: 6640 }]);
    sw.settle();
    expect(hidden().join()).toContain('nw_dst=192.168.1.8,tp_dst=6640');
  });

  it('stay when all entries are deleted, and are none of those that are told', () => {
    control('tcp:192.168.1.1');
    br.flushFlows();
    expect(hidden().length).toBe(9);
  });
});

it('is for addresses that a bridge can lead to', () => {
  expect(inBandRemote('tcp:10.1.2.3:66')).toEqual({ ip: '10.1.2.3', port: 66 });
  expect(inBandRemote('ssl:10.1.2.3')).toEqual({ ip: '10.1.2.3', port: 6653 });
  const none = ['tcp:127.0.0.1:66', 'ptcp:66', 'unix:/a', 'tcp:[::1]:66', 'tcp:host', 'tcp:1.2.3'];
  for (const target of none) expect(inBandRemote(target)).toBeNull();
});

describe("DHCP's answers", () => {
  const LOCAL = 3;

  it('go to the local port whatever the tables say', () => {
    expect(sw.send(1, udp(67, 68))).toBe('drop');
    control('tcp:192.168.1.1');
    expect(sw.send(1, udp(67, 68))).toBe(`${LOCAL}`);
    expect(sw.send(1, udp(67, 69))).toBe('drop');
    expect(sw.send(1, udp(68, 67))).toBe('drop');
    control('tcp:192.168.1.1', 'out-of-band');
    expect(sw.send(1, udp(67, 68))).toBe('drop');
  });

  it('are told from other packets by flows that are installed', () => {
    control('tcp:192.168.1.1');
    expect(sw.send(1, udp(67, 70))).toBe('drop');
    expect(sw.send(1, udp(67, 68))).toBe(`${LOCAL}`);
    expect(sw.send(1, udp(1067, 68))).toBe('drop');
  });
});
