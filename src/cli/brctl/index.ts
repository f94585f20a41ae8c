/**
 * `tapswitch brctl`: the commands of brctl(8) on the switch's bridges, so that scripts which know
 * nothing else go on working (what ovs-brcompatd offered).
 *
 * Not for: what brctl has no word for (vsctl has all of it), or bridges of the kernel.
 */
import { UsageError } from '../getopt.js';
import type { CliIo } from '../io.js';
import { versionText } from '../version.js';
import { type MacRow, parseFdb, showBridges, showMacs } from './show.js';
import { appctl, askVsctl, vsctl, vsctlLines } from './switch.js';

const USAGE = `usage: tapswitch brctl COMMAND [ARG...]
The commands of brctl(8) on the bridges of the switch.

Commands:
  addbr BRIDGE            add a bridge
  delbr BRIDGE            delete a bridge
  addif BRIDGE DEVICE...  add interfaces to a bridge
  delif BRIDGE DEVICE...  delete interfaces from a bridge
  show [BRIDGE...]        show bridges and their interfaces
  showmacs BRIDGE         show the addresses that a bridge has learned
  setageing BRIDGE TIME   set how long they are kept, seconds
  stp BRIDGE on|off       turn the spanning tree protocol on or off

Options:
  -h, --help     display this help message
  -V, --version  display version information
`;

interface BrctlCommand {
  min: number;
  max: number;
  run(args: string[], io: CliIo): Promise<number>;
}

const MANY = Number.POSITIVE_INFINITY;
const AGEING_SEC_MAX = 1_000_000;

const COMMANDS: Readonly<Record<string, BrctlCommand>> = {
  addbr: { min: 1, max: 1, run: ([bridge], io) => addBridge(bridge, io) },
  delbr: { min: 1, max: 1, run: ([bridge], io) => deleteBridge(bridge, io) },
  addif: { min: 2, max: MANY, run: ([bridge, ...devices], io) => addPorts(bridge, devices, io) },
  delif: { min: 2, max: MANY, run: ([bridge, ...devices], io) => deletePorts(bridge, devices, io) },
  show: { min: 0, max: MANY, run: show },
  showmacs: { min: 1, max: 1, run: ([bridge], io) => macs(bridge, io) },
  setageing: { min: 2, max: 2, run: ([bridge, time], io) => setAgeing(bridge, time, io) },
  stp: { min: 2, max: 2, run: ([bridge, state], io) => setStp(bridge, state, io) },
};

/** Runs `tapswitch brctl ARGV`. */
export async function runBrctl(argv: string[], io: CliIo): Promise<number> {
  const [name, ...args] = argv;
  if (name === '--help' || name === '-h') {
    io.stdout.write(USAGE);
    return 0;
  }
  if (name === '--version' || name === '-V') {
    io.stdout.write(versionText(io.programName));
    return 0;
  }
  const command = name === undefined ? undefined : COMMANDS[name];
  if (command === undefined) {
    const what = name === undefined ? 'a command is missing' : `never heard of command [${name}]`;
    io.stderr.write(`${what}\n${USAGE}`);
    return 1;
  }
  if (args.length < command.min || args.length > command.max) {
    io.stderr.write(`Incorrect number of arguments for command\n${USAGE}`);
    return 1;
  }
  try {
    return await command.run(args, io);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    io.stderr.write(`${error.message}\n`);
    return 1;
  }
}

/** @throws UsageError when there is no such bridge */
async function mustHaveBridge(bridge: string, io: CliIo, otherwise?: string): Promise<void> {
  const { status, err } = await askVsctl(['br-exists', bridge], io);
  if (status === 0) return;
  // Status 2 is 'no'; anything else is a database that does not answer.
  throw new UsageError(
    status === 2 ? (otherwise ?? `bridge ${bridge} does not exist!`) : err.trim(),
  );
}

/** 0 when it was done; what went wrong has been told. */
function statusOf(done: string | null): number {
  return done === null ? 1 : 0;
}

async function addBridge(bridge: string, io: CliIo): Promise<number> {
  const { status } = await askVsctl(['br-exists', bridge], io);
  if (status === 0) {
    throw new UsageError(`device ${bridge} already exists; can't create bridge with the same name`);
  }
  return statusOf(await vsctl(['add-br', bridge], io));
}

async function deleteBridge(bridge: string, io: CliIo): Promise<number> {
  await mustHaveBridge(bridge, io, `bridge ${bridge} doesn't exist; can't delete it`);
  return statusOf(await vsctl(['del-br', bridge], io));
}

async function addPorts(bridge: string, devices: string[], io: CliIo): Promise<number> {
  await mustHaveBridge(bridge, io);
  for (const device of devices) {
    const { status } = await askVsctl(['port-to-br', device], io);
    if (status === 0) {
      throw new UsageError(
        `device ${device} is already a member of a bridge; can't enslave it to bridge ${bridge}.`,
      );
    }
    const { status: added, err } = await askVsctl(['add-port', bridge, device], io);
    // vsctl warns of an interface that cannot be opened and keeps the port; brctl never would.
    if (added !== 0 || err !== '') {
      if (added === 0) await askVsctl(['del-port', bridge, device], io);
      throw new UsageError(err.trim());
    }
  }
  return 0;
}

async function deletePorts(bridge: string, devices: string[], io: CliIo): Promise<number> {
  await mustHaveBridge(bridge, io);
  for (const device of devices) {
    const { out } = await askVsctl(['port-to-br', device], io);
    if (out.trim() !== bridge) throw new UsageError(`device ${device} is not a slave of ${bridge}`);
    if ((await vsctl(['del-port', bridge, device], io)) === null) return 1;
  }
  return 0;
}

async function show(names: string[], io: CliIo): Promise<number> {
  for (const name of names) await mustHaveBridge(name, io);
  const bridges = names.length > 0 ? names : await vsctlLines(['list-br'], io);
  if (bridges === null) return 1;
  const rows = [];
  for (const name of bridges) {
    const ports = await vsctlLines(['list-ports', name], io);
    const columns = ['get', 'Bridge', name, 'datapath_id', 'stp_enable'];
    const [id = '', stp] = (await vsctlLines(['--if-exists', ...columns], io)) ?? [];
    const mac = /([0-9a-f]{12})"?$/.exec(id)?.[1] ?? '000000000000';
    rows.push({ name, mac, stp: stp === 'true', ports: ports ?? [] });
  }
  io.stdout.write(showBridges(rows));
  return 0;
}

async function macs(bridge: string, io: CliIo): Promise<number> {
  await mustHaveBridge(bridge, io);
  const learned = parseFdb(await appctl('fdb/show', [bridge], io));
  io.stdout.write(showMacs([...learned, ...(await ownMacs(bridge, io))]));
  return 0;
}

/** Addresses of the bridge's own interfaces. */
async function ownMacs(bridge: string, io: CliIo): Promise<MacRow[]> {
  const rows: MacRow[] = [];
  for (const name of [bridge, ...((await vsctlLines(['list-ifaces', bridge], io)) ?? [])]) {
    const columns = ['--if-exists', 'get', 'Interface', name, 'ofport', 'mac_in_use'];
    const [ofport, mac = ''] = (await vsctlLines(columns, io)) ?? [];
    const address = /[0-9a-f:]{17}/.exec(mac)?.[0];
    const port = Number(ofport);
    if (address === undefined || !(port > 0)) continue;
    rows.push({ port: port === 65_534 ? 0 : port, mac: address, local: true, ageSec: 0 });
  }
  return rows;
}

async function setAgeing(bridge: string, time: string, io: CliIo): Promise<number> {
  const seconds = Number(time);
  if (time === '' || !(seconds >= 0 && seconds <= AGEING_SEC_MAX)) {
    throw new UsageError('bad ageing time value');
  }
  await mustHaveBridge(bridge, io);
  const setting = `other_config:mac-aging-time=${Math.max(1, Math.round(seconds))}`;
  return statusOf(await vsctl(['set', 'Bridge', bridge, setting], io));
}

async function setStp(bridge: string, state: string, io: CliIo): Promise<number> {
  const on = ['on', 'yes', '1'].includes(state);
  if (!on && !['off', 'no', '0'].includes(state)) throw new UsageError(`bad boolean: ${state}`);
  await mustHaveBridge(bridge, io);
  return statusOf(await vsctl(['set', 'Bridge', bridge, `stp_enable=${on}`], io));
}
