/**
 * Flow tables and a packet for each match field and action: what the pipeline is compared on with
 * Open vSwitch. A case is its name, the entries (in ovs-ofctl's syntax, one a line; a line that
 * begins with 'group' is a group), and the name of the packet that comes in by port 1.
 *
 * Left out, since it differs on purpose: which bucket a select group's own hash chooses; an entry
 * that a packet learns and then looks up itself; fin_timeout, whose flows match the TCP flags here.
 */
const ETH = 'in_port(1),eth(src=50:54:00:00:00:09,dst=50:54:00:00:00:0a)';
const ip4 = (proto: number, frag = 'no') =>
  `eth_type(0x0800),ipv4(src=10.10.10.2,dst=10.10.10.1,proto=${proto},tos=5,ttl=64,frag=${frag})`;
const ip6 = (proto: number, frag = 'no') =>
  'eth_type(0x86dd),ipv6(src=fe80::1,dst=fe80::2,label=0x12345,' +
  `proto=${proto},tclass=5,hlimit=64,frag=${frag})`;
const TCP = `${ip4(6)},tcp(src=1000,dst=80),tcp_flags(syn)`;

/** Packets by name, in the datapath's flow syntax; in OpenFlow's if they have a frame here. */
export const PACKETS: Readonly<Record<string, string>> = {
  plain: `${ETH},eth_type(0x1234)`,
  tcp: `${ETH},${TCP}`,
  udp: `${ETH},${ip4(17)},udp(src=1000,dst=53)`,
  sctp: `${ETH},${ip4(132)},sctp(src=1000,dst=99)`,
  icmp: `${ETH},${ip4(1)},icmp(type=8,code=0)`,
  ttl1: `${ETH},${ip4(17).replace('ttl=64', 'ttl=1')},udp(src=1000,dst=53)`,
  tcp6: `${ETH},${ip6(6)},tcp(src=1000,dst=80),tcp_flags(ack)`,
  udp6: `${ETH},${ip6(17)},udp(src=1000,dst=53)`,
  icmp6: `${ETH},${ip6(58)},icmpv6(type=128,code=0)`,
  ns:
    `${ETH},${ip6(58)},icmpv6(type=135,code=0),` +
    'nd(target=fe80::9,sll=50:54:00:00:00:09,tll=00:00:00:00:00:00)',
  arp:
    `${ETH},eth_type(0x0806),arp(sip=10.0.0.1,tip=10.0.0.2,op=1,` +
    'sha=50:54:00:00:00:09,tha=00:00:00:00:00:00)',
  vlan: `${ETH},eth_type(0x8100),vlan(vid=10,pcp=3),encap(${TCP})`,
  qinq:
    `${ETH},eth_type(0x88a8),vlan(vid=20,pcp=1),encap(eth_type(0x8100),` +
    `vlan(vid=10,pcp=3),encap(${TCP}))`,
  mpls: `${ETH},eth_type(0x8847),mpls(label=100,tc=3,ttl=64,bos=1)`,
  mpls2: `${ETH},eth_type(0x8847),mpls(label=100,tc=3,ttl=64,bos=0,label=200,tc=1,ttl=9,bos=1)`,
  nsh:
    'in_port=1,dl_src=50:54:00:00:00:09,dl_dst=50:54:00:00:00:0a,dl_type=0x894f,nsh_flags=1,' +
    'nsh_ttl=63,nsh_mdtype=1,nsh_np=3,nsh_spi=0x123456,nsh_si=7,nsh_c1=0x11,nsh_c2=0x22,' +
    'nsh_c3=0x33,nsh_c4=0x44',
  first: `${ETH},${ip4(17, 'first')},udp(src=1000,dst=53)`,
  later: `${ETH},${ip4(17, 'later')}`,
};

/** Frames that Open vSwitch does not make of a flow. */
export const FRAMES: Readonly<Record<string, string>> = {
  nsh:
    '50540000000a505400000009894f1fc601031234560700000011000000220000003300000044' +
    '00000000000000000000000000000000000000000000000000000000',
};

export interface PipelineCase {
  name: string;
  entries: readonly string[];
  packet: string;
}

function cases(text: string): PipelineCase[] {
  const list: PipelineCase[] = [];
  // Lines that go on begin with spaces.
  for (const line of text.replace(/, +/g, ',').split('\n')) {
    const [packet, ...entries] = line.split(';').map((part) => part.trim());
    if (entries.length > 0)
      list.push({ name: `${packet}: ${entries.join('; ')}`, entries, packet });
  }
  return list;
}

/** What an entry matches: `in_port=1` is there too, so that it is the packet that counts. */
const MATCHES = cases(`
  plain; dl_type=0x1234,actions=2
  plain; dl_src=50:54:00:00:00:09,actions=2
  plain; dl_src=50:54:00:00:00:00/ff:ff:ff:ff:ff:00,actions=2
  plain; dl_dst=01:00:00:00:00:00/01:00:00:00:00:00,actions=2; priority=1,actions=3
  plain; metadata=5,actions=2; priority=2,actions=write_metadata:5,goto_table:1; \
    table=1,metadata=5,actions=3
  plain; actions=load:5->NXM_NX_REG3[],resubmit(,1); table=1,reg3=5,actions=2
  plain; actions=load:5->NXM_NX_XXREG1[0..7],resubmit(,1); table=1,reg7=5,actions=2
  plain; actions=load:5->OXM_OF_PKT_REG1[],resubmit(,1); table=1,reg3=5,actions=2
  plain; vlan_tci=0,actions=2
  plain; packet_type=(0,0),actions=2
  plain; tun_id=0,actions=2
  plain; skb_priority=0,actions=2
  plain; pkt_mark=0,actions=2
  plain; recirc_id=0,actions=2
  plain; ct_state=-trk,actions=2
  tcp; tcp,actions=2
  tcp; ip,nw_src=10.10.0.0/16,actions=2; priority=1,actions=3
  tcp; ip,nw_src=10.20.0.0/16,actions=2; ip,nw_src=10.10.10.0/24,actions=3
  tcp; ip,nw_dst=10.10.10.1/0.0.0.255,actions=2
  tcp; tcp,tp_dst=80,actions=2
  tcp; tcp,tp_dst=0x50/0xfff0,actions=2
  tcp; tcp,tcp_flags=+syn-ack,actions=2
  tcp; tcp,tcp_flags=+ack,actions=2; priority=1,actions=3
  tcp; ip,nw_tos=4,actions=2
  tcp; ip,ip_dscp=1,actions=2
  tcp; ip,nw_ecn=1,actions=2
  tcp; ip,nw_ttl=64,actions=2
  tcp; ip,nw_proto=6,actions=2
  tcp; udp,actions=2; priority=1,actions=3
  udp; udp,tp_src=1000,actions=2
  sctp; sctp,tp_dst=99,actions=2
  icmp; icmp,icmp_type=8,icmp_code=0,actions=2
  icmp; icmp,icmp_type=0,actions=2; priority=1,actions=3
  tcp6; tcp6,tp_dst=80,actions=2
  tcp6; ipv6,ipv6_src=fe80::/64,actions=2
  tcp6; ipv6,ipv6_dst=fe80::3,actions=2; ipv6,ipv6_dst=fe80::2,actions=3
  tcp6; ipv6,ipv6_label=0x12345,actions=2
  tcp6; ipv6,ipv6_label=0x12300/0xfff00,actions=2
  udp6; udp6,tp_dst=53,actions=2
  icmp6; icmp6,icmp_type=128,actions=2
  ns; icmp6,icmp_type=135,nd_target=fe80::9,actions=2
  ns; icmp6,icmp_type=135,nd_sll=50:54:00:00:00:09,actions=2
  ns; icmp6,icmp_type=136,nd_tll=50:54:00:00:00:09,actions=2; priority=1,actions=3
  arp; arp,actions=2
  arp; arp,arp_op=1,actions=2
  arp; arp,arp_spa=10.0.0.0/24,actions=2
  arp; arp,arp_tpa=10.0.0.3,actions=2; priority=1,actions=3
  arp; arp,arp_sha=50:54:00:00:00:09,actions=2
  arp; arp,arp_tha=00:00:00:00:00:00,actions=2
  vlan; dl_vlan=10,actions=2
  vlan; dl_vlan=11,actions=2; dl_vlan=10,dl_vlan_pcp=3,actions=3
  vlan; vlan_tci=0x1000/0x1000,actions=2
  vlan; dl_vlan=10,tcp,actions=2
  vlan; vlan_tci=0,actions=2; priority=1,actions=3
  qinq; dl_vlan=20,actions=2
  qinq; dl_vlan_pcp=1,actions=2
  mpls; mpls,mpls_label=100,actions=2
  mpls; mpls,mpls_tc=3,mpls_bos=1,actions=2
  mpls; mpls,mpls_ttl=64,actions=2
  mpls2; mpls,mpls_bos=0,actions=2
  nsh; dl_type=0x894f,actions=2
  nsh; dl_type=0x894f,nsh_spi=0x123456,nsh_si=7,actions=2
  nsh; dl_type=0x894f,nsh_spi=0x123457,actions=2; priority=1,actions=3
  nsh; dl_type=0x894f,nsh_flags=1/1,nsh_ttl=63,nsh_np=3,actions=2
  nsh; dl_type=0x894f,nsh_mdtype=1,nsh_c1=0x10/0xf0,nsh_c2=0x22,nsh_c3=0x33,nsh_c4=0x44,actions=2
  nsh; dl_type=0x894f,nsh_mdtype=2,actions=2; priority=1,actions=3
  nsh; dl_type=0x894f,nsh_mdtype=1,actions=move:nsh_c1->reg0,resubmit(,1); \
    table=1,reg0=0x11,actions=2
  nsh; tcp,actions=2; priority=1,actions=3
  first; ip,nw_frag=first,actions=2
  first; udp,nw_frag=yes,tp_dst=53,actions=2; priority=1,actions=3
  later; ip,nw_frag=later,actions=2
  later; udp,tp_dst=53,actions=2; priority=1,actions=3
  tcp; ip,nw_frag=no,actions=2
  tcp; conj_id=7,actions=2; nw_src=10.10.10.2,ip,actions=conjunction(7,1/2); \
    tcp,tp_dst=80,actions=conjunction(7,2/2)
  tcp; conj_id=7,actions=2; nw_src=10.10.10.3,ip,actions=conjunction(7,1/2); \
    tcp,tp_dst=80,actions=conjunction(7,2/2); priority=1,actions=3
`);

const ACTIONS = cases(`
  plain; actions=drop
  plain; actions=2,3
  plain; actions=1,2
  plain; actions=in_port
  plain; actions=local
  plain; actions=flood
  plain; actions=all
  plain; actions=normal
  plain; actions=77
  plain; actions=controller
  plain; actions=controller(max_len=20,id=3)
  plain; actions=controller(reason=invalid_ttl)
  plain; actions=load:2->NXM_NX_REG0[],output:NXM_NX_REG0[]
  plain; actions=load:0x12345->NXM_NX_REG0[],output:NXM_NX_REG0[]
  udp; actions=output(port=2,max_len=20),3
  udp; actions=output(port=1,max_len=20)
  udp; actions=output(port=flood,max_len=20)
  plain; actions=mod_dl_src:00:00:00:00:00:01,2
  plain; actions=2,mod_dl_dst:00:00:00:00:00:01,3
  plain; actions=set_field:00:00:00:00:00:01/00:00:00:00:00:ff->eth_dst,2
  plain; actions=set_field:50:54:00:00:00:0a->eth_dst,2
  plain; actions=set_field:0x50->vlan_vid,2
  plain; actions=push_vlan:0x8100,set_field:0x1014->vlan_vid,2
  plain; actions=push_vlan:0x88a8,set_field:0x1014->vlan_vid,set_field:5->vlan_pcp,2
  plain; actions=mod_vlan_vid:20,2
  plain; actions=mod_vlan_pcp:5,2
  vlan; actions=mod_vlan_vid:20,2
  vlan; actions=mod_vlan_pcp:5,2,strip_vlan,3
  vlan; actions=pop_vlan,2
  vlan; actions=push_vlan:0x8100,set_field:0x1014->vlan_vid,2
  vlan; actions=set_vlan_vid:30,2
  plain; actions=set_vlan_vid:30,2
  plain; actions=pop_vlan,2
  qinq; actions=pop_vlan,2
  qinq; actions=pop_vlan,pop_vlan,2
  qinq; actions=2,mod_vlan_vid:30,3
  tcp; actions=mod_nw_src:1.2.3.4,2
  tcp; actions=mod_nw_dst:1.2.3.4,2
  tcp; actions=mod_nw_tos:32,2
  tcp; actions=mod_nw_ecn:2,2
  tcp; actions=mod_nw_ttl:3,2
  tcp; actions=mod_tp_src:1,2
  tcp; actions=mod_tp_dst:1,mod_tp_src:2,2
  udp; actions=mod_tp_dst:1,2
  sctp; actions=mod_tp_dst:1,2
  icmp; actions=mod_tp_dst:1,2
  icmp; actions=mod_tp_src:3,mod_tp_dst:1,2
  icmp6; actions=mod_tp_src:3,2
  icmp; icmp,actions=set_field:3->icmp_type,2
  icmp6; icmp6,actions=set_field:1->icmpv6_code,2
  tcp; tcp,actions=set_field:81->tcp_dst,2
  tcp; ip,actions=set_field:1.2.3.4/255.255.0.0->ip_src,2
  tcp; ip,actions=set_field:8->nw_ttl,2
  plain; actions=mod_nw_ttl:3,2
  plain; actions=mod_tp_src:3,2
  tcp6; ipv6,actions=set_field:fe80::9->ipv6_dst,2
  tcp6; ipv6,actions=set_field:7->ipv6_label,2
  tcp6; actions=mod_nw_tos:32,2
  tcp6; actions=mod_tp_dst:7,2
  ns; icmp6,icmp_type=135,actions=set_field:fe80::4->nd_target,2
  ns; icmp6,icmp_type=135,actions=2,set_field:00:00:00:00:00:07->nd_sll,3
  arp; arp,actions=set_field:2->arp_op,2
  arp; arp,actions=set_field:10.0.0.9->arp_spa,2
  arp; arp,actions=move:NXM_NX_ARP_SHA[]->NXM_NX_ARP_THA[],2
  arp; arp,actions=set_field:00:00:00:00:00:07->arp_sha,2
  tcp; actions=dec_ttl,2
  ttl1; actions=dec_ttl,2
  ttl1; actions=dec_ttl(1,2),2
  tcp6; actions=dec_ttl,dec_ttl,2
  plain; actions=dec_ttl,2
  tcp; actions=push_mpls:0x8847,set_field:77->mpls_label,2
  tcp; actions=push_mpls:0x8847,set_field:77->mpls_label,push_mpls:0x8847,set_field:78->mpls_label,2
  plain; actions=push_mpls:0x8848,2
  mpls; actions=pop_mpls:0x800,2
  mpls; actions=pop_mpls:0x800,dec_ttl,2
  mpls2; actions=pop_mpls:0x8847,2
  mpls2; actions=pop_mpls:0x8847,pop_mpls:0x800,2
  mpls; actions=set_mpls_ttl(9),2
  mpls; actions=dec_mpls_ttl,2
  mpls; mpls,actions=set_field:5->mpls_tc,2
  mpls; actions=push_mpls:0x8847,2
  tcp; actions=set_queue:5,2,pop_queue,3
  tcp; actions=enqueue(2,7),3
  tcp; actions=set_tunnel:7,2
  tcp; actions=load:7->NXM_NX_PKT_MARK[],2
  tcp; actions=move:NXM_OF_IP_SRC[]->NXM_OF_IP_DST[],2
  tcp; actions=move:NXM_OF_IP_SRC[0..15]->NXM_NX_REG0[8..23],resubmit(,1); \
    table=1,reg0=0x0a0200,actions=2
  tcp; actions=push:NXM_OF_IP_SRC[],push:NXM_OF_IP_DST[],pop:NXM_OF_IP_SRC[],pop:NXM_OF_IP_DST[],2
  plain; actions=pop:NXM_NX_REG0[],2
  plain; actions=resubmit(3,1); table=1,in_port=3,actions=2
  plain; actions=resubmit(,1),3; table=1,actions=mod_dl_src:00:00:00:00:00:01,2
  plain; actions=resubmit(,1),3
  plain; actions=resubmit(,1),3; table=1,actions=exit
  plain; actions=goto_table:1
  plain; actions=goto_table:1; table=1,actions=2
  plain; actions=note:00.01.02,2
  plain; actions=exit,2
  plain; actions=clone(mod_dl_src:00:00:00:00:00:01,2),3
  plain; actions=clone(exit),3
  plain; actions=clone(clone(mod_dl_dst:00:00:00:00:00:01,2),3),4
  udp; actions=clone(output(port=2,max_len=20),3),4
  tcp; actions=multipath(symmetric_l4,50,modulo_n,1,0,NXM_NX_REG0[]),2
  tcp; actions=bundle(symmetric_l4,50,active_backup,ofport,members:2,3)
  tcp; actions=bundle_load(symmetric_l4,50,hrw,ofport,NXM_NX_REG0[],members:2,3),\
    output:NXM_NX_REG0[]
  tcp; actions=check_pkt_larger(50)->NXM_NX_REG0[0],resubmit(,1); table=1,reg0=1,actions=2; \
    table=1,reg0=0,actions=3
  tcp; actions=learn(table=1,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[]),2
  tcp; actions=learn(table=1,idle_timeout=9,priority=7,load:5->NXM_NX_REG2[],\
    NXM_OF_VLAN_TCI[0..11]),3
  tcp; actions=meter:1,2
  tcp; actions=write_actions(mod_dl_src:00:00:00:00:00:01,2)
  tcp; actions=2,write_actions(3),clear_actions
  tcp; actions=write_actions(2),goto_table:1; \
    table=1,actions=write_actions(dec_ttl,mod_nw_src:1.1.1.1)
  tcp; actions=write_actions(mod_nw_src:1.1.1.1)
  tcp; actions=write_actions(push_vlan:0x8100,set_field:0x1005->vlan_vid,output:2),goto_table:1; \
    table=1,actions=3
  tcp; actions=write_actions(2),goto_table:1; table=1,actset_output=2,actions=3
  tcp; group group_id=1,type=all,bucket=2,bucket=mod_dl_src:00:00:00:00:00:01,3; actions=group:1,4
  tcp; group group_id=1,type=indirect,bucket=mod_nw_src:1.1.1.1,3; actions=group:1
  tcp; group group_id=1,type=ff,bucket=watch_port:2,2,bucket=watch_port:3,3; actions=group:1
  tcp; group group_id=1,type=select,selection_method=dp_hash,bucket=2,bucket=3; actions=group:1
  tcp; group group_id=1,type=all,bucket=resubmit(,1),bucket=3; actions=group:1; \
    table=1,actions=mod_dl_dst:00:00:00:00:00:01,2
  tcp; group group_id=1,type=all,bucket=controller; actions=group:1
  tcp; actions=group:9
  tcp; actions=write_actions(group:1,2); group group_id=1,type=indirect,bucket=3
  tcp; actions=table
  tcp; actions=2,3,mod_nw_src:9.9.9.9,mod_tp_dst:5,4
  vlan; actions=mod_nw_src:9.9.9.9,mod_dl_src:00:00:00:00:00:01,mod_vlan_vid:7,2
  later; actions=mod_tp_dst:5,2
  later; actions=mod_nw_ttl:5,2
  first; actions=mod_tp_dst:5,2
  tcp; priority=5,actions=2; priority=6,actions=resubmit(,2),3
  plain; cookie=0x1234,priority=7,dl_type=0x1234,actions=2
  plain; actions=debug_recirc,2
  plain; actions=debug_slow,2
`);

export const PIPELINE_CASES: readonly PipelineCase[] = [...MATCHES, ...ACTIONS];
