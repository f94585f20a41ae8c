/**
 * Frames for those who cannot finish a checksum themselves: controllers and captures.
 *
 * A sender on a veth leaves the checksum of UDP and TCP to a device that is never there; a virtio
 * header says so. What goes on through the switch keeps both. What leaves as bytes alone must be
 * complete: a controller sends it back without that header.
 */
import { VNET_HDR_LEN } from '../native/binding.js';
import type { FrameBytes } from './dpif.js';
import { finishChecksum } from './segment.js';

const NEEDS_CSUM = 1;

/** The frame's bytes, with its checksum. A segment of several packets stays as it is. */
export function finishedFrame({ data, vnetHdr }: FrameBytes): Uint8Array {
  if (!vnetHdr || (vnetHdr[0] & NEEDS_CSUM) === 0 || vnetHdr[1] !== 0) return data;
  const bytes = new Uint8Array(VNET_HDR_LEN + data.length);
  bytes.set(vnetHdr.subarray(0, VNET_HDR_LEN));
  bytes.set(data, VNET_HDR_LEN);
  const view = new DataView(bytes.buffer);
  finishChecksum(view, VNET_HDR_LEN, data.length, VNET_HDR_LEN, data.length);
  return bytes.subarray(VNET_HDR_LEN);
}
