/**
 * The commands of `tapswitch`, and which module serves each.
 *
 * Modules are loaded when their command is run, so that `tapswitch --help` starts fast and works
 * without root and without the addon. Each is `./NAME/index.js` and exports the function named
 * here, which takes the arguments after the command's name untouched.
 */

export interface CommandEntry {
  name: string;
  summary: string;
  /** Exported by ./NAME/index.js; a CliCommand. */
  run: string;
  /** The program of Open vSwitch that the command stands in for: the name in its messages. */
  program: string;
}

export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'start',
    summary: 'run the switch with a database of its own',
    run: 'runStart',
    program: 'tapswitch',
  },
  {
    name: 'vswitchd',
    summary: 'run the switch with the database of an OVSDB server',
    run: 'runVswitchd',
    program: 'ovs-vswitchd',
  },
  {
    name: 'ovsdb-server',
    summary: 'run the database alone',
    run: 'runOvsdbServer',
    program: 'ovsdb-server',
  },
  {
    name: 'vsctl',
    summary: 'configure bridges, ports and bonds (as ovs-vsctl)',
    run: 'runVsctl',
    program: 'ovs-vsctl',
  },
  {
    name: 'ovsdb',
    summary: 'see and change OVSDB databases (as ovsdb-client)',
    run: 'runOvsdb',
    program: 'ovsdb-client',
  },
  {
    name: 'ofctl',
    summary: 'see and change OpenFlow tables (as ovs-ofctl)',
    run: 'runOfctl',
    program: 'ovs-ofctl',
  },
  {
    name: 'appctl',
    summary: 'query a running daemon (as ovs-appctl)',
    run: 'runAppctl',
    program: 'ovs-appctl',
  },
  {
    name: 'dpctl',
    summary: 'see the datapath of a running daemon (as ovs-dpctl)',
    run: 'runDpctl',
    program: 'ovs-dpctl',
  },
  {
    name: 'controller',
    summary: 'make switches learn (as ovs-testcontroller)',
    run: 'runController',
    program: 'ovs-testcontroller',
  },
  {
    name: 'openflowd',
    summary: 'run one bridge without a database',
    run: 'runOpenflowd',
    program: 'ovs-openflowd',
  },
  {
    name: 'brctl',
    summary: 'the commands of brctl on the bridges of the switch',
    run: 'runBrctl',
    program: 'tapswitch',
  },
  {
    name: 'tcpdump',
    summary: 'see the packets of a port or bridge (as ovs-tcpdump)',
    run: 'runTcpdump',
    program: 'ovs-tcpdump',
  },
  {
    name: 'tcpundump',
    summary: 'packets from the output of tcpdump -xx (as ovs-tcpundump)',
    run: 'runTcpundump',
    program: 'ovs-tcpundump',
  },
  {
    name: 'pki',
    summary: 'make keys and certificates for TLS (as ovs-pki)',
    run: 'runPki',
    program: 'ovs-pki',
  },
  {
    name: 'doctor',
    summary: 'say what this machine lacks, and how to get it',
    run: 'runDoctor',
    program: 'tapswitch',
  },
  {
    name: 'install-aliases',
    summary: "make links under the names of Open vSwitch's programs",
    run: 'runInstallAliases',
    program: 'tapswitch',
  },
  {
    name: 'bond',
    summary: 'watch bonds: members, buckets, load, LACP',
    run: 'runBond',
    program: 'tapswitch',
  },
  {
    name: 'top',
    summary: 'ports, flows, workers, bonds and drops, live in the terminal',
    run: 'runTop',
    program: 'tapswitch',
  },
  {
    name: 'trace',
    summary: 'what the switch does with a packet, and why',
    run: 'runTrace',
    program: 'tapswitch',
  },
  {
    name: 'web',
    summary: 'watch a switch in a browser; metrics and an API',
    run: 'runWeb',
    program: 'tapswitch',
  },
  {
    name: 'bench',
    summary: 'measure forwarding on this machine',
    run: 'runBench',
    program: 'tapswitch',
  },
  {
    name: 'build-addon',
    summary: 'compile the native addon of an installed tapswitch',
    run: 'runBuildAddon',
    program: 'tapswitch',
  },
  {
    name: 'completion',
    summary: 'print what bash needs to complete command lines',
    run: 'runCompletion',
    program: 'tapswitch',
  },
];

/** The command that `program` (the name under which we were started) stands for, if any. */
export function commandForProgram(program: string): CommandEntry | undefined {
  if (program === 'tapswitch') return undefined;
  return COMMANDS.find((entry) => entry.program === program);
}
