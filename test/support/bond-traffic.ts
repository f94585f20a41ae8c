/** What bond tests do to a bond's links while pings pass, and what that costs. */
import { eventually } from './command.js';
import type { Host } from './lab.js';
import type { Namespace } from './netns.js';

/**
 * Pings that have to be answered after each change of a link; FLAP_PINGS sets it for longer looks.
 * They go out 10 ms apart, or as near to that as the kernel's timers allow.
 */
const PINGS = Number(process.env.FLAP_PINGS ?? 100);
/** Pings before anything is changed: traffic is under way then. */
const PINGS_BEFORE = 20;

/** Pings without end; which of them were answered is read from what the program prints. */
class PingStream {
  private readonly process;

  constructor(host: Host, address: string) {
    this.process = host.namespace.start(['ping', '-n', '-i', '0.01', '-W', '1', address]);
  }

  /** Sequence numbers that were answered, each once. */
  private get answered(): Set<number> {
    const { stdout } = this.process.output;
    return new Set([...stdout.matchAll(/icmp_seq=(\d+) ttl=/g)].map((match) => Number(match[1])));
  }

  /** The last one that was answered so far. */
  get last(): number {
    return Math.max(0, ...this.answered);
  }

  /** Waits until as many more are answered. */
  async pass(count: number): Promise<void> {
    const goal = this.answered.size + count;
    const passed = () => this.answered.size >= goal;
    await eventually(`${count} pings to be answered`, passed, 10_000 + count * 50);
  }

  async stop(): Promise<void> {
    await this.process.stop('SIGINT');
  }

  /** How many of the pings after one and up to another were not answered. */
  lost(after: number, upTo: number): number {
    return upTo - after - [...this.answered].filter((n) => n > after && n <= upTo).length;
  }
}

/** Members of a bond that bond/show says are enabled, sorted. */
export function enabledMembers(bondShow: string): string[] {
  return [...bondShow.matchAll(/^member (\S+): enabled$/gm)].map((m) => m[1]).sort();
}

interface FlapCost {
  down: number;
  up: number;
}

/**
 * Takes a link down and brings it back under one stream of pings, which goes on until the bond
 * has recovered and some more are answered. A ping that is under way when the link comes back
 * counts for that.
 */
async function flap(
  wire: { namespace: Namespace; device: string },
  ping: { host: Host; address: string },
  recovered: () => Promise<unknown>,
): Promise<FlapCost> {
  const set = (state: string) => wire.namespace.ip('link', 'set', 'dev', wire.device, state);
  const pings = new PingStream(ping.host, ping.address);
  try {
    await pings.pass(PINGS_BEFORE);
    await set('down');
    await pings.pass(PINGS);
    const between = pings.last;
    await set('up');
    await recovered();
    await pings.pass(PINGS);
    return { down: pings.lost(0, between), up: pings.lost(between, pings.last) };
  } finally {
    await pings.stop();
  }
}

/** How often a failover is looked at again that took long to be noticed: others have the CPU. */
const ATTEMPTS = 3;

/** Flaps a link until its loss costs no more than `most` pings; what it costs is told each time. */
export async function flapWithin(
  most: number,
  what: string,
  ...flapped: Parameters<typeof flap>
): Promise<FlapCost> {
  for (let attempt = 1; ; attempt++) {
    const cost = await flap(...flapped);
    console.log(`${what} down: ${cost.down} lost, up: ${cost.up} lost`);
    if (cost.down <= most || attempt === ATTEMPTS) return cost;
  }
}
