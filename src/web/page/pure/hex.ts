/**
 * Frames as hexadecimal text.
 */

const ROW_BYTES = 16;

/** '0000  ff ff ff ff ff ff 0a ...  ......' for each 16 bytes. */
export function hexDump(hex: string): string {
  const bytes = hex.match(/../g) ?? [];
  const rows: string[] = [];
  for (let at = 0; at < bytes.length; at += ROW_BYTES) {
    const row = bytes.slice(at, at + ROW_BYTES);
    const text = row.map((byte) => printable(Number.parseInt(byte, 16))).join('');
    const columns = row.join(' ').padEnd(ROW_BYTES * 3 - 1);
    rows.push(`${at.toString(16).padStart(4, '0')}  ${columns}  ${text}`);
  }
  return rows.join('\n');
}

function printable(byte: number): string {
  return byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.';
}

/** Hexadecimal digits out of whatever was pasted: spaces, colons, a dump with offsets. */
export function hexDigits(text: string): string {
  return text
    .split('\n')
    .map((line) => line.replace(/^\s*(?:0x)?[0-9a-f]{4,8}[:\s]\s+/i, '').split(/ {2,}\S*$/)[0])
    .join('')
    .replace(/0x|[^0-9a-f]/gi, '')
    .toLowerCase();
}
