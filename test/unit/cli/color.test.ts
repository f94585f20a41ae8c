/** dump-flows in colour, as ovs-ofctl 3.1 printed the same flows; {36|x} is x in colour 36. */
import { expect, it } from 'vitest';
import { colorFlow, wantsColor } from '../../../src/cli/ofctl/color.js';

const HEAD = ' {36|cookie=}0x5, {36|duration=}5.151s, {33|table=}3, {36|n_packets=}0, ';
const LINES = [
  `${HEAD}{36|idle_age=}8, {33|priority=}100,{32|icmp},{36|nw_dst=}10.0.0.99 ` +
    '{1;31|actions=}{34|drop}',
  `${HEAD}{36|idle_timeout=}60, {33|priority=}7,{32|tcp},{36|dl_vlan=}5,` +
    '{36|dl_src=}00:00:00:00:00:01,{36|tp_dst=}0x50/0xfff0 {1;31|actions=}{36|mod_vlan_vid:}7,' +
    '{32|strip_vlan},{36|mod_nw_dst:}10.0.0.1,{33|load:}0x5{33|->}NXM_NX_REG0[],' +
    '{33|output:}3,{35|resubmit(},4{35|)}',
  `${HEAD}{36|hard_timeout=}100, send_flow_rem reset_counts {33|priority=}7,{32|tcp} ` +
    '{1;31|actions=}{33|set_field:}4103{33|->}vlan_vid,{32|pop_vlan},NORMAL',
  `${HEAD}{36|idle_age=}1, {36|dl_type=}0x88cc {1;31|actions=}{31|learn(}{33|table=}1,` +
    '{36|NXM_OF_ETH_DST[]}{36|=}NXM_OF_ETH_SRC[],{33|output:}NXM_OF_IN_PORT[]{31|)},' +
    '{35|bundle(}eth_src,0,hrw,ofport,{36|members:}1,2{35|)},{35|dec_ttl},{32|pop_queue},' +
    '{33|exit}',
];

it.each(LINES)('%s', (marked) => {
  const plain = marked.replace(/\{[\d;]+\|([^}]*)\}/g, '$1');
  const colored = marked.replace(/\{([\d;]+)\|([^}]*)\}/g, '\x1b[$1m\x1b[K$2\x1b[m\x1b[K');
  expect(colorFlow(plain)).toBe(colored);
});

it('other lines stay as they are', () => {
  expect(colorFlow('NXST_FLOW reply (xid=0x4):')).toBe('NXST_FLOW reply (xid=0x4):');
});

it.each([
  [undefined, true, false],
  ['auto', true, true],
  ['auto', false, false],
  ['tty', false, false],
  ['Always', false, true],
  ['no', true, false],
])('--color=%s, on a terminal: %s', (when, isTTY, wanted) => {
  expect(wantsColor(when, { isTTY })).toBe(wanted);
});
