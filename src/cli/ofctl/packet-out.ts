/**
 * Packets that are sent through a switch: `in_port=1 packet=HEX actions=output:2`.
 */
import { OFPP, type OfAction } from '../../openflow/actions.js';
import { type Match, matchAny } from '../../openflow/match.js';
import type { PacketOut } from '../../openflow/messages.js';
import { P_ANY } from '../../openflow/protocols.js';
import { parseActions } from '../../openflow/syntax/action-parse.js';
import { parseHexBytes } from '../../openflow/syntax/action-parse-args.js';
import { matchFieldText } from '../../openflow/syntax/match-parse.js';
import { type Names, parsePort } from '../../openflow/syntax/names.js';
import { KeyValueScanner } from '../../openflow/syntax/scan.js';
import { fieldByName } from '../../packet/fields.js';
import { fatal } from './errors.js';
import { syntaxOrFail } from './flow-source.js';

/** A packet from hex digits. */
export function packetFromHex(hex: string, prefix = ''): Uint8Array {
  const { bytes, rest } = parseHexBytes(hex);
  if (rest !== '') fatal(`${prefix}Trailing garbage in packet data`);
  if (bytes.length < 14) fatal(`${prefix}Packet data too short for Ethernet`);
  return bytes;
}

/** A packet-out of a packet that the switch does not have. */
export function packetOut(inPort: number, actions: OfAction[], data: Uint8Array): PacketOut {
  return { type: 'packet_out', bufferId: 0xffffffff, inPort, actions, data };
}

/** Fields that come beside a packet; all others are in it, or the switch's own. */
const PIPELINE_FIELDS = /^(tun_(?!ttl$|tos$)|metadata$|in_port|x*reg\d|packet_type$)/;

function parseInPort(value: string, names: Names): number {
  const port = parsePort(value, names.ports);
  if (port === null) fatal(`${value} is not a valid OpenFlow port`);
  const reserved = [OFPP.LOCAL, OFPP.NONE, OFPP.CONTROLLER] as number[];
  if (port > OFPP.MAX && !reserved.includes(port)) {
    fatal(`${value} is not a valid OpenFlow port for PACKET_OUT`);
  }
  return port;
}

/** A field that the packet is to carry through the tables. @returns the formats that have it */
function pipelineField(match: Match, key: string, value: string, names: Names): number {
  const usable = syntaxOrFail(() => matchFieldText(match, key, value, names.ports));
  if (usable === undefined) return fatal(`unknown keyword ${key}`);
  if (!PIPELINE_FIELDS.test(fieldByName(key)?.name ?? '')) {
    fatal(`${key} is not a valid pipeline field for PACKET_OUT`);
  }
  return usable;
}

/**
 * `in_port=... packet=HEX actions=...`, and fields such as `metadata` and registers, which only
 * OpenFlow 1.5 carries to the switch.
 */
export function parsePacketOut(text: string, names: Names): { msg: PacketOut; usable: number } {
  const at = text.indexOf('action');
  const equals = at < 0 ? -1 : text.indexOf('=', at);
  const scanner = new KeyValueScanner(equals < 0 ? text : text.slice(0, at));
  let inPort: number = OFPP.CONTROLLER;
  let data: Uint8Array | undefined;
  let usable = P_ANY;
  const metadata = matchAny();
  for (let kv = scanner.next(); kv !== null; kv = scanner.next()) {
    const { key, value } = kv;
    if (value === '') fatal(`field ${key} missing value`);
    if (key === 'in_port') inPort = parseInPort(value, names);
    else if (key === 'packet') data = packetFromHex(value, 'packet: ');
    else usable &= pipelineField(metadata, key, value, names);
  }
  if (data === undefined) fatal('must specify packet');
  let actions: OfAction[] = [];
  if (equals >= 0) {
    const parsed = syntaxOrFail(() => parseActions(text.slice(equals + 1), names));
    actions = parsed.actions;
    usable &= parsed.usable;
  }
  const msg = packetOut(inPort, actions, data);
  const hasFields = metadata.mask.some((word) => word !== 0) || metadata.tunMetadata !== undefined;
  return { msg: hasFields ? { ...msg, metadata } : msg, usable };
}
