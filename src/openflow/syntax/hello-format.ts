/**
 * Greetings as text, with the bytes of what is in them beyond versions.
 */
import { hexDump } from './packet-format.js';

const HEADER_BYTES = 8;
const ELEMENT_HEADER_BYTES = 4;
const VERSION_BITMAP = 1;

/** The versions that a greeting names, and whether that is all that it says. */
function readHello(frame: Uint8Array): { versions: number[]; known: boolean } {
  let versions = Array.from({ length: Math.min(frame[0], 31) }, (_, i) => i + 1);
  let known = true;
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  for (let at = HEADER_BYTES; at < frame.length; ) {
    if (at + ELEMENT_HEADER_BYTES > frame.length) return { versions, known: false };
    const length = view.getUint16(at + 2);
    const padded = (length + 7) & ~7;
    if (length < ELEMENT_HEADER_BYTES || at + padded > frame.length) {
      return { versions, known: false };
    }
    const bytes = length - ELEMENT_HEADER_BYTES;
    const isBitmap = view.getUint16(at) === VERSION_BITMAP && bytes > 0 && bytes % 4 === 0;
    const bitmap = isBitmap ? view.getUint32(at + ELEMENT_HEADER_BYTES) & ~1 : 0;
    if (bitmap === 0) known = false;
    else versions = Array.from({ length: 31 }, (_, i) => i + 1).filter((v) => (bitmap >>> v) & 1);
    at += padded;
  }
  return { versions, known };
}

/** What follows a greeting's name and number. */
export function formatHello(frame: Uint8Array): string {
  const { versions, known } = readHello(frame);
  const names = versions.map((v) => `0x${v.toString(16).padStart(2, '0')}`);
  const text = `\n version bitmap: ${names.join(', ')}`;
  return known ? text : `${text}\n unknown data in hello:\n${hexDump(frame, true)}`;
}
