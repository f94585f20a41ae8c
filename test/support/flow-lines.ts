/**
 * Flows to compare our flow syntax with ovs-ofctl's: one for every field and value format, with
 * masks and runs of bits, one for every action, and many that are wrong.
 */
import { FIELDS, type Field } from '../../src/packet/fields.js';

/** What to write before a field so that its requirements are met. */
const PREREQUISITES: Record<Field['prereq'], string> = {
  none: '',
  ethernet: '',
  arp: 'arp,',
  vlan_vid: 'dl_vlan=7,',
  ipv4: 'ip,',
  ipv6: 'ipv6,',
  ip_any: 'ip,',
  mpls: 'mpls,',
  tcp: 'tcp,',
  udp: 'udp,',
  sctp: 'sctp,',
  icmpv4: 'icmp,',
  icmpv6: 'icmp6,',
  ct_valid: 'ct_state=+trk+est,ip,',
  nd: 'icmp6,icmpv6_type=135,icmpv6_code=0,',
  nd_solicit: 'icmp6,icmpv6_type=135,icmpv6_code=0,',
  nd_advert: 'icmp6,icmpv6_type=136,icmpv6_code=0,',
  nsh: 'dl_type=0x894f,nsh_mdtype=1,',
};

/** Values of each format: right ones, masked ones, and some that are not values at all. */
const VALUES: Record<Field['format'], string[]> = {
  decimal: ['0', '1', '0x3', '3/1', '5/0x6', '70000', 'x', ''],
  hexadecimal: ['0', '1', '0xa', '0xa/0xe', '4/0xc', '0x123456789abcdef0123', 'zz', '1/'],
  ethernet: ['00:0b:16:21:2c:37', '01:00:00:00:00:00/01:00:00:00:00:00', '00:11:22:33:44', 'q'],
  ipv4: ['192.0.2.1', '192.0.2.0/24', '192.0.2.1/255.0.255.0', '192.0.2.1/33', '1.2.3', '::1'],
  ipv6: ['2001:db8::1', '2001:db8::/32', '::1/::ffff', 'fe80::1%1', '1::2::3', '::/129', '::'],
  ofport10: ['1', 'LOCAL', 'controller', '65534', '70000', '0xffffff00', 'nosuch', '-1'],
  ofport11: ['1', 'in_port', 'ANY', '65280', '70000', 'x'],
  frag: ['no', 'yes', 'first', 'later', 'not_later', 'maybe'],
  tun_flags: ['oam', '+oam', '-oam', '0', '1/1', '+df', 'x'],
  tcp_flags: ['syn', '+syn-ack', 'syn|ack', '0x12', '0x2/0x17', '+syn+syn', '+x', '4096', '0'],
  ct_state: ['+trk', '+trk-new', 'trk|est', '0x21', '0x21/0x23', '+bogus', '+trk+trk', '0'],
  packet_type: ['(0,0)', '(1,0x800)', '(1,0x86dd)', '1', '(1'],
};

/** Hidden fields, which are no part of the syntax. */
const SKIPPED = new Set(['recirc_id', 'skb_priority', 'packet_type']);
/** Fields that ovs-ofctl 3.1 loses when their value is zero. */
const ZERO_IS_LOST = new Set(['tun_erspan_ver', 'tun_gtpu_flags', 'tun_gtpu_msgtype']);

/** Tunnel options are alike: a few of them will do. */
const MORE_OPTIONS = /^tun_metadata([2-9]|[1-5]\d|6[0-2])$/;

function fieldLines(field: Field): string[] {
  const before = PREREQUISITES[field.prereq];
  const values = VALUES[field.format].filter((v) => v !== '0' || !ZERO_IS_LOST.has(field.name));
  let lines = values.map((value) => `${before}${field.name}=${value},actions=drop`);
  if (field.name.startsWith('ipv6') || field.name.startsWith('ct_ipv6')) {
    lines = lines.map((line) => line.replace('ip,', 'ipv6,'));
  }
  for (const alias of field.aliases) {
    lines.push(`${before}${alias}=${VALUES[field.format][0]},actions=drop`);
  }
  if (field.maskable && field.nBits > 3) lines.push(`${before}${field.name}[1..2]=2,actions=drop`);
  // Without a number on the wire a field can be matched on at most.
  if (field.headers.length === 0) return lines;
  if (field.nBits >= 4) {
    lines.push(`${before}actions=move:${field.name}[0..3]->reg3[4..7]`);
    lines.push(`${before}actions=load:5->${field.name}[1..3]`);
    lines.push(`${before}actions=push:${field.name}[0..3],pop:${field.name}[0..3]`);
  }
  lines.push(`${before}actions=set_field:${VALUES[field.format][1]}->${field.name}`);
  return lines;
}

const ACTIONS = [
  ...[
    'drop',
    'normal',
    'NORMAL',
    'flood',
    'all',
    'local',
    'in_port',
    'controller',
    'controller:99',
  ],
  ...['output:1', 'output:LOCAL', '7', 'output:65535', 'output:nosuch', 'output:reg1[0..15]'],
  ...['output(port=1,max_len=64)', 'output(port=1,max_len=3)', 'output(port=normal,max_len=64)'],
  ...['enqueue:1:2', 'enqueue(1,2)', 'enqueue:1', 'set_queue:5', 'pop_queue', 'group:9', 'meter:4'],
  ...['controller(reason=no_match)', 'controller(max_len=7,id=3)', 'controller(pause)'],
  ...['controller(userdata=01.02.0a)', 'controller(userdata=zz)', 'controller(reason=bogus)'],
  ...['controller(meter_id=8,userdata=ff)', 'controller(what=1)', 'controller()'],
  ...['mod_vlan_vid:5', 'mod_vlan_pcp:6', 'set_vlan_vid:5', 'set_vlan_pcp:2', 'mod_vlan_vid:4096'],
  ...['mod_vlan_pcp:8', 'strip_vlan', 'pop_vlan', 'push_vlan:0x8100', 'push_vlan:0x88a8'],
  ...['push_vlan:0x1234', 'mod_dl_src:00:01:02:03:04:05', 'mod_dl_dst:ff:ff:ff:ff:ff:ff'],
  ...['mod_dl_dst:bogus', 'dec_ttl', 'dec_ttl(1,2)', 'dec_ttl(,)', 'dec_mpls_ttl', 'exit'],
  ...['mod_nw_src:192.0.2.7', 'mod_nw_dst:192.0.2.8', 'mod_nw_tos:16', 'mod_nw_tos:3'],
  ...['mod_nw_ecn:2', 'mod_nw_ttl:9', 'set_nw_ttl:9', 'mod_tp_src:80', 'mod_tp_dst:443'],
  ...['set_mpls_label:5', 'set_mpls_tc:3', 'set_mpls_ttl:7', 'push_mpls:0x8847', 'pop_mpls:0x800'],
  ...[
    'resubmit:3',
    'resubmit(,4)',
    'resubmit(3,4)',
    'resubmit(,4,ct)',
    'resubmit(,)',
    'resubmit:x',
  ],
  ...['set_tunnel:0x11', 'set_tunnel64:0x1122334455', 'set_tunnel:0x1122334455', 'set_tunnel:x'],
  ...['note:01.02.03', 'note:', 'note:0102030405060708090a', 'note:g1', 'ct_clear'],
  ...['conjunction(7,1/2)', 'conjunction(7,3/2)', 'conjunction(7,1/1)', 'conjunction(1)'],
  ...['conjunction(7,1/2),note:01', 'conjunction(7,1/2),output:1', 'fin_timeout(idle_timeout=5)'],
  ...['fin_timeout(idle_timeout=5,hard_timeout=6)', 'fin_timeout(x=1)', 'write_metadata:5/7'],
  ...[
    'write_metadata:9',
    'clear_actions',
    'goto_table:9',
    'goto_table:300',
    'output:1,goto_table:2',
  ],
  ...['goto_table:2,output:1', 'goto_table:2,goto_table:3', 'write_actions(output:1)'],
  ...['clear_actions,write_actions(output:2),write_metadata:1,goto_table:5', 'apply_actions(1)'],
  ...[
    'write_actions(goto_table:1)',
    'clone(output:1,dec_ttl)',
    'clone(clone(output:2))',
    'clone()',
  ],
  ...['drop,output:1', 'output:1,drop', 'bogus', 'bogus(1)', 'output', 'set_field:1', 'load:1->'],
  ...['load:0x1ff->reg2[0..7]', 'load:3->reg2[9..2]', 'load:3->reg2[40]', 'load:3->nosuch[]'],
  ...['load:7->xxreg1[60..70]', 'load:0x123456789abcdef0->xreg3[]', 'move:reg1[]->reg2[0..15]'],
  ...['move:reg1->reg2', 'move:nw_src[]->reg2[]', 'push:reg1', 'pop:reg1[3]', 'set_field:5->reg1'],
  ...[
    'set_field:5/7->reg1',
    'set_field:0x5/0xf->xxreg0',
    'set_field:1->eth_type',
    'set_field:9->x',
  ],
  ...['check_pkt_larger(100)->reg0[0]', 'check_pkt_larger(100)->reg0[0..1]'],
  ...[
    'multipath(eth_src,50,modulo_n,1,0,NXM_NX_REG0[])',
    'multipath(nw_src,1,hrw,64,3,reg1[0..6])',
  ],
  ...['multipath(symmetric_l4,1,iter_hash,70000,0,reg1[])', 'multipath(eth_src,1,hrw,9,0,reg1[0])'],
  ...['multipath(bogus,1,hrw,2,0,reg1[])', 'multipath(eth_src,1,bogus,2,0,reg1[])', 'multipath(1)'],
  ...['bundle(eth_src,0,hrw,ofport,members:4,8)', 'bundle(nw_dst,3,active_backup,ofport,slaves:1)'],
  ...['bundle(symmetric_l3,0,hrw,ofport,members:)', 'bundle(eth_src,0,hrw,what,members:1)'],
  ...['bundle_load(symmetric_l3l4,0,hrw,ofport,reg0[0..15],members:4,8)', 'bundle(eth_src,0)'],
  ...['sample(probability=5,collector_set_id=1,obs_domain_id=2,obs_point_id=3)', 'sample(x=1)'],
  ...['sample(probability=5,sampling_port=3,egress)', 'sample(collector_set_id=1)'],
  ...['learn(table=3)', 'learn(table=3,idle_timeout=5,hard_timeout=6,priority=9,cookie=0x77)'],
  ...['learn(NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[])', 'learn(table=255)'],
  ...['learn(eth_type=0x800,nw_src=1.2.3.4,load:5->reg1[0..3],send_flow_rem,delete_learned)'],
  ...['learn(limit=5,result_dst=reg2[3],load:reg1[]->reg2[],NXM_OF_VLAN_TCI[0..11])', 'learn(x=1)'],
  ...['learn(fin_idle_timeout=1,fin_hard_timeout=2,reg1[0..3]=9)', 'learn(eth_dst=eth_type)'],
  ...['encap(ethernet)', 'encap(nsh)', 'encap(nsh(md_type=1))', 'encap(mpls)', 'encap(mpls_mc)'],
  ...['encap(nsh(md_type=2,tlv(0x1000,10,0x12345678),tlv(0x2000,20,0xfedcba9876543210)))'],
  ...['encap()', 'encap(gre)', 'encap(nsh(md_type=3))', 'encap(nsh(x=1))', 'encap(nsh(md_type))'],
  ...['encap(nsh(tlv(1,2,3)))', 'encap(mpls(md_type=1))', 'encap(nsh),set_field:5->nsh_si'],
  ...['encap(nsh),encap(ethernet),output:1', 'decap()', 'decap', 'decap(packet_type(ns=0,type=0))'],
  ...['decap(packet_type(ns=1,type=0x894f))', 'decap(packet_type(ns=5,type=0))', 'decap(x=1)'],
  ...['decap(packet_type(type=1))', 'decap(packet_type(ns=1))', 'decap(),set_field:5->nsh_si'],
  ...['dec_nsh_ttl', 'encap(nsh),dec_nsh_ttl', 'delete_field:tun_metadata10', 'delete_field:reg0'],
  ...['delete_field:nosuch', 'decap(),decap(),output:1'],
  ...['learn(result_dst=reg2[3..4])', 'learn(load:0x1ff->reg1[0..7])', 'learn(load:1)'],
];

const IP_ACTIONS = [
  ...['ct', 'ct()', 'ct(commit)', 'ct(commit,force)', 'ct(force)', 'ct(table=5)', 'ct(table=300)'],
  ...[
    'ct(zone=7)',
    'ct(zone=reg1[0..15])',
    'ct(zone=nosuch)',
    'ct(commit,exec(set_field:5->ct_mark))',
  ],
  ...[
    'ct(commit,exec(load:1->ct_label[0..3]))',
    'ct(commit,exec(output:1))',
    'ct(nat)',
    'ct(bogus)',
  ],
  ...['ct(commit,nat(src=192.0.2.1))', 'ct(commit,nat(dst=192.0.2.1-192.0.2.9:1-99,random))'],
  ...['ct(commit,nat(src=192.0.2.9-192.0.2.1))', 'ct(commit,nat(src,dst))', 'ct(commit,nat(hash))'],
  ...['ct(commit,nat(src=192.0.2.1,hash,persistent))', 'ct(commit,nat(x))', 'ct(alg=tftp)', 'nat'],
  ...['ct(commit,nat(src=192.0.2.1,hash,random))', 'set_field:5->ct_mark', 'ct(alg=bogus)'],
  ...['mod_tp_src:1', 'set_field:7->ip_dscp', 'set_field:4->nw_tos', 'mod_nw_src:192.0.2.9,exit'],
];

const KEYS = [
  ...['', 'table=3', 'table=255', 'table=256', 'table=x', 'priority=0', 'priority=65535'],
  ...['priority=65536', 'priority=-1', 'cookie=0x1234', 'cookie=-1', 'cookie=1/2', 'cookie=x'],
  ...['idle_timeout=30', 'hard_timeout=0x20', 'idle_timeout=70000', 'send_flow_rem'],
  ...['check_overlap', 'reset_counts', 'no_packet_counts', 'no_byte_counts', 'importance=3'],
  ...['out_port=3', 'out_group=3', 'duration=5s,n_packets=3,n_bytes=9', 'idle_age=3,hard_age=4'],
  ...['bogus=1', 'bogus', 'priority', 'eth', 'no_readonly_table', 'allow_hidden_fields'],
  ...['ip', 'ipv4', 'ip4', 'ipv6', 'ip6', 'arp', 'rarp', 'icmp', 'icmp6', 'tcp', 'tcp6', 'udp'],
  ...['udp6', 'sctp', 'sctp6', 'mpls', 'mplsm', 'dl_type=0x1234', 'dl_type=0x800,nw_proto=89'],
  ...['dl_vlan=5,dl_vlan_pcp=3', 'dl_vlan_pcp=3', 'dl_vlan=0xffff', 'vlan_tci=0x1005/0x1fff'],
  ...['vlan_tci=0', 'vlan_tci=0x1000/0x1000', 'vlan_tci=0xf005', 'vlan_vid=0x1005/0x1fff'],
  ...['nw_src=1.2.3.4', 'tp_src=5', 'tcp,tp_src=5', 'udp,tp_dst=6', 'icmp,icmp_type=8,icmp_code=0'],
  ...['in_port=1 priority=4  table=2', 'tcp tcp_flags=+syn-ack tp_dst=80', 'reg1=5 reg1=6'],
  ...['ip,nw_tos=0xb8,nw_ecn=1,nw_ttl=64', 'ipv6,ipv6_label=0x12345,nw_proto=6', 'reg0[3]=1'],
  ...['icmp6,icmpv6_type=136,icmpv6_code=0,nd_target=fe80::1,nd_tll=00:01:02:03:04:05', 'reg0[3'],
  ...['arp,arp_op=2,arp_spa=192.0.2.0/24,arp_sha=00:01:02:03:04:05', 'reg20=1', 'xreg1=0x1'],
  ...['ct_state=+trk+est,ct_zone=5,ct_mark=7/15,ct_label=0xabc,ip', 'metadata=5/7', 'conj_id=9'],
  ...['tun_metadata0,tun_metadata1=0/1,tun_metadata63=0x123456/0xffffff', 'tun_metadata64=1'],
  ...['tun_metadata1=5,tun_metadata0=0xab,tun_metadata2', 'tun_metadata3=1,tun_metadata3=2'],
  ...['dl_type=0x894f,nsh_flags=2/3,nsh_np=3,nsh_spi=0x123456,nsh_si=7', 'nsh_si=7,dl_type=0x894f'],
  ...['dl_type=0x894f,nsh_c1=5', 'dl_type=0x894f,nsh_mdtype=1,nshc1=5/7,nsp=1,nsi=2'],
  ...['tun_id=5/7,tun_src=192.0.2.1,tun_dst=192.0.2.0/24,tun_gbp_id=3', 'pkt_mark=3', 'tun_ttl=1'],
];

/** Flows for parse-flow; about as many again are not flows. */
export function flowLines(): string[] {
  return [
    ...FIELDS.filter((field) => !SKIPPED.has(field.name) && !MORE_OPTIONS.test(field.name)).flatMap(
      fieldLines,
    ),
    ...KEYS.map((key) => `${key} actions=output:1`),
    ...ACTIONS.map((action) => `actions=${action}`),
    ...IP_ACTIONS.map((action) => `tcp,actions=${action}`),
    ...['in_port=1', 'in_port=1 actions', '', 'actions=', 'action=drop', 'actions=drop '],
  ];
}
