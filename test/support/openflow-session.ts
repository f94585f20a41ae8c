/**
 * Commands that bring about messages of every kind, for captures. `BR` is the switch. What a
 * version does not have is refused: that is part of it.
 */
const FRAME = 'ffffffffffff50540000000908060001080006040001505400000009010203040000000000000506';

const SHOW = [
  ...['show', 'dump-desc', 'dump-tables', 'dump-table-features', 'dump-table-desc', 'dump-ports'],
  ...['dump-ports-desc', 'queue-stats', 'queue-get-config', 'get-frags', 'dump-group-features'],
  ...['meter-features', 'dump-tlv-map', 'dump-ipfix-bridge', 'dump-ipfix-flow', 'probe'],
].map((command) => `${command} BR`);

const CHANGE = [
  ...['set-frags BR drop', 'set-frags BR normal', 'mod-port BR 1 no-flood', 'mod-port BR 1 flood'],
  'add-group BR group_id=1,type=all,bucket=output:1,bucket=output:2',
  'add-group BR group_id=2,type=select,bucket=weight:5,output:1',
  'mod-group BR group_id=1,type=all,bucket=output:1',
  'add-meter BR meter=1,kbps,burst,stats,band=type=drop,rate=100,burst_size=10',
  'mod-meter BR meter=1,pktps,band=type=drop,rate=10',
  ...['mod-table BR 0 evict', 'mod-table BR 0 vacancy:20,80', 'mod-table BR 0 novacancy'],
  ...['mod-table BR 0 noevict', 'mod-table BR 0 controller', 'mod-table BR 5 name:five'],
  'add-tlv-map BR {class=0xffff,type=0,len=4}->tun_metadata0',
  ...['dump-tlv-map BR', 'del-tlv-map BR', 'ct-flush-zone BR 1'],
];

const FLOWS = [
  'priority=5,in_port=1,send_flow_rem,actions=output:2',
  'send_flow_rem,priority=7,tcp,nw_src=10.0.0.0/8,tp_dst=80,' +
    'actions=mod_nw_dst:1.2.3.4,dec_ttl,output:2',
  'priority=8,ipv6,ipv6_dst=fe80::/10,actions=push_vlan:0x8100,mod_vlan_vid:5,output:1',
  'table=1,reg0=5,metadata=7,actions=load:1->NXM_NX_REG1[],resubmit(,2),' +
    'learn(table=3,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[])',
  'table=2,arp,arp_op=1,actions=move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],' +
    'controller(max_len=64,id=3),note:01.02',
  'table=4,icmp6,icmp_type=135,nd_target=fe80::1,actions=group:1',
  'table=5,mpls,mpls_label=5,actions=pop_mpls:0x800',
  'table=5,mpls,mpls_label=6,actions=dec_mpls_ttl,push_mpls:0x8847,set_field:3->mpls_label',
  'table=6,actions=write_actions(output:2),write_metadata:1,goto_table:7',
  'table=6,in_port=1,actions=meter:1,output:2',
  'table=7,actions=bundle(hrw,60,eth_src,ofport,members:1,2)',
  'table=8,ip,actions=clone(output:1),multipath(symmetric_l4,50,modulo_n,4,0,NXM_NX_REG0[])',
  'table=9,priority=3,importance=5,actions=normal',
  'table=10,dl_vlan=5,dl_vlan_pcp=3,dl_src=00:11:22:33:44:55,actions=strip_vlan,set_queue:5,flood',
  'actions=output:99',
].map((flow) => `add-flow BR "${flow}"`);

const AFTER = [
  ...['dump-flows BR', 'dump-flows BR in_port=1', 'dump-aggregate BR', 'dump-groups BR'],
  ...[
    'dump-group-stats BR',
    'dump-meters BR',
    'meter-stats BR',
    'mod-flows BR in_port=1,actions=1',
  ],
  `packet-out BR "in_port=1,packet=${FRAME},actions=output:2,controller"`,
  `packet-out BR "in_port=2,packet=${FRAME},actions=controller(userdata=01.02,pause)"`,
  ...['--bundle add-flow BR priority=77,actions=drop', 'ping BR 20', 'del-flows BR'],
  ...['del-groups BR', 'del-meters BR'],
];

/** The commands, in the order in which they run. */
export const captureSession = (): readonly string[] => [...CHANGE, ...FLOWS, ...SHOW, ...AFTER];
