/**
 * Raw Ethernet frames in and out of an interface in a namespace, through a small Python program
 * (frame-socket.py), so that what is tested and what tests it share no code.
 */
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type BackgroundProcess, eventually, sleep } from './command.js';
import type { Namespace } from './netns.js';
import { python } from './switch.js';

const SCRIPT = fileURLToPath(new URL('./frame-socket.py', import.meta.url));
const MAX_KEPT = 100_000;

export class FrameSocket {
  /** Everything received since the last `clear()`, in order; VLAN tags in place. */
  received: Buffer[] = [];

  private constructor(private readonly process: BackgroundProcess) {}

  static async open(namespace: Namespace, device: string): Promise<FrameSocket> {
    const process = namespace.start([python, SCRIPT, device]);
    const socket = new FrameSocket(process);
    let ready = false;
    createInterface({ input: process.child.stdout! }).on('line', (line) => {
      if (line === 'ready') ready = true;
      else if (socket.received.length < MAX_KEPT) socket.received.push(Buffer.from(line, 'hex'));
    });
    await eventually(`a raw socket on ${device}`, () => {
      if (!process.running) throw new Error(process.text);
      return ready;
    });
    return socket;
  }

  /** Sends frames as they are, in order. */
  send(...frames: Uint8Array[]): void {
    const lines = frames.map((frame) => `${Buffer.from(frame).toString('hex')}\n`);
    this.process.child.stdin?.write(lines.join(''));
  }

  clear(): void {
    this.received = [];
  }

  /** Waits until a frame is there that `wanted` accepts, and returns it. */
  waitFor(what: string, wanted: (frame: Buffer) => boolean, timeoutMs = 3000): Promise<Buffer> {
    const find = () => this.received.find(wanted) as Buffer;
    return eventually(`${what} among ${this.received.length} frames`, find, timeoutMs, 20);
  }

  /** Frames that `wanted` accepts among those that arrive within `ms`. */
  async during(ms: number, wanted: (frame: Buffer) => boolean): Promise<Buffer[]> {
    await sleep(ms);
    return this.received.filter(wanted);
  }

  async close(): Promise<void> {
    await this.process.stop('SIGKILL');
  }
}
