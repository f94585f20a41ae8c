/**
 * Messages about monitors, roles, tables, queues and Nicira's extensions: each version that has one
 * reads what it writes, the others refuse to write it, and its text is ovs-ofctl's.
 */
import { describe, expect, it } from 'vitest';
import { decodeMessage, encodeMessage, encodeReplies } from '../../../src/openflow/codec/index.js';
import { OfpError } from '../../../src/openflow/errors.js';
import { formatMessage } from '../../../src/openflow/syntax/message-format.js';
import { MONITOR, MONITORING, UPDATES } from '../../property/openflow-monitoring.js';

describe('messages about monitoring', () => {
  for (const [msg, min, max] of MONITORING) {
    for (let version = 1; version <= 6; version++) {
      const there = version >= min && version <= max;
      if (there) {
        it(`${msg.type} reads back in version ${version}`, () => {
          const more = 'more' in msg && msg.more === true;
          const frame = encodeReplies(version, msg, 5)[0];
          expect(decodeMessage(version, frame)).toEqual({ msg, xid: 5 });
          if (more) expect(frame[11]).toBe(1);
          // Whatever is cut off is missed.
          const short = frame.slice(0, frame.length - 4);
          short[2] = short.length >> 8;
          short[3] = short.length & 0xff;
          expect(decodeMessage(version, short).error).toMatch(/^(OFP|NX)/);
        });
      }
    }
  }

  it.each([
    [1, 'table_desc_request'],
    [4, 'queue_desc_request'],
    [5, 'flow_monitor_cancel'],
    [3, 'role_status'],
  ])('version %i has no %s', (version, type) => {
    const found = MONITORING.find(([msg]) => msg.type === type)?.[0];
    expect(() => encodeMessage(version, found as never, 1)).toThrow(OfpError);
  });
});

const text = (version: number, msg: Parameters<typeof encodeMessage>[1]): string =>
  formatMessage(encodeReplies(version, msg, 5)[0]);

describe('their text', () => {
  it('of requests to monitor', () => {
    const msg = { type: 'flow_monitor_request', entries: [MONITOR] } as const;
    const body = ' id=7 flags=initial,add,delete,modify,actions out_port=2 table=3 tcp,tp_dst=80\n';
    const head = { 1: 'NXST', 4: 'ONFST', 6: 'OFPST' };
    expect(text(1, msg as never)).toBe(`${head[1]}_FLOW_MONITOR request (xid=0x5):\n${body}`);
    expect(text(4, msg as never)).toBe(
      `${head[4]}_FLOW_MONITOR request (OF1.3) (xid=0x5):\n${body}`,
    );
    expect(text(6, msg as never)).toBe(
      `${head[6]}_FLOW_MONITOR request (OF1.5) (xid=0x5):\n${body}`,
    );
  });

  it('of updates', () => {
    const msg = { type: 'flow_monitor_reply', entries: UPDATES } as const;
    expect(text(1, msg as never)).toBe(
      'NXST_FLOW_MONITOR reply (xid=0x5):\n' +
        ' event=ADDED table=1 idle_timeout=5 cookie=0x11 tcp,tp_dst=80 actions=output:2\n' +
        ' event=MODIFIED table=1 idle_timeout=5 cookie=0x11 tcp,tp_dst=80\n' +
        ' event=DELETED reason=delete table=1 idle_timeout=5 cookie=0x11 tcp,tp_dst=80' +
        ' actions=output:2\n' +
        ' event=ABBREV xid=0x1234\n',
    );
  });

  it.each([
    [
      'role_status',
      5,
      'OFPT_ROLE_STATUS (OF1.4) (xid=0x5): role=secondary generation_id=3 reason=primary_request\n',
    ],
    [
      'table_status',
      5,
      'OFPT_TABLE_STATUS (OF1.4) (xid=0x5): reason=VACANCY_DOWN\ntable_desc:-\n  table 1:\n' +
        '   eviction=off eviction_flags=OTHER|IMPORTANCE|LIFETIME\n' +
        '   vacancy=on vacancy_down=2% vacancy_up=8% vacancy=1%\n',
    ],
    [
      'nx_tlv_table_mod',
      1,
      'NXT_TLV_TABLE_MOD (xid=0x5):\n ADD mapping table:\n  class  type  length  match field\n' +
        ' ------  ----  ------  --------------\n 0xffff   0x1       8  tun_metadata3\n',
    ],
    [
      'queue_desc_reply',
      5,
      'OFPST_QUEUE_DESC reply (OF1.4) (xid=0x5): port=1\nqueue 0:\nport=2\n' +
        'queue 1: min_rate:1.0% max_rate:50.0%\n',
    ],
    [
      'requestforward',
      4,
      'ONFT_REQUESTFORWARD (OF1.3) (xid=0x5): reason=meter_mod ADD meter=1 kbps bands=\n' +
        'type=drop rate=9\n',
    ],
    ['nx_ct_flush_zone', 4, 'NXT_CT_FLUSH_ZONE (OF1.3) (xid=0x5): zone_id=5\n'],
  ])('of %s', (type, version, expected) => {
    const found = MONITORING.find(([msg, min]) => msg.type === type && version >= min);
    expect(text(version, found?.[0] as never)).toBe(expected);
  });
});
