/** Bytes of actions: those that Open vSwitch writes come back as they were. */
import { expect, it } from 'vitest';
import { getActions, putActions } from '../../../src/openflow/codec/actions.js';
import { Reader, Writer } from '../../../src/openflow/codec/buffer.js';
import { formatActions } from '../../../src/openflow/syntax/action-format.js';
import { parseActions } from '../../../src/openflow/syntax/action-parse.js';
import { formatMessage } from '../../../src/openflow/syntax/message-format.js';
import { NO_NAMES } from '../../../src/openflow/syntax/names.js';

const plain = (hex: string): string => hex.replace(/ /g, '');

it.each([
  [4, 'ffff 0018 00002320 002e 0000 0001894f 0004 01 05 01 000000', 'encap(nsh(md_type=1))'],
  [
    4,
    'ffff 0038 00002320 002e 0000 0001894f 0004 01 05 02 000000' +
      '0004 02 10 1000 0a 04 12345678 00000000 0004 02 10 2000 14 08 fedcba9876543210',
    'encap(nsh(md_type=2,tlv(0x1000,10,0x12345678),tlv(0x2000,20,0xfedcba9876543210)))',
  ],
  [5, 'ffff 0010 00002320 002e 0000 00018848', 'encap(mpls_mc)'],
  [4, 'ffff 0010 00002320 002f 0000 0000fffe', 'decap()'],
  [6, 'ffff 0010 00002320 002f 0000 0001894f', 'decap(packet_type(ns=1,type=0x894f))'],
  [4, 'ffff 0010 00002320 0030 000000000000', 'dec_nsh_ttl'],
  [1, 'ffff 0018 00002320 0032 0001647c 00000000 00000000 0000', 'delete_field:tun_metadata10'],
  [
    4,
    'ffff 0020 4f4e4600 0c80 0000 0010 0000 0000 0000 00000002 00000802 00000000',
    'move:NXM_OF_IN_PORT[]->NXM_OF_VLAN_TCI[]',
  ],
  [
    1,
    'ffff 0028 00002320 0025 000000000000 0000 0008 04d2 0000 0001 0008 162e 0000' +
      '0004 0004 00000000',
    'controller(max_len=1234,id=5678,pause)',
  ],
  [
    1,
    'ffff 0030 00002320 002d 0000 0000 0000 0000000000000000 0000 02 00 0000 0000 00000000' +
      '0000 0000 1010 00000002 0000',
    'learn(table=2,priority=0,output:NXM_OF_IN_PORT[])',
  ],
  [1, 'ffff 0010 00002320 0021 0001 5302 0a0e', 'set_field:0xa/0xe->tun_metadata1'],
])('version %i: %s is %s', (version, hex, text) => {
  const bytes = Buffer.from(plain(hex), 'hex');
  const actions = getActions(new Reader(bytes), bytes.length, version);
  expect(formatActions(actions)).toBe(text);
  const w = new Writer();
  putActions(w, actions, version);
  expect(Buffer.from(w.finish()).toString('hex')).toBe(plain(hex));
  if (!/^learn|^move|^set_field/.test(text)) {
    const again = new Writer();
    putActions(again, parseActions(text, NO_NAMES).actions, version);
    expect(Buffer.from(again.finish()).toString('hex')).toBe(plain(hex));
  }
});

it.each([
  ['ffff 0018 00002320 002e 0000 0001894f 0005 01 05 01 000000', 'NXBAC_UNKNOWN_ED_PROP'],
  ['ffff 0018 00002320 002e 0000 0001894f 0004 01 20 01 000000', 'OFPBAC_BAD_LEN'],
  ['ffff 0018 00002320 002e 0000 0001894f 0004 02 08 1000 0a 04', 'NXBAC_BAD_ED_PROP'],
  ['ffff 0010 00002320 002e 0000 00010800', 'NXBAC_BAD_HEADER_TYPE'],
  ['ffff 0018 00002320 002f 0000 0000fffe 0000000000000000', 'NXBAC_UNKNOWN_ED_PROP'],
])('%s: %s', (hex, error) => {
  const bytes = Buffer.from(plain(hex), 'hex');
  expect(() => getActions(new Reader(bytes), bytes.length, 4)).toThrow(error);
});

it('a flow-mod of 1.0 shows its match as it came, wildcards too, to those who ask for more', () => {
  const mod =
    '010e0050 00000000 00000000 0001 505400000006 505400000005 ffff 00 00 0806 00 02 0000' +
    'c0a80002 c0a80001 0000 0000 0000000000000000 0000 0005 0000 0000 0000010e 0000 0000' +
    '0000 0008 0003 0000';
  const frame = Buffer.from(plain(mod), 'hex');
  expect(formatMessage(frame, NO_NAMES, 3)).toBe(
    'OFPT_FLOW_MOD (xid=0x0): ADD arp,in_port=1,dl_vlan=65535,dl_vlan_pcp=0,' +
      'dl_src=50:54:00:00:00:06,dl_dst=50:54:00:00:00:05,nw_src=192.168.0.2,' +
      'nw_dst=192.168.0.1,arp_op=2,nw_tos=0,tp_src=0,tp_dst=0 idle:5 pri:65535 buf:0x10e ' +
      'out_port:0 actions=output:3\n',
  );
  const wild = Buffer.from(plain(mod.replace('00000000 0001', '003fffff 0001')), 'hex');
  expect(formatMessage(wild, NO_NAMES, 3)).toContain(
    'ADD in_port=*,dl_vlan=*,dl_vlan_pcp=*,dl_src=*,dl_dst=*,dl_type=*,nw_src=*,nw_dst=*,' +
      'arp_op=*,nw_tos=*,tp_src=*,tp_dst=* ',
  );
});
