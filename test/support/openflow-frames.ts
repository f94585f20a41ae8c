/** Cuts a stream of OpenFlow into messages, for tests that only watch. */

/** @returns what takes the stream's pieces; `use` is given each whole message */
export function framePieces(use: (frame: Buffer) => void): (chunk: Buffer) => void {
  let waiting = Buffer.alloc(0);
  return (chunk) => {
    waiting = Buffer.concat([waiting, chunk]);
    while (waiting.length >= 8) {
      const length = waiting.readUInt16BE(2);
      if (length < 8 || waiting.length < length) return;
      use(Buffer.from(waiting.subarray(0, length)));
      waiting = waiting.subarray(length);
    }
  };
}
