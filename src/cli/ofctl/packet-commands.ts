/**
 * Commands about the connection and packets: probe, ping, packet-out, monitor.
 */
import { randomBytes } from 'node:crypto';
import { parseActions } from '../../openflow/syntax/action-parse.js';
import { formatMessage } from '../../openflow/syntax/message-format.js';
import { NO_NAMES } from '../../openflow/syntax/names.js';
import { atoi } from '../../openflow/syntax/scan.js';
import { fatal } from './errors.js';
import { connectForFlows } from './flow-connection.js';
import { syntaxOrFail } from './flow-source.js';
import { packetFromHex, packetOut, parsePacketOut } from './packet-out.js';
import type { Session } from './session.js';
import { fetchConfig } from './show-commands.js';

export async function probe(s: Session, [name]: string[]): Promise<void> {
  const sw = await s.connect(name);
  const [{ msg }] = await sw.request({ type: 'echo_request', data: new Uint8Array(0) });
  if (msg.type !== 'echo_reply' || msg.data.length !== 0) fatal('reply does not match request');
  sw.close();
}

const PINGS = 10;
const MAX_PAYLOAD = 65535 - 8;

export async function ping(s: Session, [name, size]: string[]): Promise<void> {
  const payload = size === undefined ? 64 : atoi(size) >>> 0;
  if (payload > MAX_PAYLOAD) fatal(`payload must be between 0 and ${MAX_PAYLOAD} bytes`);
  const sw = await s.connect(name);
  for (let i = 0; i < PINGS; i++) {
    const data = new Uint8Array(randomBytes(payload));
    const start = process.hrtime.bigint();
    const [{ msg, frame }] = await sw.request({ type: 'echo_request', data });
    const ms = Number(process.hrtime.bigint() - start) / 1e6;
    if (msg.type !== 'echo_reply' || Buffer.compare(msg.data, data) !== 0) {
      s.print(`Reply does not match request.  Reply:\n${formatMessage(frame, NO_NAMES, 2)}`);
    }
    const xid = Buffer.from(frame.subarray(4, 8)).toString('hex');
    s.print(`${frame.length - 8} bytes from ${name}: xid=${xid} time=${ms.toFixed(1)} ms\n`);
  }
  sw.close();
}

export async function sendPacket(s: Session, args: string[]): Promise<void> {
  const [name, second, actionText, ...packets] = args;
  const names = await s.namesToAccept(name);
  if (args.length === 2) {
    const { msg, usable } = parsePacketOut(second, names);
    const sw = await connectForFlows(s, name, usable);
    await sw.transact([msg]);
    sw.close();
    return;
  }
  if (packets.length === 0) fatal(`Too many arguments (${args.length + 1})`);
  const { actions, usable } = syntaxOrFail(() => parseActions(actionText, names));
  const inPort = await s.portNumber(name, second);
  const sw = await connectForFlows(s, name, usable);
  for (const hex of packets) await sw.transact([packetOut(inPort, actions, packetFromHex(hex))]);
  sw.close();
}

/** Formats of packet-ins in the order in which they are wanted. */
const NXT2 = 2;
const NXT = 1;

/** Prints what a switch sends, until it closes the connection. */
export async function monitor(s: Session, [name, ...args]: string[]): Promise<void> {
  let printing = false;
  const names = await s.namesToShow(name);
  let closed: () => void = () => {};
  const end = new Promise<void>((resolve) => {
    closed = resolve;
  });
  const onFrame = (frame: Uint8Array): void => {
    if (!printing) return;
    if (s.options.timestamp) s.io.stderr.write(`${timestamp(new Date())}: `);
    s.io.stderr.write(formatMessage(frame, names, s.options.verbosity + 2));
  };
  const sw = await s.connect(name, { onFrame, onClose: closed });
  for (const arg of args) {
    const config = await fetchConfig(sw);
    if (/^\d/.test(arg)) {
      const missSendLen = atoi(arg) & 0xffff;
      await sw.transact([{ ...config, type: 'set_config', missSendLen }]);
    } else if (arg === 'invalid_ttl') {
      await sw.transact([{ ...config, type: 'set_config', invalidTtlToController: true }]);
    } else fatal(`${arg}: unsupported "monitor" argument`);
  }
  const wanted = s.options.packetInFormat;
  if (wanted !== null) await sw.transact([{ type: 'nx_set_packet_in_format', format: wanted }]);
  else if (await sw.tryTransact([{ type: 'nx_set_packet_in_format', format: NXT2 }])) {
    if (sw.version === 1) {
      await sw.tryTransact([{ type: 'nx_set_packet_in_format', format: NXT }]);
    }
  }
  printing = true;
  await end;
  fatal('vconn_recv (End of file)');
}

/** Prints what a controller and the switch say to each other, until either goes. */
export async function snoop(s: Session, [name]: string[]): Promise<void> {
  const names = await s.namesToShow(name);
  await new Promise<void>((resolve, reject) => {
    const onFrame = (frame: Uint8Array): void => {
      if (s.options.timestamp) s.io.stderr.write(`${timestamp(new Date())}: `);
      s.io.stderr.write(formatMessage(frame, names, s.options.verbosity + 2));
    };
    s.connect(name, { onFrame, onClose: resolve }, 'snoop').catch(reject);
  });
  fatal('vconn_recv (End of file)');
}

/** `2024-01-31 12:34:56.789` */
function timestamp(now: Date): string {
  return now.toISOString().replace('T', ' ').replace('Z', '');
}
