/**
 * Packets that are sent through a switch: `in_port=1 packet=HEX actions=output:2`.
 */
import { OFPP, type OfAction } from '../../openflow/actions.js';
import type { PacketOut } from '../../openflow/messages.js';
import { P_ANY } from '../../openflow/protocols.js';
import { parseActions } from '../../openflow/syntax/action-parse.js';
import { parseHexBytes } from '../../openflow/syntax/action-parse-args.js';
import { type Names, parsePort } from '../../openflow/syntax/names.js';
import { KeyValueScanner } from '../../openflow/syntax/scan.js';
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

/** `in_port=... packet=HEX actions=...` */
export function parsePacketOut(text: string, names: Names): { msg: PacketOut; usable: number } {
  const at = text.indexOf('action');
  const equals = at < 0 ? -1 : text.indexOf('=', at);
  const scanner = new KeyValueScanner(equals < 0 ? text : text.slice(0, at));
  let inPort: number = OFPP.CONTROLLER;
  let data: Uint8Array | undefined;
  for (let kv = scanner.next(); kv !== null; kv = scanner.next()) {
    const { key, value } = kv;
    if (value === '') fatal(`field ${key} missing value`);
    if (key === 'in_port') {
      const port = parsePort(value, names.ports);
      if (port === null) fatal(`${value} is not a valid OpenFlow port`);
      const reserved = [OFPP.LOCAL, OFPP.NONE, OFPP.CONTROLLER] as number[];
      if (port > OFPP.MAX && !reserved.includes(port)) {
        fatal(`${value} is not a valid OpenFlow port for PACKET_OUT`);
      }
      inPort = port;
    } else if (key === 'packet') data = packetFromHex(value, 'packet: ');
    else fatal(`unknown keyword ${key}`);
  }
  if (data === undefined) fatal('must specify packet');
  if (equals < 0) return { msg: packetOut(inPort, [], data), usable: P_ANY };
  const parsed = syntaxOrFail(() => parseActions(text.slice(equals + 1), names));
  return { msg: packetOut(inPort, parsed.actions, data), usable: parsed.usable };
}
