/** What a bundle keeps of its messages comes back whole, and in order. */
import { describe, expect, it } from 'vitest';
import { BundleLog } from '../../../src/ofproto/connmgr/bundle-log.js';
import { decodeMessage, encodeMessage } from '../../../src/openflow/codec/index.js';
import type { FlowMod } from '../../../src/openflow/messages.js';
import { parseFlow } from '../../../src/openflow/syntax/flow-parse.js';
import { NO_NAMES } from '../../../src/openflow/syntax/names.js';

const OF14 = 5;
/** Thin matches and wide ones: pieces end in different places. */
const TEXTS = [
  'actions=drop',
  'in_port=3,actions=output:1',
  'tcp,nw_src=10.1.2.3,nw_dst=10.0.0.0/8,tp_dst=80,actions=output:2',
  'ipv6,ipv6_src=2001:db8::1,ipv6_dst=2001:db8::/32,ipv6_label=5,nw_tos=4,actions=output:1',
  `${Array.from({ length: 16 }, (_, i) => `reg${i}=${i + 1}`).join()},actions=output:4`,
];

function frameOf(i: number): Uint8Array {
  const delete1 = i % 7 === 3;
  const text = delete1 ? 'in_port=9' : `priority=${i % 60000},${TEXTS[i % TEXTS.length]}`;
  const mod = parseFlow(text, delete1 ? 'delete' : 'add', NO_NAMES).flow;
  return encodeMessage(OF14, mod, i + 1);
}

const decode = (frame: Uint8Array): FlowMod => decodeMessage(OF14, frame).msg as FlowMod;

describe('the log of a bundle', () => {
  it.each([0, 1, 2, 500, 20_000])('gives %i messages back', (count) => {
    const log = new BundleLog();
    let bytes = 0;
    for (let i = 0; i < count; i++) {
      const frame = frameOf(i);
      log.add(frame, decode(frame), true);
      bytes += frame.length;
    }
    expect([log.size, log.bytes]).toEqual([count, bytes]);
    const reader = log.reader();
    for (let i = 0; i < count; i++) {
      expect(reader.next()).toBe(true);
      const frame = frameOf(i);
      if (reader.xid !== i + 1 || Buffer.compare(reader.frame, frame) !== 0) expect.fail(`${i}`);
      const mod = decode(frame);
      const { addition } = reader;
      expect(addition === null).toBe(mod.command !== 'add');
      if (addition === null) continue;
      const match = reader.takeMatch();
      addition.hold(match);
      if (addition.priority !== mod.priority) expect.fail(`${i}`);
      if (i < 1000 || i > count - 1000) expect(addition.match).toEqual(mod.match);
    }
    expect(reader.next()).toBe(false);
  });
});
