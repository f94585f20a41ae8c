/**
 * Groups, meters, learning, labels and length checks on the in-process datapath: frames go in at
 * one device and come out at others, through recirculations where translation needs them.
 */
import { beforeEach, describe, expect, it } from 'vitest';
import { stoppedClock } from '../../src/common/clock.js';
import { DpifDummy } from '../../src/datapath/dpif-dummy.js';
import type { DummyNetdev } from '../../src/netdev/dummy-netdev.js';
import { parseOdpFlow } from '../../src/ofproto/commands/parse-odp-flow.js';
import { Ofproto } from '../../src/ofproto/ofproto.js';
import { OfprotoRegistry } from '../../src/ofproto/registry.js';
import { defaultBundleSettings } from '../../src/ofproto/settings.js';
import { OFPP, type OfAction } from '../../src/openflow/actions.js';
import {
  BUCKET,
  type GroupMod,
  METER_FLAG,
  NO_GROUP_PROPS,
  OFPG,
} from '../../src/openflow/messages-groups.js';
import { parseFlow } from '../../src/openflow/syntax/flow-parse.js';
import { NO_NAMES } from '../../src/openflow/syntax/names.js';
import { composeFrame } from '../../src/packet/compose.js';
import { dummyNetdevs } from '../support/dummy-netdevs.js';

const ETH = 'eth(src=50:54:00:00:00:01,dst=50:54:00:00:00:02)';
const udp = (port: number): string =>
  `${ETH},eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,tos=0,ttl=64,frag=no),` +
  `udp(src=${port},dst=53)`;

const output = (port: number): OfAction => ({ type: 'output', port, maxLen: 0 });

describe('OpenFlow actions on the dummy datapath', () => {
  const clock = stoppedClock(1000);
  let registry: OfprotoRegistry;
  let dpif: DpifDummy;
  let br: Ofproto;
  let devices: DummyNetdev[];
  let sent: { port: number; frame: Uint8Array }[];

  beforeEach(() => {
    dpif = new DpifDummy({ clock });
    registry = new OfprotoRegistry({ clock });
    const netdevs = dummyNetdevs(clock);
    const backer = registry.openBacker('dummy', dpif);
    const hwAddr = new Uint8Array(6);
    br = new Ofproto(backer, { name: 'br0', datapathId: 1n, clock, hwAddr });
    sent = [];
    devices = [1, 2, 3, 4].map((port) => {
      const device = netdevs.open(`p${port}`, 'dummy', {}) as DummyNetdev;
      device.onTransmit((frame) => sent.push({ port, frame: frame.slice() }));
      const no = br.portAdd(device, port);
      br.bundleSet(device.name, defaultBundleSettings(device.name, [no]));
      return device;
    });
    br.setFailMode('secure');
    br.flushFlows();
  });

  const settle = (): void => {
    for (let i = 0; i < 4; i++) registry.run(clock.now());
  };
  const add = (text: string): void => {
    br.flowMod(parseFlow(text, 'add', NO_NAMES).flow);
    settle();
  };
  /** The ports that a frame leaves by, in order of their numbers. */
  const send = (flow: string, payload = 64, port = 1): number[] => {
    const words = parseOdpFlow(flow, () => null);
    sent = [];
    devices[port - 1].receive(composeFrame(words, payload) as Uint8Array);
    settle();
    return sent.map((each) => each.port).sort();
  };
  const group = (type: GroupMod['groupType'], buckets: OfAction[][], watch = false): void => {
    br.groups.execute({
      type: 'group_mod',
      command: 'add',
      groupType: type,
      group: 1,
      commandBucketId: BUCKET.ALL,
      buckets: buckets.map((actions, id) => {
        const watchPort = watch ? id + 2 : OFPP.NONE;
        return { id, weight: type === 'select' ? 1 : 0, watchPort, watchGroup: OFPG.ANY, actions };
      }),
      props: NO_GROUP_PROPS,
    });
  };

  it('a select group keeps each flow in one bucket and uses all of them', () => {
    group('select', [[output(2)], [output(3)]]);
    add('ip,actions=group:1');
    const chosen = Array.from({ length: 48 }, (_, i) => send(udp(1000 + i)));
    expect(chosen.every((ports) => ports.length === 1)).toBe(true);
    expect(new Set(chosen.flat())).toEqual(new Set([2, 3]));
    const again = Array.from({ length: 48 }, (_, i) => send(udp(1000 + i)));
    expect(again).toEqual(chosen);
    br.backer.pushStats();
    expect(br.groups.get(1)?.packets).toBe(96);
  });

  it('an all group gives each bucket a copy; what follows has the packet as it was', () => {
    const tag: OfAction = { type: 'push_vlan', ethType: 0x8100 };
    group('all', [[tag, output(2)], [output(3)]]);
    add('actions=group:1,output:4');
    expect(send(udp(1))).toEqual([2, 3, 4]);
    const lengths = Object.fromEntries(sent.map(({ port, frame }) => [port, frame.length]));
    expect(lengths[2] - lengths[3]).toBe(4);
    expect(lengths[4]).toBe(lengths[3]);
  });

  it('a fast failover group moves to the next live port', () => {
    group('ff', [[output(2)], [output(3)]], true);
    add('actions=group:1');
    expect(send(udp(1))).toEqual([2]);
    devices[1].setCarrier(false);
    settle();
    expect(send(udp(1))).toEqual([3]);
  });

  it('a group that leads to itself drops the packet', () => {
    group('indirect', [[{ type: 'group', group: 1 }]]);
    add('actions=group:1,output:2');
    expect(send(udp(1))).toEqual([]);
  });

  it('matches what was behind a label after popping it', () => {
    add('table=0,in_port=1,actions=push_mpls:0x8847,output:2');
    add('table=0,in_port=2,mpls,actions=pop_mpls:0x0800,resubmit(,1)');
    add('table=1,udp,udp_src=7,actions=output:3');
    add('table=1,udp,udp_src=8,actions=dec_ttl,output:4');
    send(udp(7));
    const labelled = sent[0].frame;
    sent = [];
    devices[1].receive(labelled);
    settle();
    expect(sent.map(({ port }) => port)).toEqual([3]);
    send(udp(8));
    const other = sent[0].frame;
    sent = [];
    devices[1].receive(other);
    settle();
    expect(sent.map(({ port, frame }) => [port, frame[14 + 8]])).toEqual([[4, 63]]);
  });

  it('learns, counts for both kinds of entries, and forgets with the entry that learned', () => {
    add(
      'table=0,in_port=1,actions=learn(table=1,cookie=0x9,delete_learned,NXM_OF_ETH_DST[]=' +
        'NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[]),output:2',
    );
    add('table=0,in_port=2,actions=resubmit(,1)');
    const back = udp(1).replace(
      'src=50:54:00:00:00:01,dst=50:54:00:00:00:02',
      'src=50:54:00:00:00:02,dst=50:54:00:00:00:01',
    );
    expect(send(back, 64, 2)).toEqual([]);
    expect(send(udp(1))).toEqual([2]);
    expect(send(back, 64, 2)).toEqual([1]);
    expect(br.tables[1].cls.size).toBe(1);
    br.flowMod(parseFlow('table=0,in_port=1', 'delete', NO_NAMES).flow);
    settle();
    expect(br.tables[1].cls.size).toBe(0);
    expect(send(back, 64, 2)).toEqual([]);
  });

  it('looks again at the first flow of all when its own packet changed the table', () => {
    add(
      'actions=load:3->NXM_NX_REG0[0..15],learn(table=0,priority=65535,NXM_OF_ETH_SRC[],' +
        'output:NXM_NX_REG0[0..15]),output:2',
    );
    expect(send(udp(1))).toEqual([2]);
    settle();
    expect(send(udp(1))).toEqual([3]);
  });

  it('goes on behind a clone that waits for what its label hides', () => {
    add('in_port=1,actions=push_mpls:0x8847,output:2');
    add('in_port=2,mpls,actions=clone(pop_mpls:0x0800,dec_ttl,output:3),output:4');
    send(udp(1));
    const labelled = sent.find(({ port }) => port === 2)!.frame;
    sent = [];
    devices[1].receive(labelled);
    expect(sent.map(({ port }) => port).sort()).toEqual([3, 4]);
  });

  it('satisfies a conjunctive match by any pair of its clauses', () => {
    add('conj_id=5,ip,actions=output:3');
    add('priority=9,ip,nw_src=10.0.0.1,actions=conjunction(5,1/2)');
    add('priority=9,udp,udp_src=7,actions=conjunction(5,2/2)');
    add('priority=9,udp,udp_src=8,actions=conjunction(5,2/2)');
    add('priority=1,actions=output:4');
    expect([send(udp(7)), send(udp(8)), send(udp(9))]).toEqual([[3], [3], [4]]);
  });

  it('drops what is over the rate of a meter, and only that', () => {
    const bands = [{ type: 'drop', rate: 2, burstSize: 0, precLevel: 0 } as const];
    br.meters.execute({
      type: 'meter_mod',
      command: 'add',
      meter: { meter: 1, flags: METER_FLAG.PKTPS, bands },
    });
    add('actions=meter:1,output:2');
    const passed = Array.from({ length: 5 }, () => send(udp(1)).length);
    expect(passed).toEqual([1, 1, 0, 0, 0]);
    clock.advance(1000);
    expect(send(udp(1))).toEqual([2]);
    const [stats] = br.meters.stats(1);
    expect([stats.packets, stats.bands[0].packets, stats.flows]).toEqual([6n, 3n, 1]);
  });

  it('tells long packets from short ones of one flow', () => {
    add('table=0,actions=check_pkt_larger(100)->NXM_NX_REG0[0],resubmit(,1)');
    add('table=1,reg0=1,actions=output:3');
    add('table=1,reg0=0,actions=output:2');
    expect([send(udp(1), 10), send(udp(1), 500), send(udp(1), 10)]).toEqual([[2], [3], [2]]);
    expect([...dpif.flows()]).toHaveLength(1);
  });
});
