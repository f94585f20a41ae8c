/**
 * Captures of ports, bounded in number, packets, bytes and time.
 *
 *     device of the port ──> tcpdump ──pcap──> memory ──> rows, pcapng
 *
 * tcpdump reads the device itself, so that nothing of the switch changes by it; a port without a
 * device of its own (patch, dummy) cannot be captured so: `tapswitch tcpdump` can, by a mirror.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { TapswitchError } from '../../common/errors.js';
import {
  type CapturedPacket,
  interfaceBlock,
  PcapReader,
  packetBlock,
  sectionHeader,
} from '../../packet/pcapng.js';
import { type Capture, Captures as CaptureList, type CaptureRequest } from '../api/index.js';
import type { Subject } from '../subject/subject.js';
import { portRows } from '../topics/port-rows.js';
import type { Resource } from '../topics/resource.js';

const KEPT_MAX = 8;
const RUNNING_MAX = 2;
const BYTES_MAX = 32 * 1024 * 1024;
const SNAPLEN = 4096;
const DEFAULTS = { seconds: 10, packets: 2000 };
/** What tcpdump may say of what is wrong. */
const ERROR_CHARS_MAX = 500;

interface Running {
  capture: Capture;
  packets: CapturedPacket[];
  child: ChildProcess | null;
  /** More than these are not kept. */
  packetsMax: number;
}

export class Captures {
  private readonly all = new Map<string, Running>();

  constructor(private readonly subject: Subject) {}

  /** Which captures there are, the newest first; what is in them takes the token. */
  resource(): Resource {
    return {
      topic: 'captures',
      path: '/captures',
      summary: 'Captures that are running or kept',
      answer: CaptureList,
      intervalMs: 500,
      tables: [],
      read: async () => [...this.all.values()].map(({ capture }) => ({ ...capture })).reverse(),
    };
  }

  /** @throws TapswitchError E_WEB_NOT_FOUND */
  get(id: string): { capture: Capture; packets: readonly CapturedPacket[] } {
    const found = this.all.get(id);
    if (found) return found;
    throw new TapswitchError('E_WEB_NOT_FOUND', 'there is no such capture (any more)');
  }

  /** @throws TapswitchError E_WEB_NOT_FOUND, E_WEB_BUSY, E_WEB_UNKNOWN */
  start({ port, filter = '', seconds, packets }: CaptureRequest): Capture {
    const device = this.deviceOf(port);
    const running = [...this.all.values()].filter(({ child }) => child !== null).length;
    if (running >= RUNNING_MAX) {
      throw new TapswitchError('E_WEB_BUSY', `${RUNNING_MAX} captures are running already`);
    }
    const capture: Capture = {
      id: randomBytes(8).toString('hex'),
      ...{ port, filter, state: 'running', error: null },
      startedAt: this.subject.clock.wallNow(),
      seconds: seconds ?? DEFAULTS.seconds,
      packets: 0,
      bytes: 0,
    };
    const packetsMax = packets ?? DEFAULTS.packets;
    const entry: Running = { capture, packets: [], child: null, packetsMax };
    this.all.set(capture.id, entry);
    this.forgetOldest();
    this.run(entry, device);
    return { ...capture };
  }

  /** The capture as a pcapng file. */
  file(id: string): Buffer {
    const { capture, packets } = this.get(id);
    const about = capture.filter === '' ? capture.port : `${capture.port}, ${capture.filter}`;
    return Buffer.concat([
      sectionHeader('tapswitch'),
      interfaceBlock(capture.port, about, SNAPLEN),
      ...packets.map((packet) => packetBlock(packet)),
    ]);
  }

  close(): void {
    for (const { child } of this.all.values()) child?.kill('SIGTERM');
    this.all.clear();
  }

  private deviceOf(port: string): string {
    const row = portRows(this.subject).find(({ name }) => name === port);
    if (!row) throw new TapswitchError('E_WEB_NOT_FOUND', `no port named ${port}`);
    if (/^[\w.@:+-]{1,15}$/.test(port) && existsSync(`/sys/class/net/${port}`)) return port;
    const hint = `'tapswitch tcpdump ${port}' captures by a mirror`;
    throw new TapswitchError('E_WEB_UNKNOWN', `${port} has no device of its own here`, hint);
  }

  private forgetOldest(): void {
    for (const [id, { child }] of this.all) {
      if (this.all.size <= KEPT_MAX) return;
      if (child === null) this.all.delete(id);
    }
  }

  private run(entry: Running, device: string): void {
    const { capture, packetsMax } = entry;
    // Behind '--' nothing is an option, whatever the filter says.
    const child = spawn(
      'tcpdump',
      [
        ...['-i', device, '-n', '-U', '-s', `${SNAPLEN}`, '-c', `${packetsMax}`],
        ...['--time-stamp-precision=nano', '-w', '-', '--', capture.filter],
      ],
      { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env.PATH } },
    );
    entry.child = child;
    let said = '';
    const timer = setTimeout(() => child.kill('SIGINT'), capture.seconds * 1000);
    const reader = new PcapReader();
    child.stdout.on('data', (chunk: Buffer) => this.take(entry, reader, chunk));
    child.stderr.on('data', (chunk) => {
      said = `${said}${chunk}`.slice(-ERROR_CHARS_MAX);
    });
    const end = (error: string | null): void => {
      clearTimeout(timer);
      if (entry.child === null) return;
      entry.child = null;
      capture.state = error === null ? 'done' : 'failed';
      capture.error = error;
    };
    child.on('error', ({ message }) => end(`tcpdump cannot be run: ${message}`));
    child.on('close', (status) => {
      const failed = status !== 0 && status !== null && capture.packets === 0;
      end(
        failed ? said.replace(/^tcpdump: /gm, '').trim() || `tcpdump ended with ${status}` : null,
      );
    });
  }

  private take(entry: Running, reader: PcapReader, chunk: Buffer): void {
    const { capture, packets, packetsMax, child } = entry;
    try {
      for (const packet of reader.push(chunk)) {
        if (packets.length >= packetsMax || capture.bytes >= BYTES_MAX) {
          child?.kill('SIGINT');
          return;
        }
        // A copy: the chunk's memory is shared.
        packets.push({ ...packet, data: Uint8Array.from(packet.data) });
        capture.packets += 1;
        capture.bytes += packet.data.length;
      }
    } catch {
      child?.kill('SIGINT');
    }
  }
}
