/**
 * Records what OpenFlow peers say to each other, message by message, and writes it as a capture.
 *
 *     client --> unix socket of the recorder --> unix socket of the switch
 *                       |
 *                messages, whole, in either direction --> capture file, one message in a segment
 *
 * Not for: the sockets' timing, or what TCP makes of it.
 */
import { writeFile } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { framePieces } from './openflow-frames.js';

export interface RecordedMessage {
  fromSwitch: boolean;
  frame: Buffer;
}

export class OpenFlowRecorder {
  readonly messages: RecordedMessage[] = [];
  private readonly sockets = new Set<Socket>();

  private constructor(
    readonly path: string,
    private readonly server: Server,
  ) {}

  /** Listens at `path` for clients of the switch at `target`. */
  static async start(path: string, target: string): Promise<OpenFlowRecorder> {
    const server = createServer();
    const recorder = new OpenFlowRecorder(path, server);
    server.on('connection', (client) => recorder.join(client, connect(target)));
    await new Promise<void>((resolve) => server.listen(path, resolve));
    return recorder;
  }

  private join(client: Socket, peer: Socket): void {
    this.pipe(client, peer, false);
    this.pipe(peer, client, true);
  }

  private pipe(from: Socket, to: Socket, fromSwitch: boolean): void {
    this.sockets.add(from);
    const pieces = framePieces((frame) => this.messages.push({ fromSwitch, frame }));
    from.on('data', (chunk) => {
      pieces(chunk);
      to.write(chunk);
    });
    from.on('error', () => to.destroy());
    from.on('close', () => {
      this.sockets.delete(from);
      to.end();
    });
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

const ETH_IP_TCP_BYTES = 14 + 20 + 20;
const SEGMENT_BYTES_MAX = 60_000;
const OPENFLOW_PORT = 6653;
const CLIENT_PORT = 40_000;

/** A frame of a TCP segment between 10.0.0.1 and 10.0.0.2; checksums are left out. */
function segment(fromSwitch: boolean, seq: number, ack: number, data: Uint8Array): Buffer {
  const out = Buffer.alloc(ETH_IP_TCP_BYTES + data.length);
  out.set([2, 0, 0, 0, 0, fromSwitch ? 2 : 1, 2, 0, 0, 0, 0, fromSwitch ? 1 : 2, 8, 0, 0x45]);
  out.writeUInt16BE(40 + data.length, 16);
  out.set([64, 6], 22);
  out.set([10, 0, 0, fromSwitch ? 1 : 2, 10, 0, 0, fromSwitch ? 2 : 1], 26);
  out.writeUInt16BE(fromSwitch ? OPENFLOW_PORT : CLIENT_PORT, 34);
  out.writeUInt16BE(fromSwitch ? CLIENT_PORT : OPENFLOW_PORT, 36);
  out.writeUInt32BE(seq, 38);
  out.writeUInt32BE(ack, 42);
  out.set([0x50, 0x18, 0xff, 0xff], 46);
  out.set(data, ETH_IP_TCP_BYTES);
  return out;
}

/** Writes messages as a capture of one connection. */
export async function writeCapture(
  path: string,
  messages: readonly RecordedMessage[],
): Promise<void> {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(0x40000, 16);
  header.writeUInt32LE(1, 20);
  const parts: Buffer[] = [header];
  const next = [1, 1];
  for (const { fromSwitch, frame } of messages) {
    for (let at = 0; at < frame.length; at += SEGMENT_BYTES_MAX) {
      const data = frame.subarray(at, at + SEGMENT_BYTES_MAX);
      const [own, other] = fromSwitch ? [1, 0] : [0, 1];
      const packet = segment(fromSwitch, next[own], next[other], data);
      next[own] = (next[own] + data.length) >>> 0;
      const record = Buffer.alloc(16);
      record.writeUInt32LE(parts.length, 0);
      record.writeUInt32LE(packet.length, 8);
      record.writeUInt32LE(packet.length, 12);
      parts.push(record, packet);
    }
  }
  await writeFile(path, Buffer.concat(parts));
}
