/**
 * The commands of `tapswitch`, and which module serves each.
 *
 * Modules are loaded when their command is run, so that `tapswitch --help` starts fast and works
 * without root and without the addon. Each takes the arguments after the command's name untouched.
 */
import type { CliCommand } from './io.js';

export interface CommandEntry {
  name: string;
  summary: string;
  /** Loads its module and hands out what it exports. */
  load(): Promise<CliCommand>;
  /** The program of Open vSwitch that the command stands in for: the name in its messages. */
  program: string;
}

export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'start',
    summary: 'run the switch with a database of its own',
    load: async () => (await import('./start/index.js')).runStart,
    program: 'tapswitch',
  },
  {
    name: 'vswitchd',
    summary: 'run the switch with the database of an OVSDB server',
    load: async () => (await import('./vswitchd/index.js')).runVswitchd,
    program: 'ovs-vswitchd',
  },
  {
    name: 'ovsdb-server',
    summary: 'run the database alone',
    load: async () => (await import('./ovsdb-server/index.js')).runOvsdbServer,
    program: 'ovsdb-server',
  },
  {
    name: 'vsctl',
    summary: 'configure bridges, ports and bonds (as ovs-vsctl)',
    load: async () => (await import('./vsctl/index.js')).runVsctl,
    program: 'ovs-vsctl',
  },
  {
    name: 'ovsdb',
    summary: 'see and change OVSDB databases (as ovsdb-client)',
    load: async () => (await import('./ovsdb/index.js')).runOvsdb,
    program: 'ovsdb-client',
  },
  {
    name: 'ofctl',
    summary: 'see and change OpenFlow tables (as ovs-ofctl)',
    load: async () => (await import('./ofctl/index.js')).runOfctl,
    program: 'ovs-ofctl',
  },
  {
    name: 'appctl',
    summary: 'query a running daemon (as ovs-appctl)',
    load: async () => (await import('./appctl/index.js')).runAppctl,
    program: 'ovs-appctl',
  },
  {
    name: 'dpctl',
    summary: 'see the datapath of a running daemon (as ovs-dpctl)',
    load: async () => (await import('./dpctl/index.js')).runDpctl,
    program: 'ovs-dpctl',
  },
  {
    name: 'controller',
    summary: 'make switches learn (as ovs-testcontroller)',
    load: async () => (await import('./controller/index.js')).runController,
    program: 'ovs-testcontroller',
  },
  {
    name: 'openflowd',
    summary: 'run one bridge without a database',
    load: async () => (await import('./openflowd/index.js')).runOpenflowd,
    program: 'ovs-openflowd',
  },
  {
    name: 'brctl',
    summary: 'the commands of brctl on the bridges of the switch',
    load: async () => (await import('./brctl/index.js')).runBrctl,
    program: 'tapswitch',
  },
  {
    name: 'tcpdump',
    summary: 'see the packets of a port or bridge (as ovs-tcpdump)',
    load: async () => (await import('./tcpdump/index.js')).runTcpdump,
    program: 'ovs-tcpdump',
  },
  {
    name: 'tcpundump',
    summary: 'packets from the output of tcpdump -xx (as ovs-tcpundump)',
    load: async () => (await import('./tcpundump/index.js')).runTcpundump,
    program: 'ovs-tcpundump',
  },
  {
    name: 'pki',
    summary: 'make keys and certificates for TLS (as ovs-pki)',
    load: async () => (await import('./pki/index.js')).runPki,
    program: 'ovs-pki',
  },
  {
    name: 'doctor',
    summary: 'say what this machine lacks, and how to get it',
    load: async () => (await import('./doctor/index.js')).runDoctor,
    program: 'tapswitch',
  },
  {
    name: 'install-aliases',
    summary: "make links under the names of Open vSwitch's programs",
    load: async () => (await import('./install-aliases/index.js')).runInstallAliases,
    program: 'tapswitch',
  },
  {
    name: 'bond',
    summary: 'watch bonds: members, buckets, load, LACP',
    load: async () => (await import('./bond/index.js')).runBond,
    program: 'tapswitch',
  },
  {
    name: 'top',
    summary: 'ports, flows, workers, bonds and drops, live in the terminal',
    load: async () => (await import('./top/index.js')).runTop,
    program: 'tapswitch',
  },
  {
    name: 'trace',
    summary: 'what the switch does with a packet, and why',
    load: async () => (await import('./trace/index.js')).runTrace,
    program: 'tapswitch',
  },
  {
    name: 'web',
    summary: 'watch a switch in a browser; metrics and an API',
    load: async () => (await import('./web/index.js')).runWeb,
    program: 'tapswitch',
  },
  {
    name: 'bench',
    summary: 'measure forwarding on this machine',
    load: async () => (await import('./bench/index.js')).runBench,
    program: 'tapswitch',
  },
  {
    name: 'build-addon',
    summary: 'compile the native addon of an installed tapswitch',
    load: async () => (await import('./build-addon/index.js')).runBuildAddon,
    program: 'tapswitch',
  },
  {
    name: 'completion',
    summary: 'print what bash needs to complete command lines',
    load: async () => (await import('./completion/index.js')).runCompletion,
    program: 'tapswitch',
  },
];

/** The command that `program` (the name under which we were started) stands for, if any. */
export function commandForProgram(program: string): CommandEntry | undefined {
  if (program === 'tapswitch') return undefined;
  return COMMANDS.find((entry) => entry.program === program);
}
