/**
 * monitor and snoop: print what a switch sends, until it goes or one is told to stop.
 *
 * Both are daemons: they take --detach, --pidfile and --unixctl, and answer on a control socket
 * (monitor-control.ts).
 */
import { encodeMessage } from '../../openflow/codec/index.js';
import type { OfMessage } from '../../openflow/messages.js';
import { protocolsToString } from '../../openflow/protocols.js';
import { formatMessage } from '../../openflow/syntax/message-format.js';
import { parseFlowMonitor } from '../../openflow/syntax/monitor-parse.js';
import { NO_NAMES } from '../../openflow/syntax/names.js';
import { atoi } from '../../openflow/syntax/scan.js';
import { isDetachedChild } from '../daemon/detach.js';
import { runDaemon, type Service } from '../daemon/life.js';
import { applyDaemonOption, type DaemonFlags, defaultFlags } from '../daemon/options.js';
import { detachWithOutput } from './background.js';
import { fatal, OfctlExit } from './errors.js';
import { syntaxOrFail } from './flow-source.js';
import { registerMonitorCommands } from './monitor-control.js';
import { MonitorOutput } from './monitor-output.js';
import type { Session, SwitchConnection } from './session.js';
import { fetchConfig } from './show-commands.js';

/** Formats of packet-ins in the order in which they are wanted. */
const NXT2 = 2;
const NXT = 1;
const MISS_SEND_LEN_MAX = 0xffff;
/** Versions in which a switch can be asked for packets with invalid TTLs. */
const INVALID_TTL_VERSIONS = [1, 2, 3];

export async function monitor(s: Session, [name, ...args]: string[]): Promise<void> {
  if (args.includes('invalid_ttl')) limitToInvalidTtl(s);
  await live(s, async (output, ended) => {
    output.names = await s.namesToShow(name);
    const sw = await s.connect(name, { onFrame: (f) => output.show(f), onClose: ended });
    for (const arg of args) await applyArgument(s, sw, arg, output);
    await choosePacketInFormat(s, sw);
    return sw;
  });
}

function limitToInvalidTtl(s: Session): void {
  const { options } = s;
  const versions = options.versions.filter((v) => INVALID_TTL_VERSIONS.includes(v));
  if (versions.length === 0) {
    fatal(
      'invalid_ttl requires one of the OpenFlow versions OpenFlow10, OpenFlow11, OpenFlow12 ' +
        'but none is enabled (use -O)',
    );
  }
  options.versions = versions;
}

async function applyArgument(
  s: Session,
  sw: SwitchConnection,
  arg: string,
  output: MonitorOutput,
): Promise<void> {
  if (/^\d/.test(arg)) await setMissSendLen(sw, atoi(arg) & 0xffff);
  else if (arg === 'invalid_ttl') await wantInvalidTtl(sw);
  else if (arg.startsWith('watch:')) await watch(s, sw, arg.slice('watch:'.length));
  else if (arg === 'resume') {
    await setMissSendLen(sw, MISS_SEND_LEN_MAX);
    resumePackets(sw, output);
  } else fatal(`${arg}: unsupported "monitor" argument`);
}

async function setMissSendLen(sw: SwitchConnection, missSendLen: number): Promise<void> {
  const config = await fetchConfig(sw);
  await sw.transact([{ ...config, type: 'set_config', missSendLen }]);
}

async function wantInvalidTtl(sw: SwitchConnection): Promise<void> {
  const config = await fetchConfig(sw);
  if (config.invalidTtlToController === true) return;
  await sw.transact([{ ...config, type: 'set_config', invalidTtlToController: true }]);
  if ((await fetchConfig(sw)).invalidTtlToController !== true) {
    fatal(
      "setting invalid_ttl_to_controller failed (this switch probably doesn't support this flag)",
    );
  }
}

/** Starts a flow monitor; its first reply goes to the standard output. */
async function watch(s: Session, sw: SwitchConnection, text: string): Promise<void> {
  const names = await s.namesToAccept(sw.name);
  const { msg, usable } = syntaxOrFail(() => parseFlowMonitor(text, names, s.takeMonitorId()));
  if ((usable & s.options.allowed) === 0) {
    fatal(
      `none of the usable flow formats (${protocolsToString(usable)}) is among the allowed flow ` +
        `formats (${protocolsToString(s.options.allowed)})`,
    );
  }
  if (s.options.verbosity > 0) {
    const frame = encodeMessage(sw.version, msg, 0, sw.connection.codec);
    s.print(formatMessage(frame, NO_NAMES, s.options.verbosity + 2));
  }
  await s.dump(sw, msg);
}

async function choosePacketInFormat(s: Session, sw: SwitchConnection): Promise<void> {
  const wanted = s.options.packetInFormat;
  if (wanted !== null) await sw.transact([{ type: 'nx_set_packet_in_format', format: wanted }]);
  else if (await sw.tryTransact([{ type: 'nx_set_packet_in_format', format: NXT2 }])) {
    if (sw.version === 1) {
      await sw.tryTransact([{ type: 'nx_set_packet_in_format', format: NXT }]);
    }
  }
}

/** Sends packets that the switch paused back as they came. */
function resumePackets(sw: SwitchConnection, output: MonitorOutput): void {
  const { connection } = sw;
  sw.onMessage = (msg: OfMessage) => {
    if (!output.printing || msg.type !== 'packet_in' || msg.continuation === undefined) return;
    const { data, metadata, reason, continuation } = msg;
    const resume: OfMessage = { type: 'nx_resume', data, metadata, reason, continuation };
    const frame = encodeMessage(sw.version, resume, connection.nextXid(), connection.codec);
    const level = output.session.options.verbosity + 2;
    output.write(`send: ${formatMessage(frame, output.names, level)}`);
    connection.sendFrame(frame);
  };
}

/** Prints what a controller and the switch say to each other, until either goes. */
export async function snoop(s: Session, [name]: string[]): Promise<void> {
  await live(s, (output, ended) =>
    s.connect(name, { onFrame: (f) => output.show(f), onClose: ended }, 'snoop'),
  );
}

function daemonFlags(s: Session): DaemonFlags {
  const flags = defaultFlags(s.io.programName, s.io.env);
  for (const option of s.options.daemon) applyDaemonOption(flags, { value: undefined, ...option });
  flags.verbosity = s.options.log.verbosity;
  const { logFile } = s.options.log;
  if (logFile !== undefined) {
    applyDaemonOption(flags, { name: 'log-file', value: logFile ?? undefined });
  }
  return flags;
}

/** Runs until the connection ends, which is an error, or somebody ends it. */
async function live(
  s: Session,
  open: (output: MonitorOutput, ended: () => void) => Promise<SwitchConnection>,
): Promise<void> {
  const flags = daemonFlags(s);
  s.stopLogging();
  if (flags.detach && !isDetachedChild(s.io.env)) throw new OfctlExit(await detachWithOutput(s.io));
  const output = new MonitorOutput(s);
  let lost = false;
  const status = await runDaemon(flags, s.io, async ({ stop, unixctl }) => {
    let closing = false;
    const ended = (): void => {
      lost ||= !closing;
      stop.request(false);
    };
    const sw = await open(output, ended);
    registerMonitorCommands(unixctl, s, sw, output);
    output.printing = true;
    const service: Service = {
      ready: Promise.resolve(),
      close: async () => {
        output.printing = false;
        closing = true;
        sw.close();
      },
    };
    return service;
  });
  if (lost) fatal('vconn_recv (End of file)');
  if (status !== 0) throw new OfctlExit(status);
}
