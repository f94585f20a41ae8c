/**
 * Commands about the connection and packets: probe, ping, benchmark, packet-out.
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

/** Echo round trips one after another: how many a second. */
export async function benchmark(s: Session, [name, size, times]: string[]): Promise<void> {
  const payload = atoi(size) >>> 0;
  if (payload > MAX_PAYLOAD) fatal(`payload must be between 0 and ${MAX_PAYLOAD} bytes`);
  const count = atoi(times);
  const bytes = payload + 8;
  const total = (count * bytes) >>> 0;
  s.print(`Sending ${count} packets * ${bytes} bytes (with header) = ${total} bytes total\n`);
  const sw = await s.connect(name);
  const data = new Uint8Array(payload);
  const start = process.hrtime.bigint();
  for (let i = 0; i < count; i++) await sw.request({ type: 'echo_request', data });
  const ms = Number(process.hrtime.bigint() - start) / 1e6;
  sw.close();
  const perSecond = (n: number): string => (n / (ms / 1000)).toFixed(0);
  s.print(
    `Finished in ${ms.toFixed(1)} ms (${perSecond(count)} packets/s) ` +
      `(${perSecond(total)} bytes/s)\n`,
  );
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
