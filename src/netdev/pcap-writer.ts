/**
 * Classic pcap files of Ethernet frames, for dummy devices.
 *
 *     | magic a1b2c3d4 | 2 | 4 | zone 0 | sigfigs 0 | snaplen | linktype 1 |     24 bytes, once
 *     | seconds | microseconds | captured length | length | frame ... |         for each frame
 *
 * Writing is synchronous: a test reads the file right after the frame was sent.
 *
 * Not for: captures of live traffic (they are pcapng).
 */
import { closeSync, fstatSync, openSync, writeSync } from 'node:fs';

const LINKTYPE_ETHERNET = 1;
/** Said in the header, not enforced: frames are written whole. */
const SNAPLEN = 1518;
const FILE_HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;

export class PcapWriter {
  private fd: number;

  /** Opens `path` for appending; a new or empty file gets a header.
   * @throws the system's error when it cannot be opened */
  constructor(
    readonly path: string,
    /** Wall-clock milliseconds for the records. */
    private readonly wallNow: () => number,
  ) {
    this.fd = openSync(path, 'a');
    if (fstatSync(this.fd).size > 0) return;
    const header = Buffer.alloc(FILE_HEADER_BYTES);
    header.writeUInt32LE(0xa1b2c3d4, 0);
    header.writeUInt16LE(2, 4);
    header.writeUInt16LE(4, 6);
    header.writeUInt32LE(SNAPLEN, 16);
    header.writeUInt32LE(LINKTYPE_ETHERNET, 20);
    writeSync(this.fd, header);
  }

  write(frame: Uint8Array): void {
    if (this.fd < 0) return;
    const now = this.wallNow();
    const record = Buffer.alloc(RECORD_HEADER_BYTES + frame.length);
    record.writeUInt32LE(Math.floor(now / 1000) >>> 0, 0);
    record.writeUInt32LE(Math.floor((now % 1000) * 1000), 4);
    record.writeUInt32LE(frame.length, 8);
    record.writeUInt32LE(frame.length, 12);
    record.set(frame, RECORD_HEADER_BYTES);
    writeSync(this.fd, record);
  }

  close(): void {
    if (this.fd >= 0) closeSync(this.fd);
    this.fd = -1;
  }
}
