/**
 * Commands for ovs-ofctl and for ours, in the order in which they run. `BR` is the bridge, FILE1 to
 * FILE3 are files of flows. Words are separated by blanks unless quoted.
 */

import type { Finished } from './command.js';
import { ALONE, TABLES_AND_EXTENSIONS } from './ofctl-steps-extensions.js';

const FRAME = 'ffffffffffff50540000000908060001080006040001505400000009010203040000000000000506';

export const FLOW_FILES: Readonly<Record<string, string>> = {
  FILE1: `# a comment
table=0,priority=10,ip,nw_dst=10.0.0.1,actions=output:1
table=0,priority=20,in_port=1 actions=dec_ttl,output:2  # trailing

table=1,cookie=5,idle_timeout=60,arp,arp_op=1,actions=FLOOD
`,
  FILE2: `add in_port=1 actions=drop
delete in_port=1
modify in_port=2 actions=output:1
delete_strict priority=5
bogus line here actions=drop
`,
  FILE4: `group_id=1,type=all,bucket=output:1
modify group_id=1,type=all,bucket=output:2
delete group_id=1
add group_id=3,type=select,bucket=output:2
`,
  FILE5: `flow add priority=7,in_port=1,actions=output:2
group add group_id=9,type=all,bucket=output:1
flow add priority=8,actions=group:9
group delete group_id=9
`,
  FILE6: `flow add priority=17,in_port=1,actions=output:2
flow add priority=18,actions=group:55
`,
  FILE7: 'bogus line\n',
  FILE3: 'table=0,priority=20,in_port=1 actions=dec_ttl,output:1\n',
};

const SHOW = [
  'show BR',
  '-O OpenFlow12 show BR',
  '-O OpenFlow13 show BR',
  '-O OpenFlow14 show BR',
  '-O OpenFlow10,OpenFlow13 show BR',
  'show nosuch',
  'show tcp:127.0.0.1:1',
  'show unix:/nonexistent',
  'show',
  'show BR x',
  '',
  'bogus',
  '--foo show',
  '-t 0 show BR',
  '-t 9 probe BR',
  '-O OpenFlow99 show BR',
  '-F bogus show BR',
  '-F OXM show BR',
  '-O OpenFlow13 -F NXM show BR',
  'dump-desc BR',
  '-O OpenFlow13 dump-desc BR',
  'dump-tables BR',
  '-O OpenFlow11 dump-tables BR',
  '-O OpenFlow12 dump-tables BR',
  '-O OpenFlow13 dump-tables BR',
  'dump-ports BR',
  'dump-ports BR 2',
  'dump-ports BR p1BR',
  'dump-ports BR LOCAL',
  'dump-ports BR 77',
  'dump-ports BR nosuch',
  '-O OpenFlow13 dump-ports BR',
  '-O OpenFlow13 dump-ports BR 77',
  '-mm dump-ports BR',
  'dump-ports-desc BR',
  'dump-ports-desc BR 1',
  '-O OpenFlow13 dump-ports-desc BR',
  '-O OpenFlow14 dump-ports-desc BR',
  'queue-stats BR',
  'queue-stats BR 1',
  'queue-stats BR 1 5',
  'queue-stats BR 88',
  '-O OpenFlow13 queue-stats BR',
  'queue-get-config BR',
  'queue-get-config BR 1',
  'queue-get-config BR 99',
  'probe BR',
  '-O OpenFlow13 probe BR',
  'ping BR 100',
];

const CHANGE_PORTS = [
  'mod-port BR 1 no-flood',
  'show BR',
  'mod-port BR p1BR flood',
  'mod-port BR LOCAL down',
  'mod-port BR 1 noforward',
  'show BR',
  'mod-port BR 1 forward',
  'mod-port BR LOCAL up',
  'mod-port BR 1 blah',
  'mod-port BR nosuch up',
  '-O OpenFlow13 mod-port BR 1 no-forward',
  '-O OpenFlow13 dump-ports-desc BR',
  '-O OpenFlow13 mod-port BR 1 forward',
  '-O OpenFlow14 mod-port BR 1 no-packet-in',
  '-O OpenFlow14 dump-ports-desc BR',
  '-O OpenFlow14 mod-port BR 1 packet-in',
  'get-frags BR',
  'set-frags BR nx-match',
  'get-frags BR',
  'set-frags BR reassemble',
  'set-frags BR normal',
  'set-frags BR bogus',
];

const FLOWS = [
  'dump-flows BR',
  'dump-aggregate BR',
  'add-flow BR actions=normal',
  'add-flow BR "priority=100,in_port=1,dl_src=00:11:22:33:44:55,cookie=0x1234 actions=output:2"',
  'add-flow BR "table=1,reg0=5/0xff,tcp,tp_dst=80,idle_timeout=5000 actions=resubmit(,2)"',
  'add-flow BR "table=2,ipv6,ipv6_src=fe80::/10,send_flow_rem actions=mod_vlan_vid:5,controller:9"',
  'add-flow BR "tcp,tp_src=0x100/0xff00 actions=learn(table=3,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[])"',
  'dump-flows BR',
  'dump-flows BR in_port=1',
  'dump-flows BR table=1',
  'dump-flows BR cookie=0x1234/-1',
  'dump-flows BR out_port=2',
  'dump-flows BR tcp',
  'dump-flows BR bogus=1',
  '-F NXM dump-flows BR',
  '-F OpenFlow10 dump-flows BR',
  '-O OpenFlow13 dump-flows BR',
  '-O OpenFlow13 dump-flows BR in_port=1',
  '-O OpenFlow14 dump-flows BR',
  '-m dump-flows BR',
  '--no-stats dump-flows BR',
  '--sort dump-flows BR',
  '--rsort dump-flows BR',
  '--sort=tp_dst dump-flows BR',
  '--rsort=in_port --no-stats dump-flows BR',
  '--sort=bogus dump-flows BR',
  '--names --no-stats dump-flows BR',
  '--names dump-flows BR',
  'dump-aggregate BR',
  'dump-aggregate BR table=1',
  '-O OpenFlow13 dump-aggregate BR',
  'dump-tables BR',
  '-O OpenFlow13 dump-tables BR',
  'mod-flows BR "in_port=1 actions=output:1,output:2"',
  '--no-stats dump-flows BR',
  '--strict mod-flows BR "priority=100,in_port=1,dl_src=00:11:22:33:44:55 actions=drop"',
  '--strict mod-flows BR "priority=99,in_port=1 actions=drop"',
  '--no-stats dump-flows BR',
  '-O OpenFlow13 mod-flows BR "priority=77,in_port=7 actions=drop"',
  '--strict del-flows BR "priority=99,in_port=1"',
  'del-flows BR tcp',
  '--no-stats dump-flows BR',
  'del-flows BR "cookie=0x1234/-1"',
  'del-flows BR cookie=1',
  '--no-stats dump-flows BR',
  'del-flows BR',
  '--no-stats dump-flows BR',
];

const NAMES_AND_ERRORS = [
  'add-flow BR "in_port=p1BR actions=output:p2BR"',
  '--no-stats dump-flows BR',
  '--names --no-stats dump-flows BR',
  '--no-names add-flow BR "in_port=p1BR actions=drop"',
  'add-flow BR "actions=output:99"',
  'add-flow BR "actions=bogus"',
  'add-flow BR "bogus=1 actions=drop"',
  'add-flow BR "in_port=1"',
  'add-flow BR "table=255,actions=drop"',
  'add-flow BR "table=254,actions=drop"',
  'add-flow BR "actions=goto_table:254"',
  'add-flow BR "actions=meter:1"',
  '-O OpenFlow13 add-flow BR "actions=meter:1"',
  '-O OpenFlow13 add-flow BR "actions=group:5"',
  'add-flow BR "actions=group:5"',
  'add-flow BR "priority=5,check_overlap,ip actions=drop"',
  'add-flow BR "priority=5,check_overlap,ip,nw_src=1.2.3.4 actions=drop"',
  '-O OpenFlow13 add-flow BR "priority=5,check_overlap,ip,nw_src=1.2.3.4 actions=drop"',
  '-O OpenFlow13 add-flow BR "table=1,in_port=1 actions=write_actions(output:2),goto_table:2"',
  '-O OpenFlow13 add-flow BR "table=3,priority=3,in_port=1 actions=apply_actions(output:2)"',
  '-O OpenFlow14 add-flow BR "table=1,importance=5,in_port=2 actions=output:1"',
  'dump-flows BR',
  '-O OpenFlow13 dump-flows BR',
  '-O OpenFlow14 dump-flows BR',
  '-O OpenFlow15 dump-flows BR',
  '-O OpenFlow15 --no-stats dump-flows BR',
  '-O OpenFlow15 dump-aggregate BR',
  '-O OpenFlow15 queue-stats BR',
  '-O OpenFlow14 queue-stats BR',
  '-O OpenFlow15 dump-tables BR',
  '-O OpenFlow13 --no-stats dump-flows BR table=1',
  '-F OpenFlow10 add-flow BR "reg0=1 actions=drop"',
  '-F NXM add-flow BR "in_port=1 actions=drop"',
  '-F OpenFlow10-table_id add-flow BR "table=1,in_port=1 actions=drop"',
  '--read-only add-flow BR actions=drop',
  '--read-only --no-stats dump-flows BR',
  'del-flows BR out_port=1',
  'del-flows BR out_group=5',
  '-O OpenFlow13 del-flows BR out_group=5',
];

const FILES_AND_PACKETS = [
  'add-flows BR FILE1',
  '--no-stats dump-flows BR',
  'add-flows BR FILE2',
  'add-flows BR /nonexistent',
  '-O OpenFlow13 del-flows BR',
  'add-flows BR FILE1',
  'diff-flows BR FILE1',
  'diff-flows BR FILE3',
  'replace-flows BR FILE3',
  '--no-stats dump-flows BR',
  'diff-flows BR FILE3',
  '-O OpenFlow13 replace-flows BR FILE1',
  '-O OpenFlow13 --no-stats --sort dump-flows BR',
  '-O OpenFlow13 diff-flows BR FILE1',
  '--readd replace-flows BR FILE1',
  `packet-out BR "in_port=1 packet=${FRAME} actions=output:2"`,
  `-O OpenFlow13 packet-out BR "in_port=1 packet=${FRAME} actions=output:2"`,
  `packet-out BR 1 output:2 ${FRAME}`,
  'packet-out BR 1 output:2',
  'packet-out BR "in_port=1 actions=output:2"',
  'packet-out BR "in_port=1 packet=ff actions=output:2"',
  'packet-out BR "in_port=1 packet=zz actions=output:2"',
  `packet-out BR "in_port=normal packet=${FRAME} actions=output:2"`,
  `packet-out BR "in_port=1 packet=${FRAME} actions=goto_table:1"`,
];

const GROUPS = [
  'add-group BR group_id=1,type=all,bucket=output:1,bucket=output:2',
  '-O OpenFlow13 add-group BR group_id=2,type=select,bucket=weight:10,output:1,bucket=output:2',
  '-O OpenFlow13 add-group BR group_id=3,type=indirect,bucket=actions=mod_vlan_vid:5,output:1',
  '-O OpenFlow13 add-group BR group_id=4,type=ff,bucket=watch_port:1,output:1,' +
    'bucket=watch_port:2,output:2',
  '-O OpenFlow15 add-group BR group_id=5,type=select,selection_method=hash,fields=ip_src,' +
    'bucket=bucket_id:7,output:1',
  '-O OpenFlow15 add-group BR "group_id=6,type=select,selection_method=hash,' +
    'selection_method_param=9,fields(ip_dst=255.255.255.0,tcp_src),bucket=output:1"',
  '-O OpenFlow15 add-group BR group_id=7,type=select,selection_method=dp_hash,bucket=output:1',
  '-O OpenFlow13 add-group BR group_id=8,type=all,bucket=set_field:1->reg0,group:1',
  'dump-groups BR',
  'dump-groups BR 2',
  '-O OpenFlow13 dump-groups BR',
  '-O OpenFlow14 dump-groups BR',
  '-O OpenFlow15 dump-groups BR',
  '-O OpenFlow15 dump-groups BR 5',
  '-O OpenFlow13 --names dump-groups BR',
  'dump-group-stats BR',
  'dump-group-stats BR group_id=1',
  '-O OpenFlow13 dump-group-stats BR',
  '-O OpenFlow12 dump-group-stats BR',
  'dump-group-features BR',
  '-O OpenFlow13 dump-group-features BR',
  '-O OpenFlow15 dump-group-features BR',
  'add-group BR group_id=1,type=all,bucket=output:1',
  '-O OpenFlow13 add-group BR group_id=1,type=all,bucket=output:1',
  'mod-group BR group_id=1,type=all,bucket=output:2',
  '-O OpenFlow13 mod-group BR group_id=99,type=all,bucket=output:2',
  '-O OpenFlow13 --may-create mod-group BR group_id=99,type=all,bucket=output:2',
  '-O OpenFlow15 insert-buckets BR group_id=1,command_bucket_id=first,bucket=bucket_id:5,output:1',
  '-O OpenFlow15 insert-buckets BR group_id=1,command_bucket_id=last,bucket=bucket_id:6,output:2',
  '-O OpenFlow15 insert-buckets BR group_id=1,command_bucket_id=5,bucket=bucket_id:8,output:2',
  '-O OpenFlow15 insert-buckets BR group_id=1,command_bucket_id=77,bucket=bucket_id:9,output:2',
  '-O OpenFlow15 remove-buckets BR group_id=1,command_bucket_id=5',
  '-O OpenFlow15 remove-buckets BR group_id=1,command_bucket_id=first',
  '-O OpenFlow15 remove-buckets BR group_id=1,command_bucket_id=55',
  '-O OpenFlow13 insert-buckets BR group_id=1,command_bucket_id=last,bucket=output:2',
  '-O OpenFlow15 dump-groups BR',
  '-O OpenFlow13 add-flow BR "priority=9,actions=group:1"',
  '-O OpenFlow13 --no-stats dump-flows BR out_group=1',
  '-O OpenFlow13 del-groups BR group_id=1',
  '-O OpenFlow13 --no-stats dump-flows BR',
  'del-groups BR group_id=2',
  'dump-groups BR',
  '-O OpenFlow13 del-groups BR',
  '-O OpenFlow13 dump-groups BR',
  'add-group BR type=all,bucket=output:1',
  'add-group BR group_id=1,bucket=output:1',
  'add-group BR group_id=1,type=bogus',
  'add-group BR group_id=1,type=all,bucket=weight:5,output:1',
  'add-group BR group_id=1,type=ff,bucket=output:1',
  'add-group BR group_id=1,type=all,bucket=',
  'add-group BR group_id=1,type=all,bogus=1',
  'add-group BR group_id=4294967295,type=all,bucket=output:1',
  'add-group BR group_id=1,type=indirect,bucket=output:1,bucket=output:2',
  'add-group BR group_id=1,type=select,fields=ip_src,bucket=output:1',
  'add-group BR group_id=1,type=select,selection_method=hash,fields=bogus,bucket=output:1',
  'del-groups BR group_id=1,type=all',
  'del-groups BR group_id=1,bucket=output:1',
  'insert-buckets BR group_id=1,bucket=output:1',
  'insert-buckets BR group_id=1,command_bucket_id=all,bucket=output:1',
  'remove-buckets BR group_id=1,command_bucket_id=bogus',
  'add-groups BR FILE4',
  '-O OpenFlow13 --bundle add-groups BR FILE4',
  '-O OpenFlow13 dump-groups BR',
  'del-groups BR',
  'parse-group group_id=1,type=select,bucket=weight:4,output:1',
  '-O OpenFlow13 parse-group group_id=1,type=all,bucket=output:1',
  '-O OpenFlow15 parse-group group_id=1,type=all,bucket=output:1,bucket=bucket_id:9,output:2',
];

const METERS = [
  '-O OpenFlow13 meter-features BR',
  '-O OpenFlow13 add-meter BR meter=1,kbps,band=type=drop,rate=1000',
  '-O OpenFlow13 add-meter BR meter=2,pktps,burst,stats,bands=type=drop,rate=100,burst_size=50',
  '-O OpenFlow13 add-meter BR meter=3,kbps,bands=type=dscp_remark,rate=100,prec_level=1',
  '-O OpenFlow13 add-meter BR meter=1,kbps,band=type=drop,rate=1000',
  '-O OpenFlow13 dump-meters BR',
  '-O OpenFlow13 dump-meter BR meter=1',
  '-O OpenFlow13 dump-meter BR meter=7',
  '-O OpenFlow13 mod-meter BR meter=1,kbps,band=type=drop,rate=2000',
  '-O OpenFlow13 mod-meter BR meter=9,kbps,band=type=drop,rate=2000',
  '-O OpenFlow14 dump-meters BR',
  '-O OpenFlow15 dump-meters BR meter=1',
  '-O OpenFlow13 meter-stats BR meter=77',
  '-O OpenFlow13 del-meter BR meter=1',
  '-O OpenFlow13 del-meters BR',
  '-O OpenFlow13 dump-meters BR',
  'add-meter BR meter=1,kbps,band=type=drop,rate=1000',
  'dump-meters BR',
  '-O OpenFlow13 add-meter BR kbps,band=type=drop,rate=1000',
  '-O OpenFlow13 add-meter BR meter=1,band=type=drop,rate=1000',
  '-O OpenFlow13 add-meter BR meter=1,kbps',
  '-O OpenFlow13 add-meter BR meter=1,kbps,band=rate=1000',
  '-O OpenFlow13 add-meter BR meter=1,kbps,band=type=bogus,rate=1000',
  '-O OpenFlow13 add-meter BR meter=1,kbps,band=type=drop',
  '-O OpenFlow13 add-meter BR meter=1,kbps,band=type=drop,rate=1,burst_size=5',
  '-O OpenFlow13 add-meter BR meter=1,kbps,burst,band=type=drop,rate=1',
  '-O OpenFlow13 add-meter BR meter=0,kbps,band=type=drop,rate=1',
  '-O OpenFlow13 add-meter BR meter=1,bogus,band=type=drop,rate=1',
  '-O OpenFlow13 add-meter BR meter=1,kbps,band=type=drop,rate=1,prec_level=2',
  '-O OpenFlow13 add-meter BR meter=1,kbps,band=type=dscp_remark,rate=1',
];

const BUNDLES = [
  '--bundle add-flow BR "priority=3,in_port=1 actions=output:2"',
  '--bundle add-flows BR FILE1',
  '--no-stats dump-flows BR',
  '-O OpenFlow13 --bundle add-flows BR FILE1',
  '-O OpenFlow15 --bundle mod-flows BR "in_port=1 actions=output:1"',
  '--bundle del-flows BR in_port=1',
  '--bundle replace-flows BR FILE3',
  '-O OpenFlow13 --bundle add-flow BR "priority=5,actions=group:99"',
  '--bundle add-flow BR "priority=5,actions=goto_table:254"',
  'bundle BR FILE5',
  '-O OpenFlow13 bundle BR FILE5',
  '-O OpenFlow15 bundle BR FILE5',
  '-O OpenFlow13 --no-stats dump-flows BR',
  'bundle BR FILE6',
  '-O OpenFlow13 --no-stats dump-flows BR',
  '-O OpenFlow13 dump-groups BR',
  'bundle BR FILE7',
  '-O OpenFlow13 del-groups BR',
  'del-flows BR',
];

/** Messages for ofp-print: each name in the protocol, errors around others, and broken ones. */
const PRINT = [
  '0100000800000001',
  '04000010000000010001000800000012',
  '0105000800000002',
  '04120010000000030000000000000000',
  '0101000c00000001000100010105000800000002',
  '0101001400000001000100010105000800000002',
  '0104001400000001000023200000000c00000002',
  '0104001800000001000023200000000f0100000000000000',
  '01040014000000010000232000000010000000010000',
  '010200100000000161626364656667680a',
  '0102000c0000000161626364',
  '01090010000000010001008000000000',
  '0109000c0000000100010080',
  '0112000800000005',
  '0114000800000005',
  '04140008000000050',
  '041b0020000000000000100500001007000000030000000700000000000000'.padEnd(64, '0'),
  '051c0038000000020000000800000001000100080000000200020008000000020003000800000003' +
    '00040008000000040005000800000005',
  '051c0010000000020000000800000fff',
  '051c0010000000020063000800000001',
  '01',
  'zz',
  '',
].map((hex) => `ofp-print "${hex}"`);

export const OFCTL_STEPS: readonly string[] = [
  ...SHOW,
  ...CHANGE_PORTS,
  ...FLOWS,
  ...NAMES_AND_ERRORS,
  ...FILES_AND_PACKETS,
  ...GROUPS,
  ...METERS,
  ...BUNDLES,
  ...PRINT,
  ...TABLES_AND_EXTENSIONS,
  ...ALONE,
];

/** Splits a command line at blanks; double quotes keep words together. */
export function words(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"|(\S+)/g)].map((m) => m[1] ?? m[2]);
}

/** Open vSwitch lists groups and flows in the order of a hash. */
function sortEntries(text: string): string {
  if (!/^ (group_id=|.*actions=)/m.test(text)) return text;
  return text.split('\n').sort().join('\n');
}

/** A finished command without what differs from run to run. */
export function normalise({ status, stdout, stderr }: Finished): Finished {
  const same = (text: string): string =>
    text
      .replace(/duration=[\d.]+s/g, 'duration=Ns')
      .replace(/(idle|hard)_age=\d+(, )?/g, '')
      .replace(/time=[\d.]+ ms/g, 'time=N ms')
      .replace(/addr:aa:55:aa:55:..:../g, 'addr:<dummy>')
      .replace(/^\d{4}-\d\d-\d\dT[\d:]+Z\|\d+\|\w+\|WARN\|.*\n/gm, '');
  return { status, stdout: sortEntries(same(stdout)), stderr: same(stderr) };
}

/** Of two switches: each lists its ports' queues in an order of its own. */
export function sortQueues(finished: Finished): Finished {
  const lines = finished.stdout.split('\n');
  if (lines.some((line) => /^ {2}port \S+ queue /.test(line))) lines.sort();
  return { ...finished, stdout: lines.join('\n') };
}
