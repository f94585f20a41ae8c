/**
 * The control socket of `monitor` and `snoop`: sending messages, waiting for a barrier, holding
 * back what comes, changing where it is printed.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { encodeMessage } from '../../openflow/codec/index.js';
import { protocolOfVersion } from '../../openflow/protocols.js';
import { parseHexBytes } from '../../openflow/syntax/action-parse-args.js';
import { formatMessage } from '../../openflow/syntax/message-format.js';
import { type UnixctlCommand, UnixctlError, type UnixctlServer } from '../../unixctl/server.js';
import { errorText, OfctlFatal } from './errors.js';
import type { MonitorOutput } from './monitor-output.js';
import { parsePacketOut } from './packet-out.js';
import type { Session, SwitchConnection } from './session.js';

const HEADER_BYTES = 8;
const FILE_MODE = 0o666;

/** A whole message from hexadecimal digits, or what is wrong with it. */
function messageFromHex(hex: string): Uint8Array | string {
  const { bytes, rest } = parseHexBytes(hex);
  if (rest !== '') return 'Trailing garbage in hex data';
  if (bytes.length < HEADER_BYTES) return 'Message too short for OpenFlow';
  if (bytes.length !== ((bytes[2] << 8) | bytes[3])) {
    return 'Message size does not match length in OpenFlow header';
  }
  return bytes;
}

function send(sw: SwitchConnection, output: MonitorOutput, args: readonly string[]): string {
  let reply = '';
  let failed = false;
  for (const hex of args) {
    const frame = messageFromHex(hex);
    if (typeof frame === 'string') {
      reply += `${frame}\n`;
      failed = true;
      continue;
    }
    const shown = formatMessage(frame, output.names, output.session.options.verbosity);
    output.write(`send: ${shown}`);
    const sent = sw.connection.sendFrame(frame);
    if (!sent) failed = true;
    reply += sent ? 'sent\n' : 'No buffer space available\n';
  }
  if (failed) throw new UnixctlError(reply);
  return reply;
}

async function packetOut(
  s: Session,
  sw: SwitchConnection,
  output: MonitorOutput,
  text: string,
): Promise<string> {
  const names = await s.namesToAccept(sw.name);
  try {
    const { msg, usable } = parsePacketOut(text, names);
    if ((usable & protocolOfVersion(sw.version)) === 0) {
      throw new UnixctlError('PACKET_OUT actions are incompatible with the OpenFlow connection.');
    }
    const { connection } = sw;
    const frame = encodeMessage(sw.version, msg, connection.nextXid(), connection.codec);
    output.write(formatMessage(frame, output.names, s.options.verbosity));
    connection.sendFrame(frame);
    return '';
  } catch (e) {
    if (e instanceof OfctlFatal) throw new UnixctlError(e.message);
    throw e;
  }
}

const typeOf = (frame: Uint8Array): number => frame[1];

/** Answers `command` when the switch has answered a barrier. */
class BarrierWait {
  private command: UnixctlCommand | null = null;

  constructor(
    private readonly sw: SwitchConnection,
    output: MonitorOutput,
  ) {
    const reply = sw.version === 1 ? 19 : 21;
    output.onShown = (frame) => {
      if (typeOf(frame) !== reply) return;
      this.command?.reply();
      this.command = null;
    };
  }

  start(command: UnixctlCommand): void {
    if (this.command !== null) {
      command.replyError('already waiting for barrier reply');
      return;
    }
    this.command = command;
    this.sw.connection.send({ type: 'barrier_request' });
  }
}

/** Makes everything printed from now on go to a file. */
function redirect(output: MonitorOutput, path: string, close: { fd: number }): string {
  try {
    const fd = openSync(path, 'w', FILE_MODE);
    if (close.fd >= 0) closeSync(close.fd);
    close.fd = fd;
    output.write = (text) => void writeSync(fd, text);
    return '';
  } catch (e) {
    throw new UnixctlError(errorText(e));
  }
}

/** Registers what one can ask of a running monitor. */
export function registerMonitorCommands(
  unixctl: UnixctlServer,
  s: Session,
  sw: SwitchConnection,
  output: MonitorOutput,
): void {
  const { socket } = sw.connection;
  const barrier = new BarrierWait(sw, output);
  const file = { fd: -1 };
  let blocked = false;
  const many = Number.POSITIVE_INFINITY;
  unixctl.register('ofctl/send', 'OFMSG...', 1, many, (_c, args) => send(sw, output, args));
  unixctl.register(
    'ofctl/packet-out',
    '"in_port=<port> packet=<hex data> actions=..."',
    1,
    1,
    (_c, [text]) => packetOut(s, sw, output, text),
  );
  unixctl.register('ofctl/barrier', '', 0, 0, (command) => barrier.start(command));
  unixctl.register('ofctl/set-output-file', 'FILE', 1, 1, (_c, [path]) =>
    redirect(output, path, file),
  );
  unixctl.register('ofctl/block', '', 0, 0, () => {
    if (blocked) return 'already blocking';
    blocked = true;
    socket.pause();
    return '';
  });
  unixctl.register('ofctl/unblock', '', 0, 0, () => {
    if (!blocked) return 'already unblocked';
    blocked = false;
    socket.resume();
    return '';
  });
}
