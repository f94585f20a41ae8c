/**
 * ofproto/trace: what happens to a packet, and why.
 *
 *     ofproto/trace bridge br_flow [packet]        ofproto/trace [dp] odp_flow [packet]
 *
 * Without a packet nothing changes by it. With one (hexadecimal bytes, or -generate) MACs are
 * learned as from a packet that came in.
 */

import type { SlowPathReason } from '../../datapath/odp-actions.js';
import { formatOdpActions } from '../../datapath/odp-format.js';
import { extractFlow } from '../../packet/extract.js';
import { type FlowWords, W_ACTSET_OUTPUT, W_DP_HASH, W_IN_PORT } from '../../packet/flow-layout.js';
import type { OfprotoBacker } from '../backer.js';
import type { Ofproto } from '../ofproto.js';
import type { OfprotoRegistry } from '../registry.js';
import { formatFlowText, formatMegaflow, namesOf } from '../text.js';
import { OFPP_UNSET_WORD, XLATE_ERRORS } from '../xlate/context.js';
import { formatTrace, type TraceNode } from '../xlate/trace.js';
import { translate } from '../xlate/translate.js';
import { ANY_ARGS, commandError, type OfprotoCommand } from './command.js';
import { parseFlow } from './parse-flow.js';
import { looksLikeOdpFlow, parseOdpFlow } from './parse-odp-flow.js';

const ETH_HEADER_BYTES = 14;

const EXPLANATIONS: Readonly<Record<SlowPathReason, string>> = {
  cfm: 'Consists of CFM packets',
  bfd: 'Consists of BFD packets',
  lacp: 'Consists of LACP packets',
  stp: 'Consists of STP packets',
  lldp: 'Consists of LLDP packets',
  controller: 'Sends "packet-in" messages to the OpenFlow controller',
  action: 'Uses action(s) not supported by datapath',
  match: "Datapath can't match specifically enough",
};

interface TraceRequest {
  ofproto: Ofproto;
  flow: FlowWords;
  hasPacket: boolean;
  names: boolean;
}

function parseArgs(registry: OfprotoRegistry, argv: readonly string[]): TraceRequest {
  const args: string[] = [];
  let generate = false;
  let names = false;
  for (let i = 0; i < argv.length; i++) {
    const arg = argv[i];
    if (arg === '-generate' || arg === '--generate') generate = true;
    else if (arg === '-names' || arg === '--names') names = true;
    else if (arg === '--l7' || arg === '--l7-len') i += 1;
    else if (arg.startsWith('-')) commandError(`${arg}: unknown option`);
    else args.push(arg);
  }
  if (args.length > 3) commandError('too many arguments');
  const packet = !generate && args.length > 1 ? parseHex(args[args.length - 1]) : null;
  if (packet !== null) args.pop();
  else if (args.length > 2) commandError('Trailing garbage in packet data');
  if (args.length === 0 || args.length > 2) commandError('Syntax error');
  const { ofproto, flow } = parseWhere(registry, args);
  if (packet !== null) takePacket(flow, packet);
  return { ofproto, flow, hasPacket: generate || packet !== null, names };
}

/** Bytes written in hexadecimal, or null when it is anything else. */
function parseHex(text: string): Uint8Array | null {
  const digits = text.replace(/\s/g, '');
  if (digits === '' || digits.length % 2 !== 0 || !/^[0-9a-fA-F]+$/.test(digits)) return null;
  const bytes = Uint8Array.from(Buffer.from(digits, 'hex'));
  if (bytes.length < ETH_HEADER_BYTES) commandError('Packet data too short for Ethernet');
  return bytes;
}

/** Headers come from the packet, where it came in and metadata from the flow. */
function takePacket(flow: FlowWords, packet: Uint8Array): void {
  const extracted = extractFlow(packet, flow[W_IN_PORT]);
  flow.set(extracted.subarray(0, W_DP_HASH));
}

function parseWhere(
  registry: OfprotoRegistry,
  args: readonly string[],
): { ofproto: Ofproto; flow: FlowWords } {
  const text = args[args.length - 1];
  if (looksLikeOdpFlow(text)) return parseDatapathFlow(registry, args);
  if (args.length !== 2) commandError(`${text}: bad flow (or the bridge name was omitted)`);
  const ofproto = registry.byName(args[0]) ?? commandError(`${args[0]}: unknown bridge`);
  return { ofproto, flow: parseFlow(text, namesOf(ofproto)) };
}

function parseDatapathFlow(registry: OfprotoRegistry, args: readonly string[]) {
  const backers = [...registry.backers()];
  const name = args.length === 2 ? args[0].replace(/^ovs-/, '') : null;
  const backer: OfprotoBacker =
    (name === null
      ? backers.length === 1 && backers[0]
      : backers.find((b) => b.type === name || b.dpif.name === name)) ||
    commandError('Cannot find the datapath');
  const portNo = (wanted: string): number | null =>
    [...backer.dpif.ports()].find((port) => port.name === wanted)?.portNo ?? null;
  const flow = parseOdpFlow(args[args.length - 1], portNo);
  const port = backer.portByOdp(flow[W_IN_PORT]) ?? commandError('Invalid datapath port');
  flow[W_IN_PORT] = port.ofPort;
  return { ofproto: port.ofproto, flow };
}

/** The whole text of a trace. */
export function traceText(request: TraceRequest): string {
  const { ofproto, flow, hasPacket } = request;
  const names = request.names ? namesOf(ofproto) : null;
  const trace: TraceNode[] = [];
  const out = translate({
    ofproto,
    flow,
    sideEffects: hasPacket,
    hasPacket,
    trace,
    names: names ?? undefined,
  });
  const initial = flow.slice();
  initial[W_ACTSET_OUTPUT] = OFPP_UNSET_WORD;
  const final = out.finalFlow ?? initial;
  const unchanged = initial.every((word, i) => word === final[i]);
  const { dpif } = ofproto.backer;
  const portNames = new Map([...dpif.ports()].map((port) => [port.portNo, port.name]));
  const portName = request.names ? (no: number) => portNames.get(no) : undefined;
  let text = `Flow: ${formatFlowText(flow, names)}\n${formatTrace(trace)}`;
  text += `\nFinal flow: ${unchanged ? 'unchanged' : formatFlowText(final, names)}\n`;
  text += `Megaflow: ${formatMegaflow(flow, out.wc, names)}\n`;
  text += `Datapath actions: ${formatOdpActions(out.actions, { portName })}`;
  if (out.error !== 'ok') {
    text += `\nTranslation failed (${XLATE_ERRORS[out.error]}), packet is dropped.\n`;
  } else if (out.slow !== null) {
    text += '\nThis flow is handled by the userspace slow path because it:';
    text += `\n  - ${EXPLANATIONS[out.slow]}.`;
  }
  return text.endsWith('\n') ? text : `${text}\n`;
}

export function traceCommands(registry: OfprotoRegistry): OfprotoCommand[] {
  return [
    {
      name: 'ofproto/trace',
      usage: '{[dp_name] odp_flow | bridge br_flow} [OPTIONS...] [-generate|packet]',
      minArgs: 1,
      maxArgs: ANY_ARGS,
      run: (args) => traceText(parseArgs(registry, args)),
    },
  ];
}
