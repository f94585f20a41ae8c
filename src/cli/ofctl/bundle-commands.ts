/**
 * Bundles: `--bundle` of other commands, and the command `bundle`.
 *
 *     open -> add, add, ... -> barrier -> commit if nothing was refused, else discard
 */
import { decodeMessage, encodeMessage } from '../../openflow/codec/index.js';
import type { OfMessage } from '../../openflow/messages.js';
import { BUNDLE_FLAG, type BundleType } from '../../openflow/messages-bundle.js';
import { P_OF13_UP, protocolsOfVersion } from '../../openflow/protocols.js';
import { parseFlow } from '../../openflow/syntax/flow-parse.js';
import { parseGroupMod } from '../../openflow/syntax/group-parse.js';
import { formatMessage } from '../../openflow/syntax/message-format.js';
import type { Names } from '../../openflow/syntax/names.js';
import { syntaxError } from '../../openflow/syntax/scan.js';
import { fatal } from './errors.js';
import { connectForFlows } from './flow-connection.js';
import { linesOfFile, syntaxOrFail } from './flow-source.js';
import { noteNormalization } from './notices.js';
import { parsePacketOut } from './packet-out.js';
import type { Session, SwitchConnection } from './session.js';

const BUNDLE = 0;
const FLAGS = BUNDLE_FLAG.ATOMIC | BUNDLE_FLAG.ORDERED;
const OFPT_ERROR = 1;

const xidOf = (frame: Uint8Array): number =>
  ((frame[4] << 24) | (frame[5] << 16) | (frame[6] << 8) | frame[7]) >>> 0;

/** One bundle on a connection; errors are gathered as they arrive. */
class Transaction {
  private readonly sent: Uint8Array[] = [];

  constructor(
    private readonly s: Session,
    private readonly sw: SwitchConnection,
    private readonly errors: Uint8Array[],
  ) {}

  /** @returns false when the switch refused something; everything refused was printed then */
  async run(msgs: readonly OfMessage[]): Promise<void> {
    const { sw, s } = this;
    const { connection } = sw;
    for (const msg of msgs) {
      const frame = encodeMessage(sw.version, msg, connection.nextXid(), connection.codec);
      this.sent.push(frame);
    }
    let done = await this.control('open_request');
    if (done) {
      for (const frame of this.sent) {
        const add = { type: 'bundle_add_message', bundle: BUNDLE, flags: FLAGS, frame } as const;
        connection.send(add, xidOf(frame));
      }
      await sw.request({ type: 'barrier_request' });
      done = this.errors.length === 0;
      const end = done ? 'commit_request' : 'discard_request';
      done = (await this.control(end)) && done;
    }
    await this.printErrors();
    if (!done) fatal(`talking to ${s.connectionName(sw.name)} (Protocol error)`);
  }

  private async control(ctrl: BundleType): Promise<boolean> {
    const { sw } = this;
    const msg = { type: 'bundle_control', bundle: BUNDLE, ctrl, flags: FLAGS } as const;
    const [{ msg: reply }] = await sw.request(msg);
    return reply.type === 'bundle_control' && reply.ctrl === ctrl.replace('request', 'reply');
  }

  private async printErrors(): Promise<void> {
    if (this.errors.length === 0) return;
    const { s, sw } = this;
    const names = await s.namesToShow(sw.name);
    for (const frame of this.errors) {
      const { msg } = decodeMessage(0, frame);
      if (msg?.type !== 'error') continue;
      // The error carries only the beginning of what was refused.
      const whole = this.sent.find((f) => xidOf(f) === xidOf(frame)) ?? msg.data;
      const text = formatMessage(whole, names, s.options.verbosity + 1);
      s.io.stderr.write(`Error ${msg.error} for: ${text}`);
    }
  }
}

/** Sends messages as one bundle, all or nothing. */
export async function transactBundle(
  s: Session,
  name: string,
  msgs: readonly OfMessage[],
  usable: number,
): Promise<void> {
  const errors: Uint8Array[] = [];
  const sw = await connectForFlows(s, name, usable & P_OF13_UP, {
    onFrame: (frame) => {
      if (frame[1] === OFPT_ERROR) errors.push(frame);
    },
  });
  await runBundle(s, sw, msgs, errors);
  sw.close();
}

/** As transactBundle, on a connection whose error frames go to `errors`. */
export function runBundle(
  s: Session,
  sw: SwitchConnection,
  msgs: readonly OfMessage[],
  errors: Uint8Array[],
): Promise<void> {
  return new Transaction(s, sw, errors).run(msgs);
}

function parseLine(line: string, names: Names): { msg: OfMessage; usable: number } {
  const text = line.replace(/^[ \t\r\n]+/, '');
  const word = (/^[^, \t\r\n]*/.exec(text) as RegExpExecArray)[0];
  const rest = text.slice(word.length);
  if ('flow'.startsWith(word)) {
    const { flow, usable } = parseFlow(rest, 'file', names);
    return { msg: flow, usable };
  }
  if ('group'.startsWith(word)) return parseGroupMod(rest, 'file', names);
  if ('packet-out'.startsWith(word)) return parsePacketOut(rest, names);
  return syntaxError(`Unsupported bundle message type: ${word}`);
}

export async function bundle(s: Session, [name, file]: string[]): Promise<void> {
  const names = await s.namesToAccept(name);
  const msgs: OfMessage[] = [];
  let usable = -1;
  for (const [line, number] of await linesOfFile(s, file, 'open failed')) {
    const parsed = syntaxOrFail(() => parseLine(line, names), `${file}:${number}: `);
    if (parsed.msg.type === 'flow_mod') noteNormalization(s, parsed.msg.match);
    msgs.push(parsed.msg);
    usable &= parsed.usable;
  }
  const { options } = s;
  // Bundles exist since 1.4, and as an extension in 1.3.
  if (!options.versions.some((v) => v >= 4)) {
    options.versions = [5];
    options.allowed = protocolsOfVersion(5);
  }
  await transactBundle(s, name, msgs, usable);
}
