/**
 * Forwarding workers on real interfaces: how many there are, what they read, and what happens when
 * one dies. Texts are those of Open vSwitch's dpif-netdev/pmd-* commands.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadNative } from '../../src/native/binding.js';
import { eventually } from '../support/command.js';
import { type Host, Lab } from '../support/lab.js';
import type { Switch } from '../support/switch.js';

const cpus = loadNative().getAffinity();

let lab: Lab;
let sw: Switch;
let h1: Host;

/** 'port queue core' of each receive queue, sorted. */
async function assignment(): Promise<string[]> {
  let core = '';
  const found: string[] = [];
  for (const line of (await sw.appctl('dpif-netdev/pmd-rxq-show')).split('\n')) {
    core = line.match(/^pmd thread numa_id \d+ core_id (\d+):$/)?.[1] ?? core;
    const queue = line.match(/^ {2}port: (\S+) +queue-id: +(\d+) \(enabled\) /);
    if (queue) found.push(`${queue[1]} ${queue[2]} ${core}`);
  }
  return found.sort();
}

async function setCpus(...wanted: number[]): Promise<void> {
  const mask = wanted.reduce((sum, cpu) => sum | (1n << BigInt(cpu)), 0n).toString(16);
  await sw.vsctl('set', 'Open_vSwitch', '.', `other_config:pmd-cpu-mask=${mask}`);
}

beforeAll(async () => {
  lab = await Lab.start({ workers: true });
  ({ sw } = lab);
  h1 = await lab.addHost('h1', { port: 'p1', addresses: ['10.7.0.1/24'] });
  await lab.addHost('h2', { port: 'p2', addresses: ['10.7.0.2/24'] });
  await sw.addBridge('br0');
  await sw.vsctl('add-port', 'br0', 'p1', '--', 'add-port', 'br0', 'p2');
  await eventually('the first ping', async () => (await h1.ping('10.7.0.2', 1)) === 1, 10_000);
});

afterAll(() => lab?.close());

describe('forwarding workers', () => {
  it('are one, on the last CPU that the process may use, unless more are asked for', async () => {
    const last = cpus.at(-1);
    expect(await assignment()).toEqual([`br0 0 ${last}`, `p1 0 ${last}`, `p2 0 ${last}`]);
    const text = await sw.appctl('dpif-netdev/pmd-rxq-show');
    expect(text).toMatch(
      new RegExp(
        `^Displaying last 60 seconds pmd usage %\npmd thread numa_id 0 core_id ${last}:\n` +
          '  isolated : false\n' +
          '  port: br0               queue-id:  0 \\(enabled\\)   ' +
          'pmd usage: (NOT AVAIL|[ \\d]\\d %)\n',
      ),
    );
  });

  it.runIf(cpus.length > 1)('come, share the queues, are pinned to, and go', async () => {
    const [a, b] = cpus;
    await setCpus(a, b);
    expect((await assignment()).length).toBe(6);
    for (const cpu of [a, b]) {
      expect((await assignment()).filter((line) => line.endsWith(` ${cpu}`)).length).toBe(3);
    }
    expect(await h1.ping('10.7.0.2', 5, 0.05)).toBe(5);
    await sw.vsctl('set', 'Interface', 'p1', `other_config:pmd-rxq-affinity=0:${b},1:${b}`);
    const pinned = await assignment();
    expect(pinned).toContain(`p1 0 ${b}`);
    expect(pinned).toContain(`p1 1 ${b}`);
    expect(pinned.filter((line) => line.endsWith(` ${a}`)).length).toBe(4);
    const text = await sw.appctl('dpif-netdev/pmd-rxq-show', '-pmd', `${b}`);
    expect(text).toContain(`core_id ${b}:\n  isolated : true\n`);
    expect(text).not.toContain(`core_id ${a}:`);
    expect(await h1.ping('10.7.0.2', 5, 0.05)).toBe(5);
    await sw.vsctl('remove', 'Interface', 'p1', 'other_config', 'pmd-rxq-affinity');
    await sw.vsctl('set', 'Interface', 'p1', 'options:n_rxq=3');
    expect((await assignment()).filter((line) => line.startsWith('p1')).length).toBe(3);
    await sw.vsctl('set', 'Open_vSwitch', '.', 'other_config:pmd-rxq-assign=roundrobin');
    expect(await sw.appctl('dpif-netdev/pmd-rxq-rebalance')).toBe('pmd rxq rebalance requested.\n');
    expect(await h1.ping('10.7.0.2', 5, 0.05)).toBe(5);
    await sw.vsctl('remove', 'Interface', 'p1', 'options', 'n_rxq');
    await setCpus(b);
    expect((await assignment()).length).toBe(3);
    expect(await h1.ping('10.7.0.2', 5, 0.05)).toBe(5);
  });

  it.runIf(cpus.length > 1)('forward the first packet of a flow like those after it', async () => {
    const pair = cpus.slice(0, 2);
    await setCpus(...pair);
    const sent = async (cpu: number) => {
      const text = await sw.appctl('dpctl/tx-queue-show', 'p2');
      const lines = text.split('\n').filter((line) => line.includes(`core ${cpu}:`));
      return lines.reduce((sum, line) => sum + Number(line.match(/packets:(\d+)/)?.[1] ?? 0), 0);
    };
    for (const [mine, other] of [pair, pair.toReversed()]) {
      const pin = (port: string) => [
        'set',
        'Interface',
        port,
        `other_config:pmd-rxq-affinity=0:${mine},1:${mine}`,
      ];
      await sw.vsctl(...pin('p1'), '--', ...pin('p2'), '--', ...pin('br0'));
      await sw.appctl('dpctl/del-flows');
      const before = await sent(other);
      const own = await sent(mine);
      expect(await h1.ping('10.7.0.2', 2, 0.05)).toBe(2);
      expect(await sent(mine)).toBeGreaterThan(own);
      expect(await sent(other)).toBe(before);
    }
    for (const port of ['p1', 'p2', 'br0'])
      await sw.vsctl('remove', 'Interface', port, 'other_config', 'pmd-rxq-affinity');
    await setCpus(cpus[1]);
  });

  it('count what they do, anew after pmd-stats-clear', async () => {
    // Not what the kernel forwards.
    await sw.vsctl('set', 'Open_vSwitch', '.', 'other_config:hw-offload=false');
    await h1.ping('10.7.0.2', 2, 0.05);
    // A host may say something by itself between the two.
    await eventually('counters that begin anew', async () => {
      await sw.appctl('dpif-netdev/pmd-stats-clear');
      return (await sw.appctl('dpif-netdev/pmd-stats-show')).includes('  packets received: 0\n');
    });
    await h1.ping('10.7.0.2', 5, 0.05);
    const text = await sw.appctl('dpif-netdev/pmd-stats-show');
    const received = Number(text.match(/ {2}packets received: (\d+)\n/)?.[1]);
    expect(received).toBeGreaterThanOrEqual(10);
    expect(received).toBeLessThan(40);
    expect(text).toMatch(/ {2}idle cycles: \d+ \(\d+\.\d\d%\)\n {2}processing cycles: \d+ \(/);
    const perf = await sw.appctl('dpif-netdev/pmd-perf-show');
    expect(perf).toMatch(/Measurement duration: \d+\.\d{3} s\n/);
    expect(perf).toMatch(/\n {2}Iterations: +\d+ {2}\(\d+\.\d\d us\/it\)\n/);
    expect(perf).toMatch(/\n {2}- EMC hits: +\d+ {2}\( *\d+\.\d %\)\n/);
  });

  it('record single rounds when they are asked to', async () => {
    const show = (...args: string[]) => sw.appctl('dpif-netdev/pmd-perf-show', ...args);
    expect(await show()).not.toContain('Histograms');
    await sw.vsctl('set', 'Open_vSwitch', '.', 'other_config:pmd-perf-metrics=true');
    await h1.ping('10.7.0.2', 10, 0.05);
    const text = await show('-it', '5', '-ms', '3');
    expect(text).toMatch(/\nHistograms\n {3}cycles\/it {14}packets\/it {13}cycles\/pkt/);
    expect(text).toMatch(/\n {3}499 {7}\d+ +0 {9}\d+ /);
    expect(text).toMatch(/\n {3}iter {16}cycles {7}packets {6}cycles\/pkt/);
    expect(text.match(/^ {3}\d+ +\d+ +\d+ +\d+ +\d+ +\d+ +\d+ +\d+ *$/gm)?.length).toBe(5);
    expect(await show('-nh')).not.toContain('Histograms');
    expect(await sw.appctl('dpif-netdev/pmd-perf-log-set', 'on', '-us', '100', '-b', '1')).toBe('');
    const refused = await sw.try('appctl', 'dpif-netdev/pmd-perf-log-set', '-x');
    expect(refused.stderr).toContain('Usage: ovs-appctl dpif-netdev/pmd-perf-log-set [on|off] ');
    await sw.vsctl('remove', 'Open_vSwitch', '.', 'other_config', 'pmd-perf-metrics');
    expect(await show()).not.toContain('Histograms');
  });

  it('never sleep when told a longest sleep of 0', async () => {
    const iterations = async () =>
      Number(/Iterations: +(\d+)/.exec(await sw.appctl('dpif-netdev/pmd-perf-show'))?.[1]);
    await sw.vsctl('set', 'Open_vSwitch', '.', 'other_config:pmd-maxsleep=0');
    const before = await iterations();
    await eventually('rounds without a frame', async () => (await iterations()) > before + 50_000);
    expect(await h1.ping('10.7.0.2', 5, 0.01)).toBe(5);
    await sw.vsctl('remove', 'Open_vSwitch', '.', 'other_config', 'pmd-maxsleep');
    await eventually('them to end', async () => {
      const then = await iterations();
      return (await iterations()) < then + 20_000;
    });
  });

  it('that die are started again, with their flows', async () => {
    const core = (await assignment())[0].split(' ')[2];
    const restarts = () => (sw.log.match(/forwarding worker \d+ started again/g) ?? []).length;
    const flows = async () => (await sw.appctl('dpctl/dump-flows')).split('\n').length;
    const pinged = () =>
      eventually('a ping', async () => (await h1.ping('10.7.0.2', 1)) === 1, 15_000);
    // On a busy machine what comes next takes longer than flows without packets live.
    await sw.vsctl('set', 'Open_vSwitch', '.', 'other_config:max-idle=60000');
    for (const how of ['error', 'stop']) {
      await pinged();
      expect(await flows()).toBeGreaterThan(2);
      const before = restarts();
      await sw.appctl('dpif-netdev/pmd-kill', core, how);
      await eventually('the worker to be started again', () => restarts() > before, 15_000);
      // It has them again before a packet comes that could install them.
      expect(await flows()).toBeGreaterThan(2);
      await pinged();
    }
    expect(sw.log).toMatch(/\|ERR\|forwarding worker \d+ ended: it was told to fail/);
    expect(sw.log).toMatch(/\|WARN\|forwarding worker \d+ will be started again in 100 ms/);
    const refused = await sw.try('appctl', 'dpif-netdev/pmd-kill', '4095');
    expect(refused.stderr).toContain('no such pmd thread');
  });
});
