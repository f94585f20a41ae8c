/**
 * `tapswitch tcpdump`: the packets of a port or bridge, through a mirror that goes away with the
 * command, also when it is killed.
 *
 *     this process ──> mirror and internal port ──> tcpdump on that port ──> text, pcap, pcapng
 *          └─ pipe ──> guard: removes the mirror when the pipe ends, whoever ended this process
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createWriteStream, type WriteStream } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { errorMessage, TapswitchError } from '../../common/errors.js';
import { interfaceBlock, PcapReader, packetBlock, sectionHeader } from '../../packet/pcapng.js';
import { appctl } from '../brctl/switch.js';
import { UsageError } from '../getopt.js';
import type { CliIo } from '../io.js';
import { tapswitchVersion, versionText } from '../version.js';
import { findSubject, makeMirror, mirrorName, removeMirror, sweepMirrors } from './mirror.js';
import { parseTcpdump, type TcpdumpOptions, USAGE } from './options.js';

const MAIN = fileURLToPath(new URL('../main.js', import.meta.url));
/** How this command is started as a guard. */
const GUARD = '--guard';
const SNAPLEN = 262_144;

/** Runs `tapswitch tcpdump ARGV`. @throws TapswitchError E_CAPTURE_* */
export async function runTcpdump(argv: string[], io: CliIo): Promise<number> {
  if (argv[0] === GUARD) return guard(argv[1], argv[2], io);
  let options: ReturnType<typeof parseTcpdump>;
  try {
    options = parseTcpdump(argv);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    io.stderr.write(`${io.programName}: ${error.message}\n`);
    return 1;
  }
  if (options === 'help') {
    io.stdout.write(USAGE);
    return 0;
  }
  if (options === 'version') {
    io.stdout.write(versionText(io.programName));
    return 0;
  }
  if (options.drops !== null && options.pcapng !== null) {
    const { count, seconds } = options.drops;
    const file = resolve(options.pcapng);
    io.stdout.write(await appctl('dpif/capture-drops', [file, count, seconds], io));
    return 0;
  }
  mustBeInstalled(options.dumpCommand, io);
  return capture(options, io);
}

/** @throws TapswitchError E_CAPTURE_TCPDUMP */
function mustBeInstalled(program: string, io: CliIo): void {
  const { error } = spawnSync(program, ['--version'], { env: io.env, stdio: 'ignore' });
  if (error === undefined) return;
  throw new TapswitchError(
    'E_CAPTURE_TCPDUMP',
    `${program} cannot be run (${error.message})`,
    'apt-get install tcpdump',
    { cause: error },
  );
}

async function capture(options: TcpdumpOptions, io: CliIo): Promise<number> {
  await sweepMirrors(io);
  const subject = await findSubject(options.subject, options.span, io);
  const name = mirrorName(subject, options.mirrorTo);
  const guarding = startGuard(subject.bridge, name, io);
  try {
    await makeMirror(subject, name, io);
    setUp(name, io);
    return await runDump(options, name, io);
  } finally {
    await endGuard(guarding);
  }
}

/** Removes the mirror when its standard input ends: that of a process that was killed ends, too. */
async function guard(bridge: string, name: string, io: CliIo): Promise<number> {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
  io.stdin.resume();
  await new Promise((resolve) => io.stdin.once('close', resolve).once('end', resolve));
  await removeMirror(bridge, name, io);
  return 0;
}

function startGuard(bridge: string, name: string, io: CliIo): ChildProcess {
  const child = spawn(process.execPath, [MAIN, 'tcpdump', GUARD, bridge, name], {
    env: io.env,
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  child.on('error', () => {});
  return child;
}

async function endGuard(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('close', resolve));
  child.stdin?.end();
  await ended;
}

function setUp(name: string, io: CliIo): void {
  const { status, stderr } = spawnSync('ip', ['link', 'set', 'dev', name, 'up'], {
    env: io.env,
    encoding: 'utf8',
  });
  if (status === 0) return;
  throw new TapswitchError(
    'E_CAPTURE_MIRROR',
    `the mirror's port ${name} cannot be set up (${(stderr ?? '').trim()})`,
    'run it as root, in the network namespace of the switch',
  );
}

async function runDump(options: TcpdumpOptions, device: string, io: CliIo): Promise<number> {
  const writes = options.pcapng !== null;
  const format = writes ? ['-U', '-w', '-', '--time-stamp-precision=nano'] : ['-l'];
  const child = spawn(options.dumpCommand, ['-i', device, ...format, ...options.rest], {
    env: io.env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const stop = (): void => {
    child.kill('SIGINT');
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop);
  io.stdout.on('error', stop);
  child.stderr.on('data', (chunk) => io.stderr.write(chunk));
  try {
    if (options.pcapng === null) child.stdout.on('data', (chunk) => io.stdout.write(chunk));
    else writePcapng(child, options.pcapng, options.subject, stop);
    return await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (status) => resolve(status ?? 1));
    });
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.off(signal, stop);
  }
}

/** Turns the child's pcap into a pcapng file. What the disk does not take yet stops the child. */
function writePcapng(child: ChildProcess, file: string, subject: string, stop: () => void): void {
  const out: WriteStream = createWriteStream(file);
  const reader = new PcapReader();
  out.on('error', (error) => {
    process.stderr.write(`tapswitch: ${file}: ${errorMessage(error)}\n`);
    stop();
  });
  out.write(sectionHeader(`tapswitch ${tapswitchVersion()}`));
  out.write(interfaceBlock(subject, `mirror of ${subject}`, SNAPLEN));
  child.stdout?.on('data', (chunk: Buffer) => {
    let room = true;
    for (const packet of reader.push(chunk)) room = out.write(packetBlock(packet));
    if (room) return;
    child.stdout?.pause();
    out.once('drain', () => child.stdout?.resume());
  });
  child.stdout?.on('end', () => out.end());
}
