/**
 * The help text of `tapswitch ofctl`.
 */

const COMMANDS: [usage: string, summary: string][] = [
  ['show SWITCH', 'features, ports and configuration'],
  ['dump-desc SWITCH', 'description of the switch'],
  ['dump-tables SWITCH', 'statistics of flow tables'],
  ['dump-flows SWITCH [FLOW]', 'flows, those that match FLOW'],
  ['dump-aggregate SWITCH [FLOW]', 'sums over flows'],
  ['dump-ports SWITCH [PORT]', 'statistics of ports'],
  ['dump-ports-desc SWITCH [PORT]', 'descriptions of ports'],
  ['queue-stats SWITCH [PORT [QUEUE]]', 'statistics of queues'],
  ['queue-get-config SWITCH [PORT]', 'configuration of queues'],
  ['add-flow SWITCH FLOW', 'adds a flow'],
  ['add-flows SWITCH FILE', 'adds flows from a file (- for standard input)'],
  ['mod-flows SWITCH FLOW', 'changes the actions of flows'],
  ['del-flows SWITCH [FLOW]', 'deletes flows'],
  ['replace-flows SWITCH FILE', 'makes the flows those of a file'],
  ['diff-flows SOURCE1 SOURCE2', 'compares flows of switches or files'],
  ['mod-port SWITCH PORT ACTION', 'up, down, [no-]flood, [no-]forward, [no-]receive...'],
  ['get-frags SWITCH', 'how IP fragments are treated'],
  ['set-frags SWITCH MODE', 'normal, drop, reassemble, nx-match'],
  ['packet-out SWITCH "in_port=P packet=HEX actions=A"', 'sends a packet through actions'],
  ['monitor SWITCH [MISSLEN]', 'prints packets that the switch sends to controllers'],
  ['snoop SWITCH', 'prints what a controller and the switch say to each other'],
  ['add-group SWITCH GROUP', 'adds a group'],
  ['add-groups SWITCH FILE', 'adds groups from a file'],
  ['mod-group SWITCH GROUP', 'changes a group; with --may-create adds it too'],
  ['del-groups SWITCH [GROUP]', 'deletes groups'],
  ['insert-buckets SWITCH GROUP', 'adds buckets to a group'],
  ['remove-buckets SWITCH GROUP', 'takes buckets out of a group'],
  ['dump-groups SWITCH [GROUP]', 'groups'],
  ['dump-group-stats SWITCH [GROUP]', 'statistics of groups'],
  ['dump-group-features SWITCH', 'what groups the switch can have'],
  ['add-meter SWITCH METER', 'adds a meter'],
  ['mod-meter SWITCH METER', 'changes a meter'],
  ['del-meters SWITCH [METER]', 'deletes meters (del-meter: the same)'],
  ['dump-meters SWITCH [METER]', 'meters (dump-meter: the same)'],
  ['meter-stats SWITCH [METER]', 'statistics of meters'],
  ['meter-features SWITCH', 'what meters the switch can have'],
  ['bundle SWITCH FILE', 'flows, groups and packets of a file, all or nothing'],
  ['probe TARGET', 'whether TARGET answers'],
  ['ping TARGET [N]', 'ten echos of N bytes'],
  ['parse-flow FLOW', 'shows how FLOW would be sent'],
  ['parse-flows FILE', 'the same for a file'],
  ['parse-group GROUP', 'shows how GROUP would be sent'],
  ['ofp-print HEX [LEVEL]', 'shows an OpenFlow message'],
  ['ofp-parse FILE', 'shows the OpenFlow messages in a file'],
];

const OPTIONS: [usage: string, summary: string][] = [
  ['-O, --protocols=VERSIONS', 'OpenFlow versions to offer (OpenFlow10, OpenFlow13, ...)'],
  ['-F, --flow-format=FORMATS', 'flow formats to use (OpenFlow10, NXM, OXM, any)'],
  ['-P, --packet-in-format=F', 'standard, nxt_packet_in or nxt_packet_in2'],
  ['-t, --timeout=SECS', 'give up after SECS seconds'],
  ['-m, --more', 'print more of each message'],
  ['--strict', 'mod-flows and del-flows: only the very same match'],
  ['--bundle', 'send changes as a bundle: all or nothing'],
  ['--may-create', 'mod-group: add groups that there are none of'],
  ['--readd', 'replace-flows: also flows that have not changed'],
  ['--names, --no-names', 'show names of ports; accept none'],
  ['--stats, --no-stats', 'dump-flows: with or without counters'],
  ['--sort[=FIELD], --rsort[=FIELD]', 'dump-flows: order, by priority or FIELD'],
  ['--timestamp', 'monitor: say when'],
  ['--read-only', 'refuse commands that change the switch'],
  ['-h, --help', 'this text'],
  ['-V, --version', 'version'],
];

const table = (rows: [string, string][], width: number): string =>
  rows.map(([left, right]) => `  ${left.padEnd(width)} ${right}\n`).join('');

export function usageText(program: string): string {
  return (
    `${program}: OpenFlow switch management utility\n` +
    `usage: ${program} [OPTIONS] COMMAND [ARG...]\n\n` +
    `Commands:\n${table(COMMANDS, 34)}\n` +
    'SWITCH is a bridge, a socket, or unix:FILE or tcp:HOST[:PORT].\n\n' +
    `Options:\n${table(OPTIONS, 34)}`
  );
}
