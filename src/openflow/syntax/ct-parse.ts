/**
 * Tracked connections to be forgotten: `ct_nw_src=10.1.1.1,ct_nw_proto=6,ct_tp_dst=80`.
 */
import { parseIpv4, parseIpv6 } from '../../packet/ip-text.js';
import type { CtFlush, CtTuple } from '../messages-extension.js';
import { FlowSyntaxError, KeyValueScanner, parseU8, parseU16, syntaxError } from './scan.js';

const ICMP = [1, 58];

/** Reads the tuples of one request after another: they share protocol and kind of addresses. */
export class CtTupleParser {
  ipProto = 0;
  private family: 4 | 6 | null = null;

  /** Reads one direction. Throws FlowSyntaxError. */
  parse(text: string): CtTuple {
    const tuple: CtTuple = {};
    const scanner = new KeyValueScanner(text);
    for (let pair = scanner.next(); pair !== null; pair = scanner.next()) {
      if (pair.value === '') syntaxError(`field ${pair.key} missing value`);
      this.set(tuple, pair.key, pair.value);
    }
    if (this.ipProto === 0 && (tuple.srcPort || tuple.dstPort)) {
      syntaxError('port is set without protocol');
    }
    return tuple;
  }

  private set(tuple: CtTuple, key: string, value: string): void {
    switch (key) {
      case 'ct_nw_src':
      case 'ct_ipv6_src':
        tuple.src = this.address(key, value, tuple.src);
        return;
      case 'ct_nw_dst':
      case 'ct_ipv6_dst':
        tuple.dst = this.address(key, value, tuple.dst);
        return;
      case 'ct_nw_proto':
        this.ipProto = parse(() => parseU8(value, key), key);
        return;
      case 'ct_tp_src':
        tuple.srcPort = parse(() => parseU16(value, key), key);
        return;
      case 'ct_tp_dst':
        tuple.dstPort = parse(() => parseU16(value, key), key);
        return;
      case 'icmp_type':
      case 'icmp_code':
      case 'icmp_id':
        this.setIcmp(tuple, key, value);
        return;
      default:
        syntaxError(`invalid conntrack tuple field: ${key}`);
    }
  }

  private setIcmp(tuple: CtTuple, key: string, value: string): void {
    if (!ICMP.includes(this.ipProto)) syntaxError('invalid L4 fields');
    if (key === 'icmp_type') tuple.icmpType = parse(() => parseU8(value, key), key);
    else if (key === 'icmp_code') tuple.icmpCode = parse(() => parseU8(value, key), key);
    else tuple.icmpId = parse(() => parseU16(value, key), key);
  }

  private address(key: string, value: string, old: Uint8Array | undefined): Uint8Array {
    const family = key.includes('ipv6') ? 6 : 4;
    if (this.family !== null && this.family !== family) {
      syntaxError(`the L3 protocol does not match ${value}`);
    }
    if (old !== undefined) syntaxError(`${key} is set multiple times`);
    const bytes = family === 6 ? parseIpv6(value) : mapped(parseIpv4(value));
    if (bytes === null) return syntaxError(`failed to parse field ${key}`);
    this.family = family;
    return bytes;
  }
}

/** An IPv4 address as IPv6 has it. */
function mapped(ip: Uint8Array | null): Uint8Array | null {
  if (ip === null) return null;
  const out = new Uint8Array(16);
  out[10] = out[11] = 0xff;
  out.set(ip, 12);
  return out;
}

function parse(read: () => number, key: string): number {
  try {
    return read();
  } catch (e) {
    if (e instanceof FlowSyntaxError) return syntaxError(`failed to parse field ${key}`);
    throw e;
  }
}

/** A request from `zone=N` and up to two tuples, each of which may be empty. */
export function parseCtFlush(texts: readonly string[]): CtFlush {
  const parser = new CtTupleParser();
  const args = [...texts];
  const msg: CtFlush = { type: 'nx_ct_flush', ipProto: 0 };
  if (args[0]?.startsWith('zone=')) {
    const zone = /^zone=\s*(\d+)/.exec(args.shift() as string);
    if (zone === null) return syntaxError('Failed to parse zone');
    msg.zone = Number(zone[1]) & 0xffff;
  }
  const [orig, reply, ...more] = args;
  try {
    if (orig) msg.orig = parser.parse(orig);
    if (reply) msg.reply = parser.parse(reply);
  } catch (e) {
    if (e instanceof FlowSyntaxError) syntaxError(`Failed to parse ct-tuple: ${e.message}`);
    throw e;
  }
  if (more.length > 0) syntaxError('Invalid arguments');
  return { ...msg, ipProto: parser.ipProto };
}
