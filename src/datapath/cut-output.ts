/**
 * Output of what must be cut before it is sent: truncated frames, and large ones that the kernel
 * does not cut itself (segment.ts).
 *
 *     frame                    to be truncated    with an MPLS label, to AF_XDP    otherwise
 *     one packet               its first bytes    whole                            whole
 *     large (gso_type != 0)    of each packet     its packets                      whole
 *
 * The kernel refuses segmentation of a frame of type MPLS on a packet socket. A single packet's
 * unfinished checksum it does finish behind a label; only in a truncated one nobody can any more.
 *
 * Packets lie in the worker's copy area; when that is full, what waits is sent.
 */
// hot path
import { VNET_HDR_LEN } from '../native/binding.js';
import type { Egress } from './egress.js';
import type { FrameMemory } from './frame-memory.js';
import { finishChecksum, Segmenter } from './segment.js';
import { VNET_GSO_TYPE } from './vlan-edit.js';

/** The packet at hand. Its offset may change with every alloc. */
export interface LivePacket {
  off: number;
  len: number;
  /** Space for a frame in the copy area, or -1 (counted) when there is none. */
  alloc(len: number): number;
}

/** Cuts and outputs frames of one worker. */
export class CutOutput {
  private readonly segmenter: Segmenter;

  constructor(
    private readonly memory: FrameMemory,
    private readonly egress: Egress,
  ) {
    this.segmenter = new Segmenter(memory);
  }

  /** @param maxLen what is wanted of each packet; 0: all of it */
  output(packet: LivePacket, port: number, maxLen: number): void {
    const { off, len } = packet;
    const segmenter = this.segmenter;
    const gso = this.memory.view.getUint8(off + VNET_GSO_TYPE) !== 0;
    if (gso && segmenter.read(off, len)) {
      const cut = maxLen !== 0 && maxLen < segmenter.packetLen;
      const apart = segmenter.labelled || this.egress.cuts[port] === 1;
      if (cut || apart) this.packets(packet, port, cut ? maxLen : len);
      else this.egress.output(port, off, len);
    } else if (maxLen === 0 || maxLen >= len) {
      this.egress.output(port, off, len);
    } else {
      this.truncated(packet, port, maxLen);
    }
  }

  private packets(packet: LivePacket, port: number, maxLen: number): void {
    const segmenter = this.segmenter;
    const { packets, headerLen, packetLen } = segmenter;
    const room = Math.max(headerLen, Math.min(packetLen, maxLen));
    for (let i = 0; i < packets; i++) {
      const to = packet.alloc(room);
      if (to < 0) return;
      this.egress.output(port, to, segmenter.build(i, packet.off, to, maxLen));
    }
  }

  private truncated(packet: LivePacket, port: number, maxLen: number): void {
    const to = packet.alloc(maxLen);
    if (to < 0) return;
    const { view, u8 } = this.memory;
    const off = packet.off;
    u8.copyWithin(to, off, off + maxLen);
    finishChecksum(view, off, packet.len, to, maxLen);
    u8.fill(0, to - VNET_HDR_LEN, to);
    this.egress.output(port, to, maxLen);
  }
}
