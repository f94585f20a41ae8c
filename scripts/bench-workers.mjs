#!/usr/bin/env node
/**
 * Forwarding workers compared: frames a second, TCP, and CPU time for each frame, with one worker
 * and with two, over veth and into a TAP. As root; everything is made in namespaces of its own.
 *
 * usage: node scripts/bench-workers.mjs [--seconds 3] [--rounds 3] [--flows 1000] [--bin PATH]
 *          [--cases veth,tap,tcp] [--masks 2,3]
 *
 * CPU time is that of the workers' threads (/proc/PID/task): it does not count what the sender
 * takes, and little of what else the machine does.
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { values: options } = parseArgs({
  options: {
    seconds: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '3' },
    flows: { type: 'string', default: '1000' },
    bin: { type: 'string', default: join(root, 'bin', 'tapswitch') },
    cases: { type: 'string', default: 'veth,tap,tcp' },
    masks: { type: 'string', default: '2,3' },
    /** Internal: be the sender. */
    send: { type: 'string' },
  },
});
const TICK_US = 10_000;

/** Sends UDP frames of many flows as fast as it can, until it is killed. */
async function send(device) {
  const addon = join(root, 'native-bindings', 'build', 'Release', 'tapswitch.node');
  const native = createRequire(import.meta.url)(addon);
  // Left to itself, it ends up beside the worker that it wakes.
  native.setAffinity(native.getAffinity().slice(0, 1));
  const flows = Number(options.flows);
  const arena = native.arenaCreate(256 * Math.ceil((flows * 128 + 65_536) / 4096) * 4096);
  const offsets = new Int32Array(flows);
  const lengths = new Int32Array(flows).fill(64);
  const bytes = new DataView(arena);
  for (let n = 0; n < flows; n++) {
    const off = 64 + n * 128;
    offsets[n] = off;
    const frame = Buffer.from(
      '0200000000020200000000010800450000320000000040110000' + '0a0900010a0900021388000900000000',
      'hex',
    );
    for (const [i, byte] of frame.entries()) bytes.setUint8(off + i, byte);
    bytes.setUint16(off + 34, 1024 + (n % 60_000));
    bytes.setUint16(off + 38, 30);
  }
  const ready = new Int32Array(16);
  const io = new native.PacketIo({ arena, offsets, lengths, ready });
  const fd = native.packetTxOpen({ ifname: device, queue: -1, priority: 0, sndBufBytes: 1 << 21 });
  for (let at = 0; ; at = at + 64 >= flows ? 0 : at + 64) {
    io.send(fd, at, Math.min(64, flows - at));
    if (at === 0) await null;
  }
}

const run = (...argv) => execFileSync(argv[0], argv.slice(1), { encoding: 'utf8', stdio: 'pipe' });

/** Times that threads of a process slept, and that they had to let others run. */
function switches(pid, name = '') {
  const count = { slept: 0, preempted: 0 };
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const status = readFileSync(`/proc/${pid}/task/${task}/status`, 'utf8');
    if (!status.startsWith(`Name:\t${name}`)) continue;
    count.slept += Number(status.match(/^voluntary_ctxt_switches:\s+(\d+)/m)?.[1]);
    count.preempted += Number(status.match(/^nonvoluntary_ctxt_switches:\s+(\d+)/m)?.[1]);
  }
  return count;
}

/** CPU microseconds of all forwarding threads of a process. */
function workerCpuUs(pid) {
  let ticks = 0;
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const stat = readFileSync(`/proc/${pid}/task/${task}/stat`, 'utf8');
    if (!stat.includes('(pmd-')) continue;
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks * TICK_US;
}

class Bench {
  constructor() {
    this.tag = `tsbw${process.pid}`;
    this.dir = mkdtempSync(join(tmpdir(), 'tapswitch-bench-'));
    const dirs = { OVS_RUNDIR: this.dir, OVS_DBDIR: this.dir, OVS_LOGDIR: this.dir };
    this.env = { ...process.env, ...dirs };
  }

  ns(name, ...argv) {
    return run('ip', 'netns', 'exec', `${this.tag}${name}`, ...argv);
  }

  tool(...args) {
    return execFileSync('ip', ['netns', 'exec', `${this.tag}s`, options.bin, ...args], {
      encoding: 'utf8',
      env: this.env,
      stdio: 'pipe',
    });
  }

  async start() {
    for (const name of ['s', 'a', 'b']) run('ip', 'netns', 'add', `${this.tag}${name}`);
    for (const [port, host] of [
      ['p1', 'a'],
      ['p2', 'b'],
    ]) {
      const peer = ['peer', 'name', 'eth0', 'netns', `${this.tag}${host}`];
      this.ns('s', 'ip', 'link', 'add', port, 'type', 'veth', ...peer);
      this.ns('s', 'ip', 'link', 'set', port, 'up');
      this.ns(host, 'ip', 'link', 'set', 'eth0', 'up');
    }
    this.ns('a', 'ip', 'addr', 'add', '10.9.0.1/24', 'dev', 'eth0');
    this.ns('b', 'ip', 'addr', 'add', '10.9.0.2/24', 'dev', 'eth0');
    const argv = ['netns', 'exec', `${this.tag}s`, options.bin, 'start'];
    this.daemon = spawn('ip', argv, { env: this.env, stdio: 'ignore' });
    for (let i = 0; i < 100; i++) {
      await sleep(100);
      try {
        this.tool('vsctl', '--timeout=2', 'show');
        break;
      } catch {
        // Not there yet.
      }
    }
    this.tool(
      'vsctl',
      'add-br',
      'br0',
      '--',
      'add-port',
      'br0',
      'p1',
      '--',
      'add-port',
      'br0',
      'p2',
    );
    // Workers are what is compared, not the kernel.
    this.tool('vsctl', 'set', 'Open_vSwitch', '.', 'other_config:hw-offload=false');
    this.ns('s', 'ip', 'link', 'set', 'br0', 'up');
    this.ns('s', 'sysctl', '-q', '-w', 'net.ipv4.conf.all.rp_filter=0');
  }

  /** The daemon itself, below ip netns exec (which becomes it). */
  get pid() {
    return this.daemon.pid;
  }

  frames(where) {
    const [ns, device] = where === 'veth' ? ['b', 'eth0'] : ['s', 'br0'];
    const [link] = JSON.parse(this.ns(ns, 'ip', '-s', '-j', 'link', 'show', 'dev', device));
    return link.stats64.rx.packets + link.stats64.rx.dropped;
  }

  forward(where) {
    const out = where === 'tap' ? 'local' : 'p2';
    this.tool('ofctl', 'del-flows', 'br0');
    this.tool('ofctl', 'add-flow', 'br0', where === 'tcp' ? 'actions=normal' : `actions=${out}`);
  }

  async packets(where) {
    const argv = [fileURLToPath(import.meta.url), '--send', 'eth0', '--flows', options.flows];
    const nsArgv = ['netns', 'exec', `${this.tag}a`, process.execPath, ...argv];
    const sender = spawn('ip', nsArgv, { stdio: 'inherit' });
    await sleep(1500);
    const seconds = Number(options.seconds);
    const [frames, cpu, t0] = [this.frames(where), workerCpuUs(this.pid), performance.now()];
    const workers = switches(this.pid, 'pmd-');
    const before = switches(sender.pid);
    await sleep(seconds * 1000);
    const n = this.frames(where) - frames;
    const us = workerCpuUs(this.pid) - cpu;
    const elapsed = (performance.now() - t0) / 1000;
    const each = (now, then) => (1000 * (now - then)) / n;
    const then = switches(this.pid, 'pmd-');
    const result = {
      rate: n / elapsed / 1e6,
      cpu: us / n,
      slept: each(then.slept, workers.slept),
      preempted: each(then.preempted, workers.preempted),
      sender: each(switches(sender.pid).preempted, before.preempted),
    };
    sender.kill('SIGKILL');
    await sleep(300);
    return result;
  }

  async tcp() {
    const server = spawn('ip', ['netns', 'exec', `${this.tag}b`, 'iperf3', '-s', '-1'], {
      stdio: 'ignore',
    });
    await sleep(500);
    const cpu = workerCpuUs(this.pid);
    const text = this.ns('a', 'iperf3', '-J', '-P', '4', '-t', options.seconds, '-c', '10.9.0.2');
    const us = workerCpuUs(this.pid) - cpu;
    const { sum_received: sum } = JSON.parse(text).end;
    server.kill();
    return { rate: sum.bits_per_second / 1e9, cpu: us / (sum.bytes / 1448) };
  }

  async stop() {
    this.daemon?.kill('SIGTERM');
    await sleep(500);
    for (const name of ['s', 'a', 'b']) {
      try {
        run('ip', 'netns', 'del', `${this.tag}${name}`);
      } catch {
        // Never made.
      }
    }
    rmSync(this.dir, { recursive: true, force: true });
  }
}

function median(list) {
  return [...list].sort((a, b) => a - b)[list.length >> 1];
}

async function main() {
  const bench = new Bench();
  try {
    await bench.start();
    const results = new Map();
    for (let round = 0; round < Number(options.rounds); round++) {
      for (const mask of options.masks.split(',')) {
        bench.tool('vsctl', 'set', 'Open_vSwitch', '.', `other_config:pmd-cpu-mask=${mask}`);
        for (const which of options.cases.split(',')) {
          bench.forward(which);
          const result = which === 'tcp' ? await bench.tcp() : await bench.packets(which);
          const key = `${which.padEnd(5)} pmd-cpu-mask=${mask}`;
          results.set(key, [...(results.get(key) ?? []), result]);
        }
      }
    }
    for (const [key, list] of results) {
      const rate = median(list.map((r) => r.rate));
      const cpu = median(list.map((r) => r.cpu));
      const unit = key.startsWith('tcp') ? 'Gbit/s' : 'Mpps  ';
      const per = key.startsWith('tcp') ? 'us of CPU for 1448 bytes' : 'us of CPU a frame';
      const of = (name) => median(list.map((result) => result[name])).toFixed(0);
      const note =
        list[0].slept === undefined
          ? ''
          : `  for 1000 frames ${of('slept')} sleeps and ${of('preempted')} preemptions of workers, ` +
            `${of('sender')} preemptions of the sender`;
      console.log(`${key}  ${rate.toFixed(3)} ${unit}  ${cpu.toFixed(3)} ${per}${note}`);
    }
  } finally {
    await bench.stop();
  }
}

if (options.send) await send(options.send);
else await main();
