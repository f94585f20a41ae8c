/**
 * Network namespaces for tests, with names that tell which process made them, so that what a killed
 * run left behind is found and removed by the next one.
 *
 *     tslab-<pid of the test process>-<number>-<name>
 */
import { existsSync, readdirSync } from 'node:fs';
import {
  BackgroundProcess,
  eventually,
  type Finished,
  must,
  type RunOptions,
  run,
} from './command.js';

const PREFIX = 'tslab';
let made = 0;

/** One network namespace. Everything in it goes away with `remove()`. */
export class Namespace {
  private readonly background: BackgroundProcess[] = [];

  private constructor(readonly name: string) {}

  /** Makes a namespace with its loopback up. IPv6 is silent in it unless asked for. */
  static async make(label: string, options: { ipv6?: boolean } = {}): Promise<Namespace> {
    made += 1;
    const namespace = new Namespace(`${PREFIX}-${process.pid}-${made}-${label}`);
    await must(['ip', 'netns', 'add', namespace.name]);
    const quiet = options.ipv6 ? 0 : 1;
    await namespace.must([
      'sh',
      '-c',
      `echo ${quiet} > /proc/sys/net/ipv6/conf/default/disable_ipv6; ip link set lo up`,
    ]);
    return namespace;
  }

  get path(): string {
    return `/run/netns/${this.name}`;
  }

  /** The command line that runs `argv` in here. */
  argv(argv: readonly string[]): string[] {
    return ['ip', 'netns', 'exec', this.name, ...argv];
  }

  run(argv: readonly string[], options?: RunOptions): Promise<Finished> {
    return run(this.argv(argv), options);
  }

  must(argv: readonly string[], options?: RunOptions): Promise<string> {
    return must(this.argv(argv), options);
  }

  /** Starts a program in here; it is ended with the namespace at the latest. */
  start(argv: readonly string[], options?: RunOptions): BackgroundProcess {
    const child = BackgroundProcess.start(this.argv(argv), options);
    this.background.push(child);
    return child;
  }

  /** `ip ...` in here. */
  ip(...args: string[]): Promise<string> {
    return must(['ip', '-n', this.name, ...args]);
  }

  /** True when the interface exists in here. */
  async hasLink(device: string): Promise<boolean> {
    return (await run(['ip', '-n', this.name, 'link', 'show', 'dev', device])).status === 0;
  }

  /** Names of all interfaces but the loopback, sorted. */
  async links(): Promise<string[]> {
    const list = JSON.parse(await this.ip('-j', 'link', 'show')) as { ifname: string }[];
    return list
      .map((link) => link.ifname)
      .filter((name) => name !== 'lo' && !name.startsWith('ifb'))
      .sort();
  }

  async macOf(device: string): Promise<string> {
    const [link] = JSON.parse(await this.ip('-j', 'link', 'show', 'dev', device));
    return link.address as string;
  }

  /** Pings `count` times; returns how many answers came back. */
  async ping(address: string, count = 3, intervalS = 0.05, ...extra: string[]): Promise<number> {
    const argv = [
      'ping',
      '-n',
      '-c',
      `${count}`,
      '-i',
      `${intervalS}`,
      '-W',
      '1',
      ...extra,
      address,
    ];
    const { stdout } = await this.run(argv, { timeoutMs: 5000 + count * 1200 });
    return pingCounts(stdout).received;
  }

  /**
   * What comes to the interfaces in here is received on the first CPU: of what workers on several
   * hand over, the kernel's own queues then keep the order.
   */
  async receiveOnOneCpu(): Promise<void> {
    const all = 'for f in /sys/class/net/*/queues/rx-*/rps_cpus; do echo 1 > $f; done';
    await this.must(['sh', '-c', all]);
  }

  async remove(): Promise<void> {
    await Promise.all(this.background.map((child) => child.stop('SIGKILL')));
    await removeNamespace(this.name);
  }
}

/** Reads the line '5 packets transmitted, 4 received' of ping's output. */
export function pingCounts(output: string): { sent: number; received: number } {
  const match = output.match(/(\d+) packets transmitted, (\d+) received/);
  return { sent: Number(match?.[1] ?? 0), received: Number(match?.[2] ?? 0) };
}

async function removeNamespace(name: string): Promise<void> {
  const { stdout } = await run(['ip', 'netns', 'pids', name]);
  for (const pid of stdout.split('\n').filter(Boolean)) {
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch {
      // it has just ended by itself
    }
  }
  await run(['ip', 'netns', 'del', name]);
  await eventually(`namespace ${name} to go`, () => !existsSync(`/run/netns/${name}`), 5000);
}

/** Removes the namespaces of test processes that no longer exist. */
export async function sweepLeftovers(): Promise<void> {
  if (!existsSync('/run/netns')) return;
  for (const name of readdirSync('/run/netns')) {
    const pid = name.match(new RegExp(`^${PREFIX}-(\\d+)-`))?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) await removeNamespace(name);
  }
}
