/** qos/show and qos/show-types: how what leaves by an interface is shaped. */
import type { Shaping, ShapingClass } from '../netdev/index.js';
import { UnixctlError, type UnixctlServer } from '../unixctl/index.js';
import type { Bridge, IfaceState } from './bridge.js';
import { QOS_TYPES } from './read-qos.js';

type Bridges = () => Iterable<Bridge>;

/** Open vSwitch's type list of an interface without a kernel behind it is empty. */
function typesOf({ device }: IfaceState): readonly string[] {
  return device && 'openQueues' in device ? QOS_TYPES : [];
}

function find(bridges: Bridges, name: string): { bridge: Bridge; iface: IfaceState } {
  for (const bridge of bridges()) {
    const iface = bridge.ifaces.get(name);
    if (iface?.device) return { bridge, iface };
  }
  throw new UnixctlError('no such interface');
}

function bits(bytes: number): string {
  return String(Math.round(bytes * 8));
}

function classText(c: ShapingClass, { type }: Shaping): string {
  let text = `\n${c.queueId === 0 ? 'Default' : `Queue ${c.queueId}`}:\n`;
  if (type === 'linux-htb') text += `  burst: ${bits(c.burst)}\n`;
  if (c.minRate !== c.maxRate) text += `  max-rate: ${bits(c.maxRate)}\n`;
  text += `  min-rate: ${bits(c.minRate)}\n`;
  return c.priority > 0 ? `${text}  priority: ${c.priority}\n` : text;
}

/** Counters of a port's classes, by queue id. */
function countersOf(bridge: Bridge, ofport: number) {
  const odpPort = bridge.ofproto.portByNo(ofport)?.odpPort;
  const { pmds } = bridge.ofproto.backer.dpif;
  if (odpPort === null || odpPort === undefined) return [];
  return pmds?.txPorts(odpPort)[0]?.classes ?? [];
}

function show(bridges: Bridges, name: string): string {
  const { bridge, iface } = find(bridges, name);
  const { qos } = iface.config;
  const shaping = iface.device?.queueSettings?.shaping;
  if (qos?.type === 'linux-noop') return `QoS: ${name} linux-noop\n`;
  if (!shaping) return `QoS not configured on ${name}\n`;
  let text = `QoS: ${name} ${shaping.type}\n`;
  if (shaping.policer) {
    const { maxRate, burst } = shaping;
    return `${text}cbs: ${burst}\ncir: ${maxRate}\n`;
  }
  text += `max-rate: ${bits(shaping.maxRate)}\n`;
  const counters = countersOf(bridge, iface.ofport);
  for (const each of shaping.classes) {
    text += classText(each, shaping);
    const counted = counters.find(({ queueId }) => queueId === each.queueId);
    if (!counted) continue;
    text += `  tx_packets: ${counted.packets}\n  tx_bytes: ${counted.bytes}\n`;
    text += `  tx_errors: ${counted.dropped}\n`;
  }
  return text;
}

export function registerQosCommands(unixctl: UnixctlServer, bridges: Bridges): void {
  unixctl.register('qos/show-types', 'interface', 1, 1, (_command, [name]) => {
    const types = typesOf(find(bridges, name).iface);
    if (types.length === 0) return `No QoS types supported for interface: ${name}\n`;
    return types.map((type) => `QoS type: ${type}\n`).join('');
  });
  unixctl.register('qos/show', 'interface', 1, 1, (_command, [name]) => show(bridges, name));
}
