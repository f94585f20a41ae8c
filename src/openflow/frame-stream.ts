/**
 * The bytes of an OpenFlow connection on their way to and from its socket.
 *
 *     write() --> held while a piece is read --> sent by one call --> what does not fit: socket
 *     socket 'data' --> reader --> readMore(): what has come meanwhile, without waiting for a turn
 *
 * A client that waits for each answer (`ovs-ofctl add-flows`) sends its next request within
 * microseconds: reading again at once spares a turn of the event loop for each. On a machine that
 * is idle otherwise, to put this thread to sleep and wake it takes longer than all that a request
 * asks for, so the socket is asked for some microseconds more. After a time in vain that is left
 * out once, after the next one twice, and so on.
 * Where the socket has no descriptor, or system calls were not given, everything is the socket's.
 *
 * Not for: where frames begin and end, and what they mean (vconn.ts).
 */
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

/** System calls on a connected stream socket: a count of bytes, or -errno. Neither sleeps. */
export interface StreamCalls {
  /**
   * Reads into `buffer` from `offset` on; 0 is the end of the stream. Where there is nothing, asks
   * again for so many microseconds.
   */
  streamRecv(fd: number, buffer: Uint8Array, offset: number, waitUs: number): number;
  streamSend(fd: number, bytes: Uint8Array): number;
}

/** Answers go out together, but no more than so many bytes wait for each other. */
const HELD_BYTES_MAX = 64 * 1024;
const POOL_BYTES = 64 * 1024;
/** A piece is read only where so many bytes have room. */
const ROOM_BYTES_MIN = 4096;
const EAGAIN = 11;
/** A client that waits has its next request here by then: it wakes, encodes, and sends. */
const WAIT_US = 50;
const SKIPS_MAX = 64;

export class FrameStream {
  private held: Uint8Array[] = [];
  private heldBytes = 0;
  private holders = 0;
  private pool: Buffer | null = null;
  private poolUsed = 0;
  /** So many waits are left out from now on, and so many after the next one in vain. */
  private skips = 0;
  private skipsNext = 1;
  private readonly calls: StreamCalls | null;

  constructor(
    readonly socket: Socket,
    calls: StreamCalls | null = null,
  ) {
    this.calls = socket instanceof TLSSocket ? null : calls;
  }

  /** Bytes that the system has not taken yet. */
  get waitingBytes(): number {
    return this.socket.writableLength + this.heldBytes;
  }

  /** Frames are kept until as many calls of release() have come. */
  hold(): void {
    this.holders++;
  }

  release(): void {
    this.holders--;
    if (this.holders === 0) this.flush();
  }

  write(frame: Uint8Array): void {
    if (this.holders === 0 && this.held.length === 0) {
      this.put(frame);
      return;
    }
    this.held.push(frame);
    this.heldBytes += frame.length;
    if (this.heldBytes >= HELD_BYTES_MAX) this.flush();
  }

  /** Hands everything that is held over. */
  flush(): void {
    const { held, heldBytes } = this;
    if (held.length === 0) return;
    this.held = [];
    this.heldBytes = 0;
    this.put(held.length === 1 ? held[0] : Buffer.concat(held, heldBytes));
  }

  private put(bytes: Uint8Array): void {
    const { socket, calls } = this;
    const fd = calls === null || socket.writableLength > 0 ? -1 : descriptor(socket);
    const sent = fd < 0 ? 0 : (calls as StreamCalls).streamSend(fd, bytes);
    if (sent === bytes.length) return;
    // Errors too: the socket meets them again, and tells.
    socket.write(sent <= 0 ? bytes : bytes.subarray(sent));
  }

  /**
   * What has come since, or comes soon, or null. The bytes stay as they are, however long they are
   * kept. The end of the stream and errors are left for the socket to find.
   */
  readMore(): Buffer | null {
    const { socket, calls } = this;
    // What the socket still holds comes first.
    if (calls === null || socket.isPaused() || socket.readableLength > 0) return null;
    const fd = descriptor(socket);
    if (fd < 0) return null;
    if (this.pool === null || this.poolUsed > POOL_BYTES - ROOM_BYTES_MIN) {
      this.pool = Buffer.allocUnsafeSlow(POOL_BYTES);
      this.poolUsed = 0;
    }
    const at = this.poolUsed;
    let got = calls.streamRecv(fd, this.pool, at, 0);
    if (got === -EAGAIN) got = this.waitFor(calls, fd, this.pool);
    if (got <= 0) return null;
    this.poolUsed = at + got;
    return this.pool.subarray(at, at + got);
  }

  private waitFor(calls: StreamCalls, fd: number, pool: Buffer): number {
    if (this.skips > 0) {
      this.skips--;
      return 0;
    }
    // The peer may wait for what is held over.
    this.flush();
    const got = calls.streamRecv(fd, pool, this.poolUsed, WAIT_US);
    if (got > 0) {
      this.skipsNext = 1;
    } else {
      this.skips = this.skipsNext;
      this.skipsNext = Math.min(SKIPS_MAX, 2 * this.skipsNext);
    }
    return got;
  }
}

/** The socket's descriptor; -1 when it has none, or none any more. Node documents no way to it. */
function descriptor(socket: Socket): number {
  return (socket as { _handle?: { fd?: number } | null })._handle?.fd ?? -1;
}
