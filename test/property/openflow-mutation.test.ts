/**
 * Right messages with some bytes changed, cut or repeated: each still decodes to a message or to an
 * error that can be sent, and prints as some text; and the memory that this takes does not grow
 * with the number. The messages are those made here and the corpus, which has every kind in every
 * version. Seeded (FUZZ_SEED); FUZZ_RUNS asks for more than the usual number.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { OFPP } from '../../src/openflow/actions.js';
import { decodeMessage, encodeMessage } from '../../src/openflow/codec/index.js';
import { errorNumbers } from '../../src/openflow/errors.js';
import type { OfMessage } from '../../src/openflow/messages.js';
import { parseFlow, parseFlowStatsRequest } from '../../src/openflow/syntax/flow-parse.js';
import { parseGroupMod } from '../../src/openflow/syntax/group-parse.js';
import { formatMessage } from '../../src/openflow/syntax/message-format.js';
import { parseMeter } from '../../src/openflow/syntax/meter-parse.js';
import { NO_NAMES } from '../../src/openflow/syntax/names.js';
import { monitoringMessages } from './openflow-monitoring.js';

const RUNS = Number(process.env.FUZZ_RUNS ?? 60_000);
const SEED = Number(process.env.FUZZ_SEED ?? 20240501);

/** What the process may grow by, whatever the number of messages. @units bytes */
const MAX_GROWTH = 400 << 20;
/** The garbage collector's own reserves are there after so many messages. */
const WARM = 20_000;

const FLOWS = [
  'priority=5,tcp,nw_src=10.0.0.0/8,tp_dst=80,actions=output:1,controller:128',
  'table=1,ipv6,ipv6_dst=fe80::/10,actions=set_field:5->reg0,resubmit(,2),output:NXM_NX_REG0[]',
  'arp,arp_op=1,actions=move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],load:0x2->NXM_OF_ARP_OP[],in_port',
  'tcp,actions=learn(table=3,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[]),normal',
  'ip,actions=ct(commit,zone=5,nat(src=10.0.0.1-10.0.0.9)),clone(push_vlan:0x8100,output:2)',
  'actions=bundle(eth_src,50,hrw,ofport,members:1,2),note:01.02.03,sample(probability=1)',
  'tun_metadata0=5,tun_metadata7=0xab/0xff,dl_type=0x894f,nsh_spi=5,nsh_c1=1,actions=decap()',
  'actions=encap(nsh(md_type=2,tlv(0x1000,10,0x12345678))),set_field:7->tun_metadata1,output:1',
  'vlan_tci=0x1123/0x1fff,actions=strip_vlan,multipath(eth_src,50,modulo_n,1,0,NXM_NX_REG0[])',
];
const INSTRUCTIONS =
  'table=1,in_port=1,actions=write_actions(output:2),write_metadata:5,goto_table:2';
const GROUPS = [
  'group_id=1,type=select,bucket=weight:5,output:1,bucket=output:2',
  'group_id=2,type=ff,bucket=watch_port:1,output:1',
];

function corpus(): Uint8Array[] {
  const flows = FLOWS.map((text) => parseFlow(text, 'add', NO_NAMES).flow);
  const later = parseFlow(INSTRUCTIONS, 'add', NO_NAMES).flow;
  const groups = GROUPS.map((text) => parseGroupMod(text, 'add', NO_NAMES).msg);
  const { request } = parseFlowStatsRequest('tcp,cookie=1/-1', false, NO_NAMES);
  const meter = parseMeter('meter=1,kbps,burst,band=type=drop,rate=9,burst_size=2', 'add');
  const messages: OfMessage[] = [
    ...flows,
    later,
    ...groups,
    request,
    { type: 'meter_mod', command: 'add', meter },
    { type: 'meter_config_reply', entries: [meter, meter] },
    { type: 'group_desc_reply', entries: groups.map((g) => ({ ...g, group: g.group })) },
    { type: 'hello', versions: [1, 4] },
    { type: 'set_config', fragHandling: 0, missSendLen: 128 },
    { type: 'role_request', role: 'primary', generationId: 5n },
    { type: 'bundle_control', bundle: 1, ctrl: 'open_request', flags: 3 },
    { type: 'packet_out', bufferId: 0xffffffff, inPort: 1, data: new Uint8Array(60), actions: [] },
    { type: 'port_desc_request', port: OFPP.NONE },
    { type: 'table_features_request' },
    { type: 'error', error: 'OFPBRC_BAD_TYPE', data: new Uint8Array(20) },
    ...monitoringMessages(),
  ];
  const samples = readFileSync(new URL('../unit/openflow/corpus.jsonl', import.meta.url), 'utf8');
  const frames: Uint8Array[] = samples
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => Uint8Array.from(Buffer.from(JSON.parse(line).hex, 'hex')));
  for (const version of [1, 2, 3, 4, 5, 6]) {
    for (const msg of messages) {
      try {
        const frame = encodeMessage(version, msg, 7, { flowFormat: 'nxm', tableId: true });
        frames.push(frame);
        if (version >= 4) {
          const add = { type: 'bundle_add_message', bundle: 1, flags: 3, frame } as const;
          frames.push(encodeMessage(version, add, 7));
        }
      } catch {
        // Not every version has every message.
      }
    }
  }
  return frames;
}

/** Small and seeded, so that a failure can be repeated. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function mutate(frame: Uint8Array, pick: (below: number) => number): Uint8Array {
  let bytes = frame.slice();
  for (let n = 1 + pick(4); n > 0; n--) {
    const at = pick(bytes.length);
    switch (pick(5)) {
      case 0:
        bytes[at] = pick(256);
        break;
      case 1:
        bytes[at] ^= 1 << pick(8);
        break;
      case 2:
        bytes[at] = [0, 0xff, 0x7f, 0x80][pick(4)];
        break;
      case 3:
        bytes = bytes.slice(0, Math.max(8, at));
        break;
      default:
        bytes = Uint8Array.from([
          ...bytes.slice(0, at),
          ...bytes.slice(at >> 1, at),
          ...bytes.slice(at),
        ]);
    }
    if (bytes.length > 4096) bytes = bytes.slice(0, 4096);
  }
  // Mostly with a right length, so that the bodies are looked at.
  if (pick(8) !== 0) {
    bytes[2] = bytes.length >> 8;
    bytes[3] = bytes.length & 0xff;
  }
  return bytes;
}

describe('changed messages', () => {
  it(
    `decode or are refused, and print (${RUNS} of them)`,
    () => {
      const frames = corpus();
      expect(frames.length).toBeGreaterThan(550);
      const pick = random(SEED);
      let refused = 0;
      let warm = Number.POSITIVE_INFINITY;
      let most = 0;
      for (let i = 0; i < RUNS; i++) {
        if (i % WARM === 0 && i > 0) {
          most = Math.max(most, process.memoryUsage.rss());
          warm = Math.min(warm, most);
        }
        const frame = mutate(frames[pick(frames.length)], pick);
        const text = `run ${i}: ${Buffer.from(frame).toString('hex')}`;
        try {
          const decoded = decodeMessage(0, frame, { tableId: true });
          if (decoded.error !== undefined) {
            refused++;
            const version = Math.min(Math.max(frame[0], 1), 6);
            const { type, code } = errorNumbers(decoded.error, version);
            if (!(type < 0x10000 && code < 0x10000)) throw new Error(decoded.error);
          }
          if (formatMessage(frame, NO_NAMES, 3) === '') throw new Error('no text');
        } catch (error) {
          throw new Error(`${text}: ${(error as Error).stack}`);
        }
      }
      expect(refused).toBeGreaterThan(RUNS / 10);
      expect(refused).toBeLessThan(RUNS);
      const mebibytes = (bytes: number): number => Math.round(bytes / 2 ** 20);
      const memory = `${mebibytes(warm)} MiB after ${WARM} messages, ${mebibytes(most)} at most`;
      if (RUNS > 1_000_000) console.info(`seed ${SEED}: ${refused} of ${RUNS} refused; ${memory}`);
      expect(most - warm, memory).toBeLessThan(MAX_GROWTH);
    },
    Math.max(300_000, RUNS),
  );
});
