/**
 * The benchmark's network, one for each switch that is measured:
 *
 *     namespace -a             namespace -s               namespace -b
 *     eth0 10.99.0.1 -- veth -- p1  the switch  p2 -- veth -- eth0 10.99.0.2
 *     (generator)                                             (sink)
 *
 * Names begin with `tsbench` and the process id: nothing of the machine's own is touched.
 */
import { command } from './commands.js';

export const SOURCE_IP = '10.99.0.1';
export const SINK_IP = '10.99.0.2';
/** The two ends of the switch, in its namespace. */
export const PORTS = ['p1', 'p2'] as const;

let made = 0;

export class BenchNetwork {
  readonly source: string;
  readonly sink: string;
  readonly switchNamespace: string;

  private constructor(prefix: string) {
    this.source = `${prefix}-a`;
    this.sink = `${prefix}-b`;
    this.switchNamespace = `${prefix}-s`;
  }

  /** Makes namespaces and veth pairs; everything is up, with the kernel's default offloads. */
  static async make(): Promise<BenchNetwork> {
    made += 1;
    const network = new BenchNetwork(`tsbench${process.pid}-${made}`);
    try {
      await network.build();
    } catch (error) {
      await network.remove();
      throw error;
    }
    return network;
  }

  private async build(): Promise<void> {
    const { source, sink, switchNamespace } = this;
    for (const name of [source, sink, switchNamespace]) {
      await command(['ip', 'netns', 'add', name]);
      const quiet = 'echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6; ip link set lo up';
      await inNamespace(name, ['sh', '-c', quiet]);
    }
    for (const [namespace, port, address] of [
      [source, PORTS[0], SOURCE_IP],
      [sink, PORTS[1], SINK_IP],
    ]) {
      const peer = ['peer', 'name', 'eth0', 'netns', namespace];
      await command(['ip', '-n', switchNamespace, 'link', 'add', port, 'type', 'veth', ...peer]);
      await command(['ip', '-n', namespace, 'addr', 'add', `${address}/24`, 'dev', 'eth0']);
      await command(['ip', '-n', namespace, 'link', 'set', 'eth0', 'up']);
      await command(['ip', '-n', switchNamespace, 'link', 'set', port, 'up']);
    }
    // The generator's bursts become frames before they reach the interface, as if sent one by one.
    const whole = ['ethtool', '-K', 'eth0', 'tx-udp-segmentation', 'off'];
    await inNamespace(source, whole);
  }

  /** Packets that have arrived at the sink's interface so far. */
  async sinkPackets(): Promise<number> {
    const text = await command(['ip', '-n', this.sink, '-s', '-j', 'link', 'show', 'dev', 'eth0']);
    return JSON.parse(text)[0].stats64.rx.packets;
  }

  async remove(): Promise<void> {
    for (const name of [this.source, this.sink, this.switchNamespace]) {
      await command(['ip', 'netns', 'del', name]).catch(() => undefined);
    }
  }
}

/** Runs a command in a namespace; returns what it printed. */
export function inNamespace(name: string, argv: string[], timeoutMs?: number): Promise<string> {
  return command(['ip', 'netns', 'exec', name, ...argv], { timeoutMs });
}
