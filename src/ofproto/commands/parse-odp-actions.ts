/**
 * Reading datapath actions as dpctl/dump-flows prints them:
 * `2,push_vlan(vid=10,pcp=0),set(eth(dst=00:00:00:00:00:01)),clone(3),recirc(0x1)`.
 *
 * Not for printing (src/datapath/odp-format.ts).
 */
import {
  type OdpAction,
  type OdpSetAttr,
  SLOW_PATH_REASONS,
  type SlowPathReason,
} from '../../datapath/odp-actions.js';
import { commandError } from './command.js';
import { parseOdpAttribute } from './parse-odp-flow.js';

const DEPTH_MAX = 16;
const ALWAYS = 0xffffffff;
const TPID_8021Q = 0x8100;
const VLAN_CFI = 0x1000;

const SET_ATTRS: ReadonlySet<string> = new Set<OdpSetAttr>([
  ...([
    'eth',
    'ipv4',
    'ipv6',
    'tcp',
    'udp',
    'sctp',
    'icmp',
    'icmpv6',
    'arp',
    'nd',
    'mpls',
  ] as const),
  ...(['skb_priority', 'skb_mark'] as const),
]);

export interface OdpActionNames {
  /** The number of a port given by name. */
  portNo(name: string): number | null;
}

/** @throws TapswitchError */
export function parseOdpActions(text: string, names: OdpActionNames, depth = 0): OdpAction[] {
  if (depth > DEPTH_MAX) commandError('actions are nested too deep');
  const plain = text.trim();
  if (plain === 'drop' || plain === '') return [];
  return splitList(plain).map((item) => parseAction(item, names, depth));
}

/** Items between commas that are in no parentheses. */
function splitList(text: string): string[] {
  const items: string[] = [];
  let level = 0;
  let from = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '(') level += 1;
    else if (text[i] === ')') level -= 1;
    else if (text[i] === ',' && level === 0) {
      items.push(text.slice(from, i).trim());
      from = i + 1;
    }
    if (level < 0) commandError(`syntax error at ${text.slice(i)}`);
  }
  if (level !== 0) commandError(`syntax error at ${text}`);
  items.push(text.slice(from).trim());
  return items;
}

function parseAction(item: string, names: OdpActionNames, depth: number): OdpAction {
  if (/^\d+$/.test(item)) return { type: 'output', port: Number(item) };
  if (item === 'pop_vlan') return { type: 'pop_vlan' };
  const call = /^([a-z_0-9]+)\((.*)\)$/s.exec(item);
  if (call === null) {
    const port = names.portNo(item) ?? commandError(`syntax error at ${item}`);
    return { type: 'output', port };
  }
  const [, name, body] = call;
  const nested = (inner: string): OdpAction[] => parseOdpActions(inner, names, depth + 1);
  return simpleAction(name, body) ?? nestedAction(name, body, nested) ?? unknown(item);
}

function unknown(item: string): never {
  return commandError(`${item}: this action is not supported`);
}

function simpleAction(name: string, body: string): OdpAction | null {
  switch (name) {
    case 'set':
      return setAction(body);
    case 'push_vlan':
      return pushVlan(values(body));
    case 'push_mpls': {
      const { label = 0, tc = 0, ttl = 0, bos = 0, eth_type: ethType = 0 } = values(body);
      return { type: 'push_mpls', lse: (label << 12) | (tc << 9) | (bos << 8) | ttl, ethType };
    }
    case 'pop_mpls':
      return { type: 'pop_mpls', ethType: values(body).eth_type ?? 0 };
    case 'trunc':
      return { type: 'trunc', maxLen: number(body) };
    case 'recirc':
      return { type: 'recirc', id: number(body) };
    case 'meter':
      return { type: 'meter', id: number(body) };
    case 'lb_output':
      return { type: 'lb_output', bond: number(body), basis: 0 };
    case 'hash': {
      const [, algorithm, basis] = /^(l4|sym_l4)\((.*)\)$/.exec(body) ?? unknown(`hash(${body})`);
      return { type: 'hash', algorithm: algorithm as 'l4' | 'sym_l4', basis: number(basis) };
    }
    case 'userspace':
      return userspace(body);
    default:
      return null;
  }
}

/** Packets that go up by a flow of dpctl's are translated anew. */
function userspace(body: string): OdpAction {
  const reason = /slow_path\(([a-z_]*)\)/.exec(body)?.[1];
  if (!SLOW_PATH_REASONS.includes(reason as SlowPathReason)) unknown(`userspace(${body})`);
  return { type: 'userspace', cookie: { type: 'slow_path', reason: reason as SlowPathReason } };
}

function nestedAction(
  name: string,
  body: string,
  nested: (inner: string) => OdpAction[],
): OdpAction | null {
  if (name === 'clone') return { type: 'clone', actions: nested(body) };
  const inner = (key: string): OdpAction[] => {
    const part = splitList(body).find((item) => item.startsWith(`${key}(`)) ?? `${key}()`;
    return nested(part.slice(key.length + 1, -1));
  };
  if (name === 'sample') {
    const percent = Number(/^sample=([\d.]+)%/.exec(body)?.[1] ?? commandError(`sample(${body})`));
    const probability = Math.min(ALWAYS, Math.round((percent / 100) * ALWAYS));
    return { type: 'sample', probability, actions: inner('actions') };
  }
  if (name !== 'check_pkt_len') return null;
  const size = number(/^size=(\d+)/.exec(body)?.[1] ?? body);
  return { type: 'check_pkt_len', size, greater: inner('gt'), lessEqual: inner('le') };
}

function setAction(body: string): OdpAction {
  const [, attr, inner] = /^([a-z_0-9]+)\((.*)\)$/s.exec(body) ?? unknown(`set(${body})`);
  if (!SET_ATTRS.has(attr)) unknown(`set(${body})`);
  const { flow, mask } = parseOdpAttribute(attr, inner);
  return { type: 'set', attr: attr as OdpSetAttr, value: flow, mask };
}

function pushVlan({ vid = 0, pcp = 0, tpid = TPID_8021Q }: Record<string, number>): OdpAction {
  return { type: 'push_vlan', tpid, tci: VLAN_CFI | (pcp << 13) | vid };
}

function values(body: string): Record<string, number> {
  const pairs = splitList(body).map((part) => part.split('='));
  return Object.fromEntries(pairs.map(([key, value]) => [key.trim(), number(value ?? '')]));
}

function number(text: string): number {
  const plain = text.trim();
  if (!/^(0x[0-9a-fA-F]+|\d+)$/.test(plain)) commandError(`syntax error at ${text}`);
  return Number(plain);
}
