/**
 * Pushing and popping an MPLS label, in place, behind the VLAN tags.
 *
 * As with tags (vlan-edit.ts), what lies in front of the label moves and the payload stays. The
 * Ethernet type in front of the label stack is written; that of the tags is left.
 */
// hot path
import { moveVnetPositions } from './vlan-edit.js';

export const MPLS_LABEL_LEN = 4;

/** Moves the virtio header and the frame up to `end` by `delta` bytes (-4 or 4). */
function moveFront(view: DataView, off: number, end: number, delta: number): void {
  if (delta < 0) {
    for (let i = off - 10; i < end; i++) view.setUint8(i + delta, view.getUint8(i));
  } else {
    for (let i = end - 1; i >= off - 10; i--) view.setUint8(i + delta, view.getUint8(i));
  }
}

/**
 * @param off the frame's offset; 14 bytes before it must be free or its virtio header
 * @param l3 where the first label, or the network header, begins
 * @returns the frame's new offset (4 less)
 */
export function pushMpls(
  view: DataView,
  off: number,
  l3: number,
  lse: number,
  ethType: number,
): number {
  moveFront(view, off, l3, -MPLS_LABEL_LEN);
  view.setInt32(l3 - MPLS_LABEL_LEN, lse);
  view.setUint16(l3 - MPLS_LABEL_LEN - 2, ethType);
  const to = off - MPLS_LABEL_LEN;
  moveVnetPositions(view, to, MPLS_LABEL_LEN);
  return to;
}

/** Pops the first label, which must be there. @returns the frame's new offset (4 more) */
export function popMpls(view: DataView, off: number, l3: number, ethType: number): number {
  moveFront(view, off, l3, MPLS_LABEL_LEN);
  view.setUint16(l3 + MPLS_LABEL_LEN - 2, ethType);
  const to = off + MPLS_LABEL_LEN;
  moveVnetPositions(view, to, -MPLS_LABEL_LEN);
  return to;
}
