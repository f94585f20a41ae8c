/**
 * Wires between dummy devices of one process: options:pstream=punix:PATH at one end,
 * options:stream=unix:PATH at the others.
 *
 *     p3 (stream) ──┐
 *                   ├──> PATH ──> p1 (pstream)        p1 sends to every p that dialled PATH
 *     p4 (stream) ──┘
 *
 * What a device sends waits, at most WIRE_QUEUE_MAX frames for each receiver, until the main loop's
 * next turn: bridges that are wired in a circle thus cannot run away within one call.
 *
 * PATH is a name only. Nothing listens on it: devices of other processes cannot be reached.
 */
import { NEVER } from '../common/clock.js';
import { getLogger } from '../common/log.js';

const WIRE_QUEUE_MAX = 100;

const log = getLogger('netdev_dummy');

/** What a wire needs of a device. */
export interface WireEnd {
  receive(frame: Uint8Array): void;
}

export type WireState = 'connected' | 'disconnected' | 'unknown';

interface Plug {
  passive: boolean;
  address: string;
  /** Frames on their way to this end. */
  queue: Uint8Array[];
}

export class DummyWires {
  private readonly plugs = new Map<WireEnd, Plug>();
  private pending = false;

  /** @param wake called when run() has something to do */
  constructor(private readonly wake: () => void = () => {}) {}

  /** Plugs `end` in as its options say, or out. */
  configure(end: WireEnd, options: Readonly<Record<string, string>>): void {
    const { pstream, stream } = options;
    if (pstream !== undefined && stream !== undefined) {
      log.warn(`Open failed: both ${pstream} and ${stream} are configured`);
      return;
    }
    const text = pstream ?? stream;
    if (text === undefined) {
      this.plugs.delete(end);
      return;
    }
    const address = wireAddress(text);
    const passive = pstream !== undefined;
    const old = this.plugs.get(end);
    if (old && old.passive === passive && old.address === address) return;
    this.plugs.delete(end);
    if (passive && this.listener(address)) {
      log.warn(`${text}: open failed (Address already in use)`);
      return;
    }
    this.plugs.set(end, { passive, address, queue: [] });
  }

  unplug(end: WireEnd): void {
    this.plugs.delete(end);
  }

  /** What `end` sent goes to the other end, or ends. */
  transmit(end: WireEnd, frame: Uint8Array): void {
    const plug = this.plugs.get(end);
    if (!plug) return;
    for (const peer of this.plugs.values()) {
      if (peer.address !== plug.address || peer.passive === plug.passive) continue;
      if (peer.queue.length >= WIRE_QUEUE_MAX) continue;
      peer.queue.push(Uint8Array.from(frame));
      this.pending = true;
    }
    if (this.pending) this.wake();
  }

  /** As netdev-dummy/conn-state tells it: only the end that dials knows. */
  state(end: WireEnd): WireState {
    const plug = this.plugs.get(end);
    if (!plug || plug.passive) return 'unknown';
    return this.listener(plug.address) ? 'connected' : 'disconnected';
  }

  /** Delivers what was sent before this call. */
  run(): void {
    if (!this.pending) return;
    this.pending = false;
    const arrivals = [...this.plugs].map(([end, plug]) => ({ end, frames: plug.queue.splice(0) }));
    for (const { end, frames } of arrivals) for (const frame of frames) end.receive(frame);
  }

  /** Monotonic milliseconds: at once, or NEVER. */
  nextWake(): number {
    return this.pending ? 0 : NEVER;
  }

  private listener(address: string): Plug | undefined {
    return [...this.plugs.values()].find((plug) => plug.passive && plug.address === address);
  }
}

/** The same for both ends: the path of unix and punix, the port of tcp and ptcp. */
function wireAddress(text: string): string {
  const unix = /^p?unix:(.*)$/.exec(text);
  if (unix) return `unix:${unix[1]}`;
  const port = /^ptcp:(\d+)/.exec(text) ?? /^tcp:.*:(\d+)$/.exec(text);
  return port ? `tcp:${port[1]}` : text;
}
