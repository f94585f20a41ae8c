/**
 * Commands on packets and captures that talk to no switch: ofp-parse-pcap, parse-pcap,
 * compose-packet, parse-packet.
 */
import { buffer } from 'node:stream/consumers';
import { OFPP } from '../../openflow/actions.js';
import { parseHexBytes } from '../../openflow/syntax/action-parse-args.js';
import { parseExactFlow } from '../../openflow/syntax/exact-flow.js';
import { formatMessage } from '../../openflow/syntax/message-format.js';
import { NO_NAMES } from '../../openflow/syntax/names.js';
import { formatFlow, formatPacket, hexDump } from '../../openflow/syntax/packet-format.js';
import { atoi } from '../../openflow/syntax/scan.js';
import { composeFrame } from '../../packet/compose.js';
import { extractFlow } from '../../packet/extract.js';
import * as L from '../../packet/flow-layout.js';
import { formatIpv4 } from '../../packet/ip-text.js';
import { errorText, fatal, OfctlExit } from './errors.js';
import { syntaxOrFail } from './flow-source.js';
import { PcapError, pcapOf, readPcap } from './pcap-file.js';
import type { Session } from './session.js';
import { TcpReader } from './tcp-reader.js';

const OPENFLOW_PORTS = [6653, 6633];
const HEADER_BYTES = 8;
const IPPROTO_TCP = 6;

function openPcap(path: string): ReturnType<typeof readPcap> | never {
  try {
    return readPcap(path);
  } catch (e) {
    return fatal(`${path}: open failed (${errorText(e)})`);
  }
}

/** `10.0.0.1.6653 > 10.0.0.2.40000:` */
function direction(flow: L.FlowWords): string {
  const address = (word: number): string => {
    const n = flow[word];
    return formatIpv4(Uint8Array.of(n >>> 24, n >>> 16, n >>> 8, n));
  };
  const [src, dst] = [flow[L.W_TP] >>> 16, flow[L.W_TP] & 0xffff];
  return `${address(L.W_NW_SRC)}.${src} > ${address(L.W_NW_DST)}.${dst}:\n`;
}

/** Prints the OpenFlow messages in the TCP connections of a capture. */
export async function ofpParsePcap(s: Session, [path, ...portTexts]: string[]): Promise<void> {
  const ports = portTexts.length === 0 ? OPENFLOW_PORTS : portTexts.map(atoi);
  const reader = new TcpReader();
  let first = true;
  const show = (frame: Uint8Array, flow: L.FlowWords, whenMs: number): void => {
    if (!first) s.print('\n');
    first = false;
    if (s.options.timestamp) s.print(`${new Date(whenMs).toISOString().slice(11, 23)} `);
    s.print(direction(flow) + formatMessage(frame, NO_NAMES, s.options.verbosity + 1));
  };
  try {
    for (const { frame, whenMs } of openPcap(path)) {
      const flow = extractFlow(frame);
      if (flow[L.W_DL_TYPE] >>> 16 !== L.ETH_TYPE_IP) continue;
      if (flow[L.W_NW] >>> 24 !== IPPROTO_TCP) continue;
      const [src, dst] = [flow[L.W_TP] >>> 16, flow[L.W_TP] & 0xffff];
      if (!ports.includes(src) && !ports.includes(dst)) continue;
      reader.run(frame, flow, (bytes) => {
        if (bytes.length < HEADER_BYTES) return 0;
        const length = (bytes[2] << 8) | bytes[3];
        if (length < HEADER_BYTES || length > bytes.length) return 0;
        show(bytes.slice(0, length), flow, whenMs);
        return length;
      });
    }
  } catch (e) {
    if (e instanceof PcapError) return;
    if ((e as { syscall?: string }).syscall === 'open') {
      fatal(`${path}: open failed (${errorText(e)})`);
    }
    throw e;
  }
}

/** Prints the flow of each packet of captures. */
export async function parsePcap(s: Session, paths: string[]): Promise<void> {
  let status = 0;
  for (const path of paths) {
    try {
      for (const { frame } of readPcap(path))
        s.print(`${formatFlow(extractFlow(frame, OFPP.NONE))}\n`);
    } catch (e) {
      const what = e instanceof PcapError ? 'read failed' : 'open failed';
      s.io.stderr.write(`${s.io.programName}: ${path}: ${what} (${errorText(e)})\n`);
      // As ovs-ofctl: the system's number of the error.
      status = e instanceof PcapError ? 1 : Math.abs((e as { errno?: number }).errno ?? 1);
    }
  }
  if (status !== 0) throw new OfctlExit(status);
}

const PAYLOAD_BYTES = 64;

/** Makes a packet that has a given flow; tells when there is none such. */
export async function composePacket(s: Session, [text, payload]: string[]): Promise<void> {
  const { pcap } = s.options;
  if (pcap && (s.io.stdout as { isTTY?: boolean }).isTTY === true) {
    fatal('not writing pcap data to stdout; redirect to a file or pipe to tcpdump instead');
  }
  const wanted = syntaxOrFail(() => parseExactFlow(text, NO_NAMES));
  let data: Uint8Array | number = PAYLOAD_BYTES;
  if (payload !== undefined) {
    const parsed = parseHexBytes(payload);
    if (parsed.rest !== '') fatal(`${payload}: trailing garbage in packet data`);
    data = parsed.bytes;
  }
  const frame = composeFrame(wanted, data) as Uint8Array;
  if (pcap) s.io.stdout.write(pcapOf(frame));
  else s.print(hexDump(frame, false));
  const got = extractFlow(frame, OFPP.NONE);
  if (got.every((word, i) => word === wanted[i])) return;
  s.io.stderr.write(
    'specified and extracted flows differ:\n' +
      `specified: ${formatFlow(wanted)}\nextracted: ${formatFlow(got)}`,
  );
  throw new OfctlExit(1);
}

const PACKET_BYTES_MAX = 65535;

/** Prints a packet of the standard input as those of packet-ins are printed. */
export async function parsePacket(s: Session): Promise<void> {
  const data = new Uint8Array((await buffer(s.io.stdin)).subarray(0, PACKET_BYTES_MAX));
  s.print(formatPacket(data));
}
