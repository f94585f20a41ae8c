/** What the log says of messages that are wrong, in Open vSwitch's words. */
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { stoppedClock } from '../../../src/common/clock.js';
import { type LogSink, logHub } from '../../../src/common/log.js';
import { getActions } from '../../../src/openflow/codec/actions.js';
import { Reader } from '../../../src/openflow/codec/buffer.js';
import { decodeMessage } from '../../../src/openflow/codec/index.js';
import { logCodecWarnings } from '../../../src/openflow/codec/warnings.js';
import { W_NW } from '../../../src/packet/flow-layout.js';

const bytes = (hex: string): Uint8Array => Buffer.from(hex.replace(/ /g, ''), 'hex');

let lines: string[] = [];
const sink: LogSink = {
  destination: 'console',
  write: (_sequence, module, level, message) => void lines.push(`${module}|${level}|${message}`),
};

beforeAll(() => void logHub.sinks.push(sink));
afterAll(() => void logHub.sinks.splice(logHub.sinks.indexOf(sink), 1));
beforeEach(() => {
  lines = [];
  logCodecWarnings(null);
});

it.each([
  ['0163 0008 00000001', 'ofp_msgs|warn|unknown OpenFlow message (version 1, type 99)'],
  [
    '0110 000c 00000001 0077 0000',
    'ofp_msgs|warn|unknown OpenFlow message (version 1, type 16, stat 119)',
  ],
  [
    '0104 0010 00000001 00002320 00007777',
    'ofp_msgs|warn|unknown OpenFlow message (version 1, type 4, vendor 0x2320, subtype 30583)',
  ],
  [
    '0105 0010 00000001 0000000000000000',
    'ofp_msgs|warn|received OFPT_FEATURES_REQUEST with incorrect length 16 (expected length 8)',
  ],
  [
    '051c 0010 00000002 0000 0008 00000040',
    'ofp_connection|warn|bad value 0x40 for PACKET_IN (allowed mask 0x3f)',
  ],
  [
    '051c 0010 00000002 0011 0008 00000002',
    'ofp_connection|warn|unknown async config property type 17',
  ],
  [
    '0100 0010 00000001 0001 0008 00000000',
    'ofp_util|warn|peer does not support any OpenFlow version (between 0x01 and 0x1f)',
  ],
])('%s', (hex, line) => {
  decodeMessage(0, bytes(hex));
  expect(lines).toEqual([line]);
});

it('actions: which of them, and all of them', () => {
  const list = bytes('0000 0008 0001 0000 0000 0010 ffff ffff');
  expect(() => getActions(new Reader(list), list.length, 1)).toThrow('OFPBAC_BAD_LEN');
  const dump = '00000000  00 00 00 08 00 01 00 00-00 00 00 10 ff ff ff ff\n';
  expect(lines).toEqual([
    'ofp_actions|warn|OpenFlow action OFPAT_OUTPUT length 16 exceeds action buffer length 8',
    `ofp_actions|warn|bad action at offset 8 (OFPBAC_BAD_LEN):\n${dump}`,
  ]);
});

it.each([
  [
    '0000 00f0 0000 0000',
    'ofp_actions|warn|OpenFlow action OFPAT_OUTPUT length 240 exceeds action buffer length 8',
  ],
  [
    '0000 0010 0000 0000 0000000000000000',
    'ofp_actions|warn|OpenFlow action OFPAT_OUTPUT length 16 not in valid range [8,8]',
  ],
  [
    'ffff 0011 00002320 0015 0001 00000000 80003039 00000000',
    'ofp_actions|warn|OpenFlow action NXAST_DEC_TTL_CNT_IDS length 17 is not a multiple of 8',
  ],
  [
    'ffff 0018 00002320 0007 000f 0001d504 000000000000f009',
    'meta_flow|warn|destination field ct_zone is not writable',
  ],
  [
    'ffff 0030 00002320 0023 0001 00000000 0000 ff 000000 0000 ' +
      'ffff 0018 00002320 0023 0000 00000000 0000 ff 000000 0000',
    "ofp_actions|warn|ct action doesn't support nested action ct",
  ],
])('the action %s', (hex, line) => {
  const list = bytes(hex);
  expect(() => getActions(new Reader(list), list.length, 1)).toThrow();
  expect(lines[0]).toBe(line);
});

it('what a match of 1.0 says of fields that its packets do not have', () => {
  const match =
    '003fffcf 0000 000000000000 000000000000 0000 00 00 0806 04 00 0000 00000000 00000000';
  const tos = match.replace('003fffcf', '001fffef');
  const rest = '0000000000000000 0000 0000 0000 8000 ffffffff ffff 0000';
  const mod = `010e 0048 00000001 ${tos} 0000 0000 ${rest}`;
  decodeMessage(0, bytes(mod));
  expect(lines).toEqual([
    'ofp_match|info|normalization changed ofp_match, details:',
    'ofp_match|info| pre: arp,nw_tos=4',
    'ofp_match|info|post: arp',
  ]);
});

it('a peer cannot flood the log', () => {
  logCodecWarnings(stoppedClock());
  for (let i = 0; i < 100; i++) decodeMessage(0, bytes('0163 0008 00000001'));
  expect(lines).toHaveLength(5);
});

it('ports that cannot be, and the DSCP of OpenFlow 1.1 where it stands in the header', () => {
  const head = '020e 0088 00000001 0000000000000000 0000000000000000 00 00 0000 0000 8000 ffffffff';
  const rest = 'ffffffff ffffffff 0000 0000';
  const mods = (
    inPort: string,
    wildcards: string,
    tos: string,
  ): ReturnType<typeof decodeMessage> => {
    const ethernet = '000000000000ffffffffffff 000000000000ffffffffffff 0000 00 00 0800';
    const ip = `${tos} 00 00000000ffffffff 00000000ffffffff 0000 0000 00000000 00 000000`;
    const metadata = '0000000000000000ffffffffffffffff';
    const match = `0000 0058 ${inPort} ${wildcards} ${ethernet} ${ip} ${metadata}`;
    return decodeMessage(2, bytes(`${head} ${rest} ${match}`));
  };
  expect(mods('12345678', '000003f6', '00').error).toBe('OFPBMC_BAD_VALUE');
  const range = '0 through 65279 or 0xffffff00 through 0xffffffff';
  expect(lines).toEqual([`ofp_port|warn|port 305419896 is outside the supported range ${range}`]);
  const { msg } = mods('00000000', '000003e7', 'fc');
  expect(msg?.type === 'flow_mod' && msg.match.flow[W_NW] >>> 16).toBe(0xfc);
  expect(mods('00000000', '000003e7', '04').error).toBeUndefined();
  expect(mods('00000000', '000003e7', '03').error).toBe('OFPBMC_BAD_VALUE');
});
