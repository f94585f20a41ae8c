/**
 * A corpus of messages: at least one of each kind in each version that has it. Most are what Open
 * vSwitch 3.1's programs said to each other; the rest are laid out as the specifications have them.
 * The text beside each is what Debian's `ovs-ofctl ofp-print` makes of it.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  decodeMessage,
  encodeReplies,
  identifyMessage,
  messageKinds,
} from '../../../src/openflow/codec/index.js';
import { formatMessage } from '../../../src/openflow/syntax/message-format.js';

interface Sample {
  hex: string;
  /** Null: ovs-ofctl refuses it, or tells more of it than we do. */
  text: string | null;
}

const SAMPLES: readonly Sample[] = readFileSync(new URL('corpus.jsonl', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => JSON.parse(line));
const frameOf = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'));

/** What a continuation holds is the business of the switch that made it. */
const withoutContinuation = (text: string): string => text.replace(/^ continuation\..*\n/gm, '');

function kindOf(hex: string): string {
  const place = identifyMessage(frameOf(hex));
  if (typeof place === 'string') return place;
  const { msg, error } = decodeMessage(0, frameOf(hex), { tableId: true });
  return `${place.version} ${place.cls} ${place.number} ${msg?.type ?? error}`;
}

describe('the corpus', () => {
  it('has every kind of message in every version', () => {
    const there = new Set(SAMPLES.map(({ hex }) => kindOf(hex)));
    const kinds = messageKinds().map((k) => `${k.version} ${k.cls} ${k.number} ${k.type}`);
    expect(kinds.length).toBeGreaterThan(450);
    expect(kinds.filter((kind) => !there.has(kind))).toEqual([]);
  });

  it('is printed as ovs-ofctl prints it', () => {
    const compared = SAMPLES.filter(({ text }) => text !== null);
    expect(compared.length).toBeGreaterThan(SAMPLES.length - 8);
    for (const { hex, text } of compared) {
      const expected = withoutContinuation(text ?? '');
      expect(formatMessage(frameOf(hex), undefined, 2), hex).toBe(expected);
    }
  });

  it('means the same when it is encoded again', () => {
    const options = { tableId: true };
    let compared = 0;
    for (const { hex } of SAMPLES) {
      const frame = frameOf(hex);
      const { msg, xid } = decodeMessage(0, frame, options);
      if (msg === undefined) throw new Error(`${hex} does not decode`);
      // In which form a message of 1.0 goes is the connection's to say.
      const nxm = frame[0] === 1 && frame[1] === 4;
      const flowFormat = nxm ? ('nxm' as const) : ('openflow10' as const);
      const again = encodeReplies(frame[0], msg, xid, { ...options, flowFormat });
      expect(again).toHaveLength(1);
      // Where a version has a message in two forms, it goes out in the specification's.
      if (kindOf(Buffer.from(again[0]).toString('hex')) !== kindOf(hex)) continue;
      compared++;
      expect(decodeMessage(0, again[0], options).msg, hex).toEqual(msg);
    }
    expect(compared).toBeGreaterThan(SAMPLES.length - 20);
  });
});
