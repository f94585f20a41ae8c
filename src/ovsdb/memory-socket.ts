/**
 * Two connected sockets within one process.
 *
 * Not for: more than one process (net.Socket).
 */
import { Duplex } from 'node:stream';

/** One end: what is written to it is read at the other. */
class MemorySocket extends Duplex {
  peer!: MemorySocket;
  /** The peer's write that waits until this end reads. */
  private blocked: (() => void) | null = null;

  override _read(): void {
    const done = this.blocked;
    this.blocked = null;
    done?.();
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error) => void): void {
    if (this.peer.destroyed) done(new Error('broken pipe'));
    else if (this.peer.push(chunk)) done();
    else this.peer.blocked = done;
  }

  override _final(done: () => void): void {
    this.peer.push(null);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const waiting = this.blocked;
    this.blocked = null;
    waiting?.();
    if (!this.peer.destroyed) process.nextTick(() => this.peer.destroy());
    done(error);
  }
}

/** Makes a connected pair of sockets. */
export function memorySocketPair(): [Duplex, Duplex] {
  const [a, b] = [new MemorySocket(), new MemorySocket()];
  a.peer = b;
  b.peer = a;
  return [a, b];
}
