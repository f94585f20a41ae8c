/** Reading what ofproto/trace is asked: a flow in one of two syntaxes, a packet, options. */
import { composeFrame } from '../../packet/compose.js';
import { ETH_HEADER_LEN, extractFlow } from '../../packet/extract.js';
import {
  type FlowWords,
  VLAN_CFI,
  W_DL_TYPE,
  W_DP_HASH,
  W_IN_PORT,
  W_RECIRC_ID,
  W_VLAN1,
} from '../../packet/flow-layout.js';
import type { OfprotoBacker } from '../backer.js';
import type { Ofproto } from '../ofproto.js';
import type { OfprotoRegistry } from '../registry.js';
import { namesOf } from '../text.js';
import { commandError } from './command.js';
import { parseFlow } from './parse-flow.js';
import { looksLikeOdpFlow, parseOdpFlow } from './parse-odp-flow.js';

/** What TCP, UDP and ICMP echo of a generated packet carry, unless asked otherwise. */
const L7_BYTES = 64;
const L7_BYTES_MAX = 64_000;

export interface TraceArgs {
  ofproto: Ofproto;
  flow: FlowWords;
  packet?: Uint8Array;
  names: boolean;
  /** Data in place of text. */
  json: boolean;
  /** trace-packet-out: actions must be consistent with the flow. */
  consistent: boolean;
}

interface Options {
  generate: boolean;
  names: boolean;
  json: boolean;
  consistent: boolean;
  l7Bytes: number;
  rest: string[];
}

function readOptions(argv: readonly string[], takesConsistent: boolean): Options {
  const options: Options = {
    generate: false,
    names: false,
    json: false,
    consistent: false,
    l7Bytes: L7_BYTES,
    rest: [],
  };
  for (let i = 0; i < argv.length; i++) {
    const arg = argv[i];
    const value = (): string => {
      i += 1;
      return argv[i] ?? commandError(`Missing argument for option ${arg}`);
    };
    if (arg === '-generate' || arg === '--generate') options.generate = true;
    else if (arg === '-names' || arg === '--names') options.names = true;
    else if (arg === '--json') options.json = true;
    else if (takesConsistent && /^--?consistent$/.test(arg)) options.consistent = true;
    else if (arg === '--l7') options.l7Bytes = hexBytes(value()).length;
    else if (arg === '--l7-len') options.l7Bytes = l7Length(value());
    else if (arg === '--ct-next') commandError(`${arg}: this option is not supported`);
    else if (arg.startsWith('-')) commandError(`${arg}: unknown option`);
    else if (options.rest.length >= 3) commandError('too many arguments');
    else options.rest.push(arg);
  }
  return options;
}

function l7Length(text: string): number {
  const bytes = Number.parseInt(text, 10) || 0;
  if (bytes > L7_BYTES_MAX) commandError(`${text}: too much L7 data`);
  return Math.max(0, bytes);
}

function hexBytes(text: string): Uint8Array {
  const digits = text.replace(/\s/g, '');
  if (digits.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(digits)) {
    commandError('Trailing garbage in packet data');
  }
  return Uint8Array.from(Buffer.from(digits, 'hex'));
}

/**
 * @param takesConsistent the command has the option -consistent
 * @throws TapswitchError in the words that users of Open vSwitch know
 */
export function parseTraceArgs(
  registry: OfprotoRegistry,
  argv: readonly string[],
  takesConsistent = false,
): TraceArgs {
  const { generate, l7Bytes, rest, ...flags } = readOptions(argv, takesConsistent);
  const given = generate ? undefined : takePacketArg(rest);
  if (rest.length === 0 || rest.length > 2) commandError('Syntax error');
  const { ofproto, flow } = parseWhere(registry, rest);
  if (given !== undefined) headersOf(flow, given, registry.vlanLimit);
  const packet = generate ? (composeFrame(flow, l7Bytes) ?? undefined) : given;
  return { ofproto, flow, packet, ...flags };
}

/** The packet at the end of the arguments, if it is there: taken off them. */
function takePacketArg(rest: string[]): Uint8Array | undefined {
  if (rest.length < 2) return undefined;
  const text = (rest.at(-1) ?? '').replace(/\s/g, '');
  const isHex = text.length % 2 === 0 && /^[0-9a-fA-F]*$/.test(text);
  if (isHex && text.length >= 2 * ETH_HEADER_LEN) {
    rest.pop();
    return hexBytes(text);
  }
  // Three arguments end in a packet.
  if (rest.length < 3) return undefined;
  return commandError(
    isHex ? 'Packet data too short for Ethernet' : 'Trailing garbage in packet data',
  );
}

/** Headers come from the packet, where it came in and metadata from the flow. */
function headersOf(flow: FlowWords, packet: Uint8Array, vlanLimit: number): void {
  const extracted = extractFlow(packet, flow[W_IN_PORT], vlanLimit);
  flow.set(extracted.subarray(0, W_DP_HASH));
}

function parseWhere(
  registry: OfprotoRegistry,
  args: readonly string[],
): { ofproto: Ofproto; flow: FlowWords } {
  const text = args[args.length - 1];
  if (looksLikeOdpFlow(text)) return parseDatapathFlow(registry, args);
  if (args.length !== 2) commandError(`syntax error at ${text} (or the bridge name was omitted)`);
  const ofproto = registry.byName(args[0]) ?? commandError(`${args[0]}: unknown bridge`);
  return { ofproto, flow: parseFlow(text, namesOf(ofproto)) };
}

/** A tag beyond the limit is an Ethernet type, and what follows it payload. */
function limitTags(flow: FlowWords, limit: number): void {
  if (limit > 1 || (flow[W_VLAN1] & VLAN_CFI) === 0) return;
  const tpid = flow[W_VLAN1] & 0xffff0000;
  flow[W_VLAN1] = 0;
  flow.fill(0, W_DL_TYPE, W_DP_HASH);
  flow[W_DL_TYPE] = tpid;
}

function chooseBacker(registry: OfprotoRegistry, args: readonly string[]): OfprotoBacker | null {
  const backers = [...registry.backers()];
  if (args.length === 1) return backers.length === 1 ? backers[0] : null;
  const name = args[0].replace(/^ovs-/, '');
  return backers.find((b) => b.type === name || b.dpif.name === name) ?? null;
}

function parseDatapathFlow(registry: OfprotoRegistry, args: readonly string[]) {
  const backer = chooseBacker(registry, args);
  const portNo = (wanted: string): number | null =>
    [...(backer?.dpif.ports() ?? [])].find((port) => port.name === wanted)?.portNo ?? null;
  const flow = parseOdpFlow(args[args.length - 1], portNo);
  limitTags(flow, registry.vlanLimit);
  if (backer === null) commandError('Cannot find the datapath');
  const recircId = flow[W_RECIRC_ID] >>> 0;
  const state = recircId === 0 ? null : backer.recircIds.get(recircId);
  if (recircId !== 0 && state === null) {
    commandError(`no recirculation data for recirc_id 0x${recircId.toString(16)}`);
  }
  const odpPort = flow[W_IN_PORT] >>> 0;
  const port = backer.portByOdp(odpPort);
  if (port === null && state === null) {
    commandError(`no OpenFlow port for datapath port ${odpPort}`);
  }
  flow[W_IN_PORT] = port?.ofPort ?? flow[W_IN_PORT];
  const ofproto = state?.ofproto ?? port?.ofproto;
  if (ofproto === undefined) commandError(`no OpenFlow port for datapath port ${odpPort}`);
  return { ofproto, flow };
}
