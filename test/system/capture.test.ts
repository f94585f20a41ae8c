/**
 * `tapswitch tcpdump` and `tapswitch brctl` on a running switch: what is captured is what passed,
 * and the mirror goes away with the command, also when it is killed.
 *
 *     h1 -- p1 [br1] p2 -- h2
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BackgroundProcess, eventually, must } from '../support/command.js';
import { type Host, Lab } from '../support/lab.js';
import { python, type Switch, tapswitchBin } from '../support/switch.js';

let lab: Lab;
let sw: Switch;
let h1: Host;

beforeAll(async () => {
  lab = await Lab.start();
  sw = lab.sw;
  h1 = await lab.addHost('h1', { port: 'p1', addresses: ['10.0.0.1/24'] });
  await lab.addHost('h2', { port: 'p2', addresses: ['10.0.0.2/24'] });
  expect(await brctl('addbr', 'br1')).toMatchObject({ status: 0 });
  expect(await brctl('addif', 'br1', 'p1', 'p2')).toMatchObject({ status: 0 });
  expect(await h1.ping('10.0.0.2', 2)).toBeGreaterThan(0);
}, 60_000);

afterAll(() => lab?.close());

function brctl(...argv: string[]) {
  const options = { env: sw.environment };
  return lab.namespace.run([tapswitchBin, 'brctl', ...argv], options);
}

async function mirrors(): Promise<string> {
  return (await sw.vsctl('--bare', '--columns=name', 'list', 'Mirror')).trim();
}

/** Starts a capture and waits until it listens. */
async function capture(...argv: string[]): Promise<BackgroundProcess> {
  const options = { env: sw.environment };
  const child = lab.namespace.start([tapswitchBin, 'tcpdump', ...argv], options);
  await eventually('tcpdump to listen', () => child.text.includes('listening on'), 15_000);
  return child;
}

describe('tapswitch tcpdump', () => {
  it('shows what passes a port, filtered, and leaves nothing behind', async () => {
    const child = await capture('p1', '-n', '-c', '6', 'icmp');
    expect(await mirrors()).toBe('mip1');
    // On a busy machine several requests may come before a reply.
    expect(await h1.ping('10.0.0.2', 3)).toBe(3);
    await child.finished(10_000);
    expect(child.text.match(/ICMP echo request/g)).toHaveLength(3);
    expect(child.text.match(/ICMP echo reply/g)).toHaveLength(3);
    expect(await mirrors()).toBe('');
    expect(await sw.vsctl('list-ports', 'br1')).toBe('p1\np2\n');
  }, 60_000);

  it('writes pcapng, of which other programs read every packet', async () => {
    const file = join(sw.directory, 'x.pcapng');
    const child = await capture('br1', '-w', file, '-c', '6', 'icmp');
    expect(await h1.ping('10.0.0.2', 4)).toBe(4);
    await child.finished(10_000);
    const text = await must(['tcpdump', '-n', '-r', file]);
    expect(text.match(/ICMP echo/g)).toHaveLength(6);
    expect(
      await must(['tshark', '-r', file, '-T', 'fields', '-e', 'frame.interface_name']),
    ).toMatch(/^(br1\n){6}$/);
  }, 60_000);

  it('takes its mirror along when it is killed', async () => {
    const child = await capture('p2', '-n');
    expect(await mirrors()).toBe('mip2');
    await child.stop('SIGKILL');
    await eventually('the mirror to go', async () => (await mirrors()) === '', 15_000);
    await eventually('its port to go', async () => !(await lab.namespace.hasLink('mip2')), 10_000);
    expect(await h1.ping('10.0.0.2', 1)).toBe(1);
  }, 60_000);

  it('writes what the switch drops, with the reason', async () => {
    await sw.must('ofctl', 'add-flow', 'br1', 'priority=9,udp,actions=drop');
    const file = join(sw.directory, 'drops.pcapng');
    const argv = [tapswitchBin, 'tcpdump', '--drops', '-w', file, '-c', '4', '--seconds=20'];
    const child = lab.namespace.start(argv, { env: sw.environment });
    const send = "import socket; s = socket.socket(2, 2); s.sendto(b'x' * 20, ('10.0.0.2', 9))";
    const ended = async () => {
      await h1.namespace.must([python, '-c', send]);
      return !child.running;
    };
    await eventually('four packets to be dropped', ended, 20_000, 100);
    expect(child.text).toContain('4 dropped packets in');
    const fields = ['-e', 'frame.interface_name', '-e', 'udp.dstport', '-e', 'frame.comment'];
    const text = await must(['tshark', '-r', file, '-T', 'fields', ...fields]);
    expect(text).toMatch(
      /^(p1\t9\tdrop_action_of_pipeline: the flow tables have no output.*\n){4}$/,
    );
    await sw.must('ofctl', 'del-flows', 'br1', 'udp');
  }, 60_000);

  it('says what it cannot capture', async () => {
    const options = { env: sw.environment };
    const { status, stderr } = await lab.namespace.run([tapswitchBin, 'tcpdump', 'nope'], options);
    expect([status, stderr]).toEqual([1, expect.stringContaining('[E_CAPTURE_SUBJECT]')]);
  });
});

describe('tapswitch brctl', () => {
  it('shows bridges, ports and addresses', async () => {
    const { stdout } = await brctl('show');
    expect(stdout).toMatch(/^bridge name\tbridge id\t\tSTP enabled\tinterfaces\n/);
    expect(stdout).toMatch(/^br1\t\t8000\.[0-9a-f]{12}\tno\t\tp1\n\t\t\t\t\t\t\tp2\n$/m);
    await h1.ping('10.0.0.2', 1);
    const macs = (await brctl('showmacs', 'br1')).stdout;
    expect(macs).toMatch(new RegExp(`^  1\t${h1.mac}\tno\t\t   \\d\\.00$`, 'm'));
    expect(macs).toMatch(/\tyes\t\t {3}0\.00$/m);
  }, 30_000);

  it('changes settings, and refuses what cannot be', async () => {
    await brctl('setageing', 'br1', '60');
    expect(await sw.vsctl('get', 'Bridge', 'br1', 'other_config:mac-aging-time')).toBe('"60"\n');
    await brctl('stp', 'br1', 'on');
    expect(await sw.vsctl('get', 'Bridge', 'br1', 'stp_enable')).toBe('true\n');
    await brctl('stp', 'br1', 'off');
    const refusals: [string[], RegExp][] = [
      [['addbr', 'br1'], /already exists; can't create/],
      [['delbr', 'br9'], /bridge br9 doesn't exist; can't delete it/],
      [['addif', 'br1', 'p1'], /already a member of a bridge/],
      [['delif', 'br1', 'p9'], /device p9 is not a slave of br1/],
      [['addif', 'br1', 'p9'], /p9/],
      [['setageing', 'br1', 'soon'], /bad ageing time/],
    ];
    for (const [argv, message] of refusals) {
      expect(await brctl(...argv)).toMatchObject({
        status: 1,
        stderr: expect.stringMatching(message),
      });
    }
    expect(await sw.vsctl('list-ports', 'br1')).toBe('p1\np2\n');
    expect(await brctl('delif', 'br1', 'p2')).toMatchObject({ status: 0 });
    expect(await brctl('delbr', 'br1')).toMatchObject({ status: 0 });
    expect(existsSync(join(sw.directory, 'br1.mgmt'))).toBe(false);
  }, 60_000);
});
