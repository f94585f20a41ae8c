/**
 * Every command of ovs-ofctl that talks to a switch, to be run over each version of OpenFlow in
 * turn: also where the version lacks what the command asks for, and says so. `BR` is the bridge;
 * FILE0 to FILE9 are files. The steps follow each other, and leave nothing in the switch.
 */

/** The versions at which all of them are compared. */
export const COMPARED_VERSIONS = ['OpenFlow10', 'OpenFlow13', 'OpenFlow14', 'OpenFlow15'] as const;

const FRAME = 'ffffffffffff50540000000908060001080006040001505400000009010203040000000000000506';

export const VERSION_FILES: Readonly<Record<string, string>> = {
  FILE1: `table=0,priority=10,ip,nw_dst=10.0.0.1,actions=output:1
table=0,priority=20,in_port=1 actions=mod_nw_tos:32,output:2
table=1,cookie=5,idle_timeout=6000,arp,arp_op=1,actions=FLOOD
`,
  FILE2: 'table=0,priority=20,in_port=1 actions=output:1\n',
  FILE3: `group_id=3,type=all,bucket=output:1
group_id=4,type=select,bucket=weight:3,output:2
`,
  FILE4: `flow add priority=7,in_port=1,actions=output:2
group add group_id=9,type=all,bucket=output:1
flow add priority=8,actions=group:9
`,
  FILE5: `flow add priority=17,in_port=1,actions=output:2
flow modify priority=17,in_port=1,actions=drop
flow delete priority=19
`,
  FILE6: `flow add priority=18,in_port=2,actions=output:1
flow add priority=19,actions=output:1,group:77
`,
};

const DESCRIPTIONS = [
  ...['show BR', '-m show BR', 'dump-desc BR', 'dump-tables BR', 'dump-table-desc BR'],
  ...['probe BR', '-t 9 ping BR 20', '-t 9 benchmark BR 70000 5'],
  ...['dump-ports BR', 'dump-ports BR 1', 'dump-ports BR LOCAL', 'dump-ports BR 77'],
  ...['-m dump-ports BR', '--names dump-ports BR', 'dump-ports BR p1BR', 'dump-ports BR nosuch'],
  ...['dump-ports-desc BR', 'dump-ports-desc BR 2', 'dump-ports-desc BR p2BR'],
  ...['queue-stats BR', 'queue-stats BR 1', 'queue-stats BR 88', 'queue-stats BR 1 9'],
  ...['queue-get-config BR', 'queue-get-config BR 1', 'queue-get-config BR 1 9'],
  ...['queue-get-config BR 99', 'queue-stats BR x'],
  ...['mod-port BR 1 no-flood', 'mod-port BR p2BR no-forward', 'mod-port BR LOCAL no-packet-in'],
  ...['mod-port BR 1 down', 'mod-port BR 1 no-receive', 'mod-port BR 1 no-stp', 'show BR'],
  ...['mod-port BR 1 flood', 'mod-port BR p2BR forward', 'mod-port BR LOCAL packet-in'],
  ...['mod-port BR 1 up', 'mod-port BR 1 receive', 'mod-port BR 9 up', 'dump-ports-desc BR'],
  ...['get-frags BR', 'set-frags BR drop', 'get-frags BR', 'set-frags BR nx-match'],
  ...['get-frags BR', 'set-frags BR normal', 'get-frags BR'],
  ...['mod-table BR 1 evict', 'mod-table BR 1 vacancy:20,80', 'dump-table-desc BR'],
  ...['mod-table BR 1 noevict', 'mod-table BR 1 novacancy', 'mod-table BR 1 controller'],
  ...['mod-table BR 2 continue', 'mod-table BR 3 drop', 'mod-table BR 2 name:two'],
  ...['dump-tables BR', 'mod-table BR 2 name:', 'dump-table-features BR'],
];

const FLOWS = [
  'add-flow BR "priority=100,in_port=1,dl_src=00:11:22:33:44:55,cookie=0x1234 actions=output:2"',
  'add-flow BR "table=1,reg0=5/0xff,tcp,tp_dst=80,idle_timeout=5000 actions=resubmit(,2)"',
  'add-flow BR "table=2,ipv6,ipv6_src=fe80::/10,send_flow_rem actions=mod_vlan_vid:5,controller:9"',
  'add-flow BR "tcp,tp_src=0x100/0xff00 actions=learn(table=3,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[])"',
  'add-flow BR "table=3,importance=3,hard_timeout=9000,vlan_tci=0x1005 actions=strip_vlan,normal"',
  'add-flow BR "table=4,in_port=1 actions=write_metadata:5/7,goto_table:9"',
  'add-flow BR "table=4,in_port=2 actions=write_actions(output:1),clear_actions"',
  'add-flow BR "table=5,mpls,mpls_label=5,mpls_bos=1 actions=pop_mpls:0x0800,dec_ttl,in_port"',
  'add-flow BR "table=5,reset_counts,no_packet_counts actions=set_field:7->metadata,all"',
  'add-flow BR "table=6,tcp_flags=+syn-ack,tcp actions=mod_nw_ttl:9,mod_tp_dst:5,local"',
  'add-flow BR "table=6,icmp6,icmp_type=135,nd_target=fe80::1 actions=set_queue:5,flood"',
  'add-flow BR "table=7,pkt_mark=5,sctp,tp_dst=7 actions=multipath(eth_src,50,hrw,4,0,reg0[0..3])"',
  'add-flow BR "table=8 actions=bundle(eth_src,50,hrw,ofport,members:1,2),note:01.02"',
  'add-flow BR "table=8,tcp_flags=2/2,tcp actions=conjunction(1,1/2),conjunction(3,2/2)"',
  'add-flow BR "table=8,priority=9 actions=clone(push_vlan:0x88a8,output:2),enqueue(1,2),drop"',
  'add-flow BR "priority=5,check_overlap,in_port=1 actions=drop"',
  'add-flow BR "actions=output:70000"',
  'add-flow BR "actions=group:5"',
  'add-flow BR "table=200,actions=meter:1"',
  'add-flow BR "table=9,actions=goto_table:3"',
  ...['dump-flows BR', '--no-stats dump-flows BR', '--names dump-flows BR', '-m dump-flows BR'],
  ...['--sort dump-flows BR', '--rsort=in_port dump-flows BR', '--no-names dump-flows BR'],
  ...['dump-flows BR in_port=1', 'dump-flows BR table=2', 'dump-flows BR cookie=0x1234/-1'],
  ...['dump-flows BR out_port=2', 'dump-flows BR out_group=2', 'dump-flows BR tcp'],
  ...['dump-aggregate BR', 'dump-aggregate BR table=1', 'dump-aggregate BR out_port=2'],
  ...['--strict mod-flows BR "priority=100,in_port=1,dl_src=00:11:22:33:44:55 actions=drop"'],
  ...['mod-flows BR "tcp actions=output:1,output:2"', '--no-stats dump-flows BR'],
  ...['mod-flows BR "cookie=0x1234/-1,cookie=9,actions=output:LOCAL"', 'dump-tables BR'],
  ...['--strict del-flows BR "priority=99,in_port=1"', 'del-flows BR ipv6', 'del-flows BR table=3'],
  ...['del-flows BR cookie=9/-1', '--no-stats dump-flows BR', 'del-flows BR', 'dump-flows BR'],
];

const FILES_AND_PACKETS = [
  ...['add-flows BR FILE1', '--no-stats dump-flows BR', 'diff-flows BR FILE1'],
  ...['diff-flows BR FILE2', 'diff-flows FILE1 FILE2', 'diff-flows FILE2 BR'],
  ...['replace-flows BR FILE2', '--no-stats dump-flows BR', '--readd replace-flows BR FILE2'],
  ...['--bundle replace-flows BR FILE1', '--bundle add-flows BR FILE2'],
  ...['--bundle add-flow BR "priority=3,in_port=1 actions=output:2"', 'diff-flows BR FILE1'],
  ...['--bundle mod-flows BR "in_port=1 actions=output:1"', '--bundle del-flows BR in_port=1'],
  ...['--bundle add-flow BR "priority=5,actions=goto_table:254"', '--no-stats dump-flows BR'],
  ...['del-flows BR', 'bundle BR FILE4', 'bundle BR FILE5', 'bundle BR FILE6'],
  ...['--no-stats dump-flows BR', 'dump-groups BR', 'del-groups BR', 'del-flows BR'],
  `packet-out BR "in_port=1 packet=${FRAME} actions=output:2"`,
  `packet-out BR "in_port=controller,packet=${FRAME},actions=set_field:5->reg0,table"`,
  `packet-out BR 1 output:2 ${FRAME}`,
  `packet-out BR "in_port=70000 packet=${FRAME} actions=output:2"`,
  `packet-out BR "in_port=1,metadata=5,packet=${FRAME} actions=output:2"`,
  `packet-out BR "in_port=1,reg5=7,tun_id=9,packet=${FRAME} actions=output:2"`,
  `packet-out BR "in_port=1,tun_ttl=9,packet=${FRAME} actions=output:2"`,
  `packet-out BR "in_port=1,dl_vlan=9,packet=${FRAME} actions=output:2"`,
  `packet-out BR "in_port=1,metadata=x,packet=${FRAME} actions=output:2"`,
  `packet-out BR "in_port=1,nonsense=5,packet=${FRAME} actions=output:2"`,
  `packet-out BR "in_port=1 packet=${FRAME} actions=group:9"`,
];

const GROUPS = [
  'add-group BR group_id=1,type=all,bucket=output:1,bucket=output:2',
  'add-group BR group_id=2,type=select,bucket=weight:10,output:1,bucket=output:2',
  'add-group BR group_id=3,type=indirect,bucket=actions=mod_vlan_vid:5,output:1',
  'add-group BR group_id=4,type=ff,bucket=watch_port:1,output:1,bucket=watch_group:1,output:2',
  'add-group BR group_id=5,type=select,selection_method=hash,fields=ip_src,bucket=output:1',
  'add-group BR group_id=6,type=select,selection_method=dp_hash,selection_method_param=9,' +
    'bucket=bucket_id:7,output:1',
  'add-group BR group_id=1,type=all,bucket=output:1',
  'mod-group BR group_id=1,type=all,bucket=output:2',
  'mod-group BR group_id=99,type=all,bucket=output:2',
  '--may-create mod-group BR group_id=99,type=all,bucket=output:2',
  'insert-buckets BR group_id=1,command_bucket_id=first,bucket=bucket_id:5,output:1',
  'insert-buckets BR group_id=1,command_bucket_id=last,bucket=bucket_id:6,output:2',
  'insert-buckets BR group_id=1,command_bucket_id=77,bucket=bucket_id:9,output:2',
  'remove-buckets BR group_id=1,command_bucket_id=5',
  'remove-buckets BR group_id=1,command_bucket_id=55',
  'remove-buckets BR group_id=2,command_bucket_id=all',
  ...['dump-groups BR', 'dump-groups BR 4', '--names dump-groups BR', 'dump-group-stats BR'],
  ...['dump-group-stats BR group_id=1', 'dump-group-stats BR group_id=44'],
  ...['dump-group-features BR', 'add-flow BR "priority=9,in_port=1,actions=group:1"'],
  ...['dump-group-stats BR group_id=1', '--no-stats dump-flows BR out_group=1'],
  ...['del-groups BR group_id=4', 'del-groups BR group_id=44', 'del-groups BR'],
  ...['--no-stats dump-flows BR', 'dump-groups BR', 'add-groups BR FILE3'],
  ...['--bundle add-groups BR FILE3', 'dump-groups BR', 'del-groups BR', 'del-flows BR'],
];

const METERS = [
  'add-meter BR meter=1,kbps,band=type=drop,rate=1000',
  'add-meter BR meter=2,pktps,burst,stats,bands=type=drop,rate=100,burst_size=50',
  'add-meter BR meter=1,kbps,band=type=drop,rate=1000',
  ...['dump-meters BR', 'dump-meters BR meter=1', 'dump-meter BR meter=2', 'dump-meter BR meter=7'],
  'mod-meter BR meter=1,kbps,band=type=drop,rate=2000',
  'mod-meter BR meter=9,kbps,band=type=drop,rate=2000',
  ...['dump-meters BR', 'meter-stats BR', 'meter-stats BR meter=1', 'meter-stats BR meter=77'],
  ...['add-flow BR "priority=9,in_port=1,actions=meter:1,output:2"', 'meter-stats BR meter=1'],
  ...['del-meter BR meter=1', '--no-stats dump-flows BR', 'del-meters BR', 'dump-meters BR'],
  ...['meter-features BR', 'del-flows BR'],
];

const EXTENSIONS = [
  'add-tlv-map BR {class=0xffff,type=0,len=4}->tun_metadata0,{class=1,type=2,len=8}->tun_metadata5',
  ...['dump-tlv-map BR', 'add-flow BR table=9,tun_metadata0=1,actions=drop'],
  ...['--no-stats dump-flows BR', 'del-flows BR table=9,tun_metadata0=1'],
  ...['del-tlv-map BR {class=1,type=2,len=8}->tun_metadata5', 'dump-tlv-map BR'],
  ...['del-flows BR', 'del-tlv-map BR', 'dump-tlv-map BR'],
  ...['dump-ipfix-bridge BR', 'dump-ipfix-flow BR', 'ct-flush-zone BR 5', 'ct-flush-zone BR x'],
  ...['ct-flush BR', 'ct-flush BR zone=5', 'ct-flush BR zone=5 ct_nw_src=1.2.3.4'],
  ...['ct-flush BR ct_nw_src=1.2.3.4,ct_nw_proto=6 ct_nw_dst=1.2.3.5', 'ct-flush BR bogus=1'],
  ...[
    'monitor BR bogus',
    'monitor BR watch:bogus=1',
    'snoop nosuch',
    '-t 1 snoop unix:/nonexistent',
  ],
];

/**
 * Where the switches differ and the commands alone are compared: ours has other limits of meters,
 * which can remark; and Open vSwitch's table features since 1.4 leave out that tables can evict.
 */
export const SWITCHES_DIFFER = /OpenFlow1[345] meter-features|OpenFlow1[45] dump-table-features/;

export const VERSION_STEPS: readonly string[] = [
  ...DESCRIPTIONS,
  ...FLOWS,
  ...FILES_AND_PACKETS,
  ...GROUPS,
  ...METERS,
  ...EXTENSIONS,
];
