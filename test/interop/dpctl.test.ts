/**
 * dpctl/* beside Debian's Open vSwitch, on dummy devices: the same commands, one after another, to
 * both; output, errors and exit status are the same.
 *
 * What a datapath without connection tracking answers is not shown by Debian's, which has it: those
 * texts are written out here.
 */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, type Finished, must, run } from '../support/command.js';
import { DummyOvs } from '../support/ovs-dummy.js';
import { tapswitchBin } from '../support/switch.js';

const DP = 'dummy@ovs-dummy';
const ETH = 'eth(src=00:00:00:00:00:01,dst=00:00:00:00:00:02)';
const UDP = [
  `in_port(1),${ETH},eth_type(0x0800)`,
  'ipv4(src=1.2.3.4,dst=1.2.3.5,proto=17,tos=0,ttl=64,frag=no),udp(src=1,dst=2)',
].join(',');
const PACKET = [
  `in_port(1),${ETH},eth_type(0x0806)`,
  'arp(sip=1.2.3.4,tip=1.2.3.5,op=1,sha=00:00:00:00:00:01,tha=00:00:00:00:00:00)',
].join(',');
const VLANS = '3,2,push_vlan(vid=5,pcp=0),4,1,push_vlan(vid=6,pcp=0),pop_vlan,pop_vlan,6';

/** Commands with the same answer; flows are those of one packet that both were given. */
const SAME: readonly (readonly string[])[] = [
  ['dump-dps'],
  ['show', DP],
  ['show', 'nosuch'],
  ['show', 'nosuch', DP],
  ['show', '-s'],
  ['show', '-x'],
  ['show', '--foo'],
  ['dump-flows'],
  ['dump-flows', '--names'],
  ['dump-flows', 'filter=arp'],
  ['dump-flows', 'filter=ip'],
  ['dump-flows', 'filter=in_port=p1br0,arp'],
  ['dump-flows', 'filter=foo'],
  ['dump-flows', DP, 'filter=arp', 'type=ovs'],
  ['dump-flows', 'type=non-offloaded'],
  ['dump-flows', 'type=dpdk,ovs'],
  ['dump-flows', 'type=all'],
  ['dump-flows', 'type=foo'],
  ['dump-flows', 'pmd=-1'],
  ['dump-flows', 'pmd=0'],
  ['dump-flows', 'pmd=x'],
  ['dump-flows', 'nosuch'],
  ['dump-flows', 'a', 'b', 'c', 'd', 'e', 'f', 'g'],
  ['add-flow', 'nosuch', 'in_port(1)', '2'],
  ['add-flow', 'foo(1)', '2'],
  ['add-flow', 'in_port(nosuch)', '2'],
  ['add-flow', 'in_port(1),eth(),eth_type(0x0807)', 'foo'],
  ['add-flow', 'ufid:zz in_port(1)', '2'],
  ['mod-flow', 'in_port(1),eth(),eth_type(0x0835)', '1'],
  ['get-flow', 'ufid:12345678-1234-1234-1234-123456789abd'],
  ['get-flow', 'foo'],
  ['get-flow', 'nosuch', 'ufid:12345678-1234-1234-1234-123456789abc'],
  ['del-flow', 'in_port(1),eth(),eth_type(0x0835)'],
  ['del-flow', 'foo'],
  ['add-flows', '/nonexistent'],
  ['del-flows', 'a', 'b', 'c'],
  ['offload-stats-show'],
  ['cache-get-size'],
  ['cache-get-size', 'nosuch'],
  ['cache-set-size', DP, 'masks-cache', '10'],
  ['cache-set-size', DP, 'masks-cache', 'x'],
  ['dump-conntrack', 'nosuch'],
  ['flush-conntrack', 'zone=x'],
  ['flush-conntrack', 'zone=1', 'foo=1'],
  ['flush-conntrack', 'a', 'b', 'c', 'd'],
  ['ct-set-maxconns', 'x'],
  ['ct-set-limits', 'default=x'],
  ['ct-set-limits', 'zone=1,foo=x'],
  ['ct-get-limits', 'zone=x'],
  ['ipf-set-enabled', 'v5'],
  ['ipf-set-min-frag', 'v4', 'x'],
  ['parse-actions', '1,push_vlan(vid=3,pcp=0),2', 'foo'],
  ['normalize-actions', UDP, VLANS],
  ['normalize-actions', 'in_port(1)', '2', 'foo'],
  ['set-if', DP, 'p1br0,type=foo'],
  ['set-if', DP, 'p1br0,port_no=1000'],
  ['set-if', DP, 'p9'],
  ['del-if', DP, 'nosuch'],
  ['del-if', 'nosuch', '7'],
  ['add-if', DP, 'p1br0,type=dummy'],
  ['add-dp', DP],
  ['add-dp', 'foo@bar'],
  ['del-dp', 'nosuch'],
  ['list-commands'],
];

/** What is asked of connection tracking, and the error of a datapath without it. */
const UNSUPPORTED: readonly (readonly [readonly string[], string])[] = [
  [['dump-conntrack'], 'starting conntrack dump'],
  [['flush-conntrack'], 'failed to flush conntrack'],
  [['ct-stats-show'], 'starting conntrack dump'],
  [['ct-get-nconns'], 'nconns could not be retrieved'],
  [['ct-enable-tcp-seq-chk'], 'enabling TCP sequence checking failed'],
  [['ct-set-limits', 'default=5'], 'failed to set conntrack limit'],
  [['ipf-get-status'], 'ipf status could not be retrieved'],
];

let debian: DummyOvs;
let ours: DummyOvs;

async function startWithPacket(program: string[]): Promise<DummyOvs> {
  const ovs = await DummyOvs.start([...program, '--pidfile']);
  const { env } = ovs;
  await ovs.addBridge('br0');
  await must(['ovs-ofctl', 'add-flow', 'br0', 'arp,actions=output:2'], { env });
  await must(['ovs-appctl', 'netdev-dummy/receive', 'p1br0', PACKET], { env });
  return ovs;
}

beforeAll(async () => {
  debian = await startWithPacket(['ovs-vswitchd']);
  ours = await startWithPacket([tapswitchBin, 'vswitchd']);
}, 60_000);

afterAll(async () => {
  await debian?.stop();
  await ours?.stop();
});

async function appctl({ env }: DummyOvs, [command, ...args]: readonly string[]): Promise<Finished> {
  return run(['ovs-appctl', `dpctl/${command}`, ...args], { env, timeoutMs: 20_000 });
}

/** Without times. */
function plain({ status, stdout, stderr }: Finished): Finished {
  return { status, stdout: stdout.replace(/used:[^,]*/g, 'used:T'), stderr };
}

describe('beside Open vSwitch', () => {
  it.each(SAME.map((command) => ({ command })))('dpctl/$command', async ({ command }) => {
    const [theirs, own] = [await appctl(debian, command), await appctl(ours, command)];
    expect(plain(own)).toEqual(plain(theirs));
  });
});

describe('drops by reason', () => {
  const count = async ({ env }: DummyOvs, reason: string): Promise<Finished> =>
    run(['ovs-appctl', 'coverage/read-counter', `drop_action_${reason}`], { env });

  it('are counted under the same names, from nothing on, the first packet too', async () => {
    const flow = 'in_port=2,priority=9,dl_type=0x1234,actions=drop';
    for (const { env } of [debian, ours]) {
      await must(['ovs-ofctl', 'add-flow', 'br0', flow], { env });
    }
    const names = ['of_pipeline', 'bridge_not_found', 'recursion_too_deep', 'too_many_resubmit'];
    for (const name of [...names, 'stack_too_deep', 'congestion', 'nonsense']) {
      expect(await count(ours, name), name).toEqual(await count(debian, name));
    }
    const packet = 'in_port(2),eth(src=50:54:00:00:00:05,dst=50:54:00:00:00:07),eth_type(0x1234)';
    for (const ovs of [debian, ours]) {
      const before = Number((await count(ovs, 'of_pipeline')).stdout);
      for (let i = 0; i < 3; i++) {
        await must(['ovs-appctl', 'netdev-dummy/receive', 'p2br0', packet], { env: ovs.env });
      }
      const all = async () => Number((await count(ovs, 'of_pipeline')).stdout) === before + 3;
      await eventually('three drops', all);
    }
  });
});

describe('without connection tracking', () => {
  it.each(UNSUPPORTED)('dpctl/%j: %s', async (command, text) => {
    const { status, stdout, stderr } = await appctl(ours, command);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toContain(`ovs-vswitchd: ${text} (Operation not supported)\n`);
  });
});

describe('tapswitch dpctl', () => {
  const dpctl = (...argv: string[]): Promise<Finished> =>
    run([tapswitchBin, 'dpctl', ...argv], { env: ours.env, timeoutMs: 20_000 });

  it('adds flows of a file, finds one by its ufid, tells errors from output', async () => {
    const ufid = 'ufid:12345678-1234-1234-1234-123456789abc';
    const file = join(ours.directory, 'flows.txt');
    const flow = 'in_port(2),eth(),eth_type(0x88cc)';
    await writeFile(file, `# flows\nadd ${ufid},${flow} 1\nbad\n`);
    const added = await dpctl('add-flows', file);
    await rm(file);
    const error = 'ovs-dpctl: Failed parsing line number 3, skipped!\n';
    expect(added).toMatchObject({ status: 0, stdout: '', stderr: error });
    expect((await dpctl('get-flow', ufid)).stdout).toMatch(/in_port\(2\).*actions:1\n$/);
    expect((await dpctl('-r', 'del-flow', flow)).status).toBe(1);
    expect((await dpctl('-s', 'del-flow', flow)).stdout).toBe('packets:0, bytes:0, used:never\n');
    expect((await dpctl('get-flow', ufid)).status).toBe(1);
  });
});
