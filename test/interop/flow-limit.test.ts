/**
 * other_config:flow-limit on a switch that runs: fewer flows, and more than when it started.
 *
 * Open vSwitch comes up to a limit that was raised slowly, from one dump of its flows to the next.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, must } from '../support/command.js';
import { DummyOvs } from '../support/ovs-dummy.js';
import { tapswitchBin } from '../support/switch.js';

const arp = (host: number): string =>
  `in_port(1),eth(src=00:00:00:00:01:${host.toString(16).padStart(2, '0')},` +
  'dst=00:00:00:00:00:02),eth_type(0x0806),arp(sip=1.2.3.4,tip=1.2.3.5,op=1,' +
  'sha=00:00:00:00:00:01,tha=00:00:00:00:00:00)';

let ovs: DummyOvs;

beforeAll(async () => {
  ovs = await DummyOvs.start([tapswitchBin, 'vswitchd', '--pidfile']);
});

afterAll(() => ovs?.stop());

describe('flow-limit', () => {
  it('installs as many flows as it allows now, also more than at first', async () => {
    const { env } = ovs;
    const limit = (flows: number): Promise<string> =>
      must(['ovs-vsctl', 'set', 'Open_vSwitch', '.', `other_config:flow-limit=${flows}`], { env });
    const appctl = (...words: string[]): Promise<string> => must(['ovs-appctl', ...words], { env });
    const flows = async (): Promise<number> =>
      (await appctl('dpctl/dump-flows')).split('\n').filter((line) => line.includes('actions'))
        .length;
    let host = 1;
    const receive = async (packets: number): Promise<void> => {
      for (let i = 0; i < packets; i++) await appctl('netdev-dummy/receive', 'p1br0', arp(host++));
    };
    await limit(3);
    await ovs.addBridge('br0');
    // Flows that nothing is sent to any more stay for the length of the test.
    await must(['ovs-vsctl', 'set', 'Open_vSwitch', '.', 'other_config:max-idle=60000'], { env });
    const consult = 'actions=move:NXM_OF_ETH_SRC[0..31]->NXM_NX_REG0[],output:2';
    await must(['ovs-ofctl', 'add-flow', 'br0', consult], { env });
    await receive(6);
    await eventually('three flows', async () => (await flows()) === 3, 10_000);
    await limit(100);
    await receive(8);
    await eventually('eleven flows', async () => (await flows()) === 11, 10_000);
    expect(await appctl('upcall/show')).toContain('(limit 100)');
    await limit(5);
    await eventually('the rest to go', async () => (await flows()) <= 5, 10_000);
  });
});
