/**
 * What is wrong with a message, by the error that answers it: headers, matches and actions that
 * break one rule each; and bytes of messages as the specification lays them out.
 */
import { describe, expect, it } from 'vitest';
import { OFPP } from '../../../src/openflow/actions.js';
import { decodeMessage, encodeMessage, encodeReplies } from '../../../src/openflow/codec/index.js';
import { errorName, errorNumbers } from '../../../src/openflow/errors.js';
import { matchAny } from '../../../src/openflow/match.js';
import type { OfMessage } from '../../../src/openflow/messages.js';
import { parseFlow } from '../../../src/openflow/syntax/flow-parse.js';
import { NO_NAMES } from '../../../src/openflow/syntax/names.js';

/** A frame from hex; blanks between the parts. */
const frame = (text: string): Uint8Array =>
  Uint8Array.from(Buffer.from(text.replace(/\s/g, ''), 'hex'));
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('headers', () => {
  it.each([
    ['', 'OFPBRC_BAD_LEN'],
    ['01000007 000000', 'OFPBRC_BAD_LEN'],
    ['01050010 00000001', 'OFPBRC_BAD_LEN'],
    ['00050008 00000001', 'OFPBRC_BAD_VERSION'],
    ['09050008 00000001', 'OFPBRC_BAD_VERSION'],
    ['01630008 00000001', 'OFPBRC_BAD_TYPE'],
    ['0110000c 00000001 00770000', 'OFPBRC_BAD_STAT'],
    ['01100010 00000001 ffff0000 12345678', 'OFPBRC_BAD_VENDOR'],
    ['0104000c 00000001 12345678', 'OFPBRC_BAD_VENDOR'],
    ['01040010 00000001 00002320 00007777', 'OFPBRC_BAD_SUBTYPE'],
    ['0105000c 00000001 00000000', 'OFPBRC_BAD_LEN'],
    ['0114000c 00000001 fffe0000', 'OFPQOFC_BAD_PORT'],
    ['0114000c 00000001 ffff0000', 'OFPQOFC_BAD_PORT'],
    ['04160010 00000001 fffffffe 00000000', 'OFPQOFC_BAD_PORT'],
    ['04160010 00000001 00012345 00000000', 'OFPBAC_BAD_OUT_PORT'],
    ['04160010 00000001 ffffffff 00000000', undefined],
  ])('%s is %s', (text, error) => {
    expect(decodeMessage(0, frame(text)).error).toBe(error);
  });

  it('of another version than agreed are refused, but for hello, error and echo', () => {
    expect(decodeMessage(1, frame('04050008 00000001')).error).toBe('OFPBRC_BAD_VERSION');
    expect(decodeMessage(1, frame('04000008 00000001')).msg?.type).toBe('hello');
    expect(decodeMessage(1, frame('04020008 00000001')).msg?.type).toBe('echo_request');
  });
});

/** An NXT_FLOW_MOD that adds a flow with a match and actions, both in hex. */
function nxFlowMod(match: string, actions: string): Uint8Array {
  const m = frame(match);
  const padded = Buffer.concat([m, Buffer.alloc((8 - (m.length % 8)) % 8)]);
  const body = Buffer.concat([
    frame('00002320 0000000d 0000000000000000 0000 0000 0000 8000 ffffffff ffff 0000'),
    Uint8Array.of(m.length >> 8, m.length & 0xff, 0, 0, 0, 0, 0, 0),
    padded,
    frame(actions),
  ]);
  const length = 8 + body.length;
  return Uint8Array.from(
    Buffer.concat([Uint8Array.of(1, 4, length >> 8, length & 0xff, 0, 0, 0, 5), body]),
  );
}

describe('matches in NXM', () => {
  it.each([
    ['right', '00000602 0800', undefined],
    ['an unknown field', '00007e02 0800', 'OFPBMC_BAD_FIELD'],
    ['a wrong width', '00000603 080000', 'OFPBMC_BAD_LEN'],
    ['a cut entry', '00000602 08', 'OFPBMC_BAD_LEN'],
    ['a mask where none may be', '00000704 0800 ff00', 'OFPBMC_BAD_MASK'],
    ['value bits outside of the mask', '00000308 01000000 0fff0000', 'OFPBMC_BAD_LEN'],
    ['bits under no mask', '00010008 00000001 00000000', 'OFPBMC_BAD_LEN'],
    ['one field twice', '00000602 0800 00000602 0800', 'OFPBMC_DUP_FIELD'],
    ['a port without its protocol', '00001202 0050', 'OFPBMC_BAD_PREREQ'],
    ['an ARP operation of 256', '00000602 0806 00001e02 0100', 'OFPBMC_BAD_VALUE'],
  ])('%s', (_what, match, error) => {
    expect(decodeMessage(1, nxFlowMod(match, '')).error).toBe(error);
  });

  it('refuse values outside of their mask', () => {
    const masked = '00010108 00000005 00000004';
    expect(decodeMessage(1, nxFlowMod(masked, '')).error).toBe('OFPBMC_BAD_WILDCARDS');
  });
});

describe('actions', () => {
  it.each([
    ['an unknown type', '0063 0008 00000000', 'OFPBAC_BAD_TYPE'],
    ['no length', '0000 0000 00000000', 'OFPBAC_BAD_LEN'],
    ['an odd length', '0000 0009 00000000', 'OFPBAC_BAD_LEN'],
    ['a length beyond the message', '0000 0010 00000000', 'OFPBAC_BAD_LEN'],
    ['output to port 0xff00', '0000 0008 ff00 0000', 'OFPBAC_BAD_OUT_PORT'],
    ['output to none', '0000 0008 ffff 0000', 'OFPBAC_BAD_OUT_PORT'],
    ['a VLAN id of 4096', '0001 0008 1000 0000', 'OFPBAC_BAD_ARGUMENT'],
    ['a priority of 8', '0002 0008 08000000', 'OFPBAC_BAD_ARGUMENT'],
    ['an unknown vendor', 'ffff 0010 12345678 0000000000000000', 'OFPBAC_BAD_VENDOR'],
    ['an unknown subtype', 'ffff 0010 00002320 7777 000000000000', 'OFPBAC_BAD_VENDOR_TYPE'],
    [
      'load too wide',
      'ffff 0018 00002320 0007 0003 00010004 00000000000000ff',
      'OFPBAC_BAD_ARGUMENT',
    ],
    [
      'load beyond the field',
      'ffff 0018 00002320 0007 07df 00010004 0000000000000001',
      'OFPBAC_BAD_SET_LEN',
    ],
    ['conjunction of one', 'ffff 0010 00002320 0022 00 01 00000001', 'NXBAC_BAD_CONJUNCTION'],
    ['cut learn', 'ffff 0018 00002320 0010 00000000000000000000000000', 'OFPBAC_BAD_LEN'],
  ])('%s', (_what, actions, error) => {
    const bytes = actions.replace(/\s/g, '');
    const padded = bytes.padEnd(Math.ceil(bytes.length / 16) * 16, '0');
    expect(decodeMessage(1, nxFlowMod('', padded)).error).toBe(error);
  });

  it('nested deeper than 64 are refused', () => {
    let list = '';
    for (let i = 0; i < 70; i++) {
      const length = 16 + list.length / 2;
      list = `ffff${length.toString(16).padStart(4, '0')}00002320002a000000000000${list}`;
    }
    expect(decodeMessage(1, nxFlowMod('', list)).error).toBe('OFPBAC_TOO_MANY');
  });
});

describe('bytes', () => {
  it('of a bare hello, and of one with a version bitmap', () => {
    const hello = (versions: number[]): OfMessage => ({ type: 'hello', versions });
    expect(hex(encodeMessage(1, hello([1]), 1))).toBe('0100000800000001');
    expect(hex(encodeMessage(4, hello([1, 4]), 1))).toBe('04000010000000010001000800000012');
    const both = decodeMessage(0, frame('04000010 00000001 00010008 00000012')).msg;
    expect(both).toEqual(hello([1, 4]));
  });

  it('of an OpenFlow 1.0 flow mod', () => {
    const { flow } = parseFlow('in_port=1,tcp,nw_src=10.0.0.0/8 actions=output:2', 'add', NO_NAMES);
    const text = hex(encodeMessage(1, flow, 0x10, { flowFormat: 'openflow10' }));
    expect(text).toBe(
      hex(
        frame(
          '010e0050 00000010 003818ce 0001 000000000000 000000000000 0000 00 00 0800 00 06 0000' +
            '0a000000 00000000 0000 0000 0000000000000000 0000 0000 0000 8000 ffffffff ffff 0000' +
            '0000 0008 0002 0000',
        ),
      ),
    );
  });

  it('of an exact OpenFlow 1.0 flow mod mean the highest priority', () => {
    const text =
      '010e0048 00000001 00000000 0001 000000000001 000000000002 ffff 00 00 0800 00 06 0000' +
      '0a000001 0a000002 0050 0051 0000000000000000 0000 0000 0000 0005 ffffffff ffff 0000';
    const { msg } = decodeMessage(1, frame(text));
    expect(msg?.type === 'flow_mod' && msg.priority).toBe(0xffff);
  });

  it('of errors, the specification and Nicira its own', () => {
    const data = new Uint8Array(0);
    const error = (name: string): OfMessage => ({ type: 'error', error: name, data });
    expect(hex(encodeMessage(1, error('OFPFMFC_OVERLAP'), 2))).toBe('0101000c0000000200030001');
    expect(hex(encodeMessage(4, error('OFPFMFC_OVERLAP'), 2))).toBe('0401000c0000000200050003');
    expect(hex(encodeMessage(1, error('NXBRC_MUST_BE_ZERO'), 2))).toBe(
      '0101001400000002b0c200000000232000010203',
    );
    expect(hex(encodeMessage(4, error('NXBRC_MUST_BE_ZERO'), 2))).toBe(
      '0401001000000002ffff000400002320',
    );
  });

  it('of an error that a version lacks are those of a stand-in', () => {
    expect(errorNumbers('OFPBFC_SCHED_PAST', 1)).toEqual(
      errorNumbers('NXBRC_UNENCODABLE_ERROR', 1),
    );
    expect(errorName(1, 0, 3, 1)).toBe('OFPFMFC_OVERLAP');
    expect(errorName(1, 0, 99, 1)).toBeUndefined();
  });

  it('of a flow statistics request are in the form that it says', () => {
    const request: OfMessage = {
      ...{ type: 'flow_stats_request', aggregate: false, table: 255, match: matchAny() },
      ...{ outPort: OFPP.NONE, outGroup: 0xffffffff, cookie: 0n, cookieMask: 0n },
    };
    expect(hex(encodeMessage(1, { ...request, nx: true }, 1))).toBe(
      '0110002000000001ffff0000000023200000000000000000ffff0000ff000000',
    );
    const plain = encodeMessage(1, { ...request, nx: false }, 1);
    expect([plain.length, hex(plain.subarray(8, 12))]).toEqual([56, '00010000']);
  });
});

it('a flow that no message is long enough for is left out of its reply, and counted', () => {
  const entry = (priority: number, nActions: number) => ({
    ...{ table: 0, match: matchAny(), priority, cookie: 0n, durationSec: 0, durationNsec: 0 },
    ...{ idleTimeout: 0, hardTimeout: 0, idleAge: 0, hardAge: 0, importance: 0 },
    ...{ packets: 0n, bytes: 0n, flags: parseFlow('actions=drop', 'add', NO_NAMES).flow.flags },
    actions: Array.from({ length: nActions }, () => ({
      type: 'dec_ttl' as const,
      controllerIds: [0],
    })),
  });
  for (const version of [1, 4, 6]) {
    let leftOut = 0;
    const options = { onLeftOut: () => leftOut++ };
    const entries = [entry(1, 1), entry(2, 9000), entry(3, 1), entry(4, 9000)];
    const reply = { type: 'flow_stats_reply', nx: true, more: false, entries } as OfMessage;
    const frames = encodeReplies(version, reply, 7, options);
    const seen = frames.flatMap((each) => {
      const { msg } = decodeMessage(version, each);
      return msg?.type === 'flow_stats_reply' ? msg.entries.map((e) => e.priority) : [-1];
    });
    expect([seen, leftOut]).toEqual([[1, 3], 2]);
  }
});
