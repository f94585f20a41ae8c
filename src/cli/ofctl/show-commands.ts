/**
 * Commands that show a switch and change its ports: show, dump-desc, dump-tables, dump-ports,
 * queues, mod-port, fragment handling.
 */
import { OFPP } from '../../openflow/actions.js';
import type { PortMod } from '../../openflow/messages.js';
import type { SwitchConfig } from '../../openflow/messages-control.js';
import { FRAG_NAMES, formatMessage } from '../../openflow/syntax/message-format.js';
import { parsePort } from '../../openflow/syntax/names.js';
import { atoi } from '../../openflow/syntax/scan.js';
import { fatal } from './errors.js';
import type { Session, SwitchConnection } from './session.js';

type Simple = 'get_config_request' | 'desc_stats_request' | 'table_stats_request';

async function dumpOver(s: Session, name: string, type: Simple): Promise<void> {
  const sw = await s.connect(name);
  await s.dump(sw, { type });
  sw.close();
}

export async function show(s: Session, [name]: string[]): Promise<void> {
  const sw = await s.connect(name);
  const [{ msg, frame }] = await sw.request({ type: 'features_request' });
  s.print(formatMessage(frame, undefined, s.options.verbosity + 1));
  if (msg.type !== 'features_reply' || sw.version >= 4) {
    await s.dump(sw, { type: 'port_desc_request', port: OFPP.NONE });
  }
  await dumpOver(s, name, 'get_config_request');
  sw.close();
}

export const dumpDesc = (s: Session, [name]: string[]): Promise<void> =>
  dumpOver(s, name, 'desc_stats_request');

export const dumpTables = (s: Session, [name]: string[]): Promise<void> =>
  dumpOver(s, name, 'table_stats_request');

async function portArgument(s: Session, name: string, text: string | undefined): Promise<number> {
  return text === undefined ? OFPP.NONE : s.portNumber(name, text);
}

export async function dumpPorts(s: Session, [name, port]: string[]): Promise<void> {
  const sw = await s.connect(name);
  await s.dump(sw, { type: 'port_stats_request', port: await portArgument(s, name, port) });
  sw.close();
}

export async function dumpPortsDesc(s: Session, [name, port]: string[]): Promise<void> {
  const sw = await s.connect(name);
  await s.dump(sw, { type: 'port_desc_request', port: await portArgument(s, name, port) });
  sw.close();
}

const ALL_QUEUES = 0xffffffff;

const queueArgument = (text: string | undefined): number =>
  text === undefined || text === '' || text.toLowerCase() === 'all' ? ALL_QUEUES : atoi(text) >>> 0;

export async function queueStats(s: Session, [name, port, queue]: string[]): Promise<void> {
  const sw = await s.connect(name);
  const every = port === undefined || port === '' || port.toLowerCase() === 'all';
  const portNo = every ? OFPP.NONE : await s.portNumber(name, port);
  await s.dump(sw, { type: 'queue_stats_request', port: portNo, queue: queueArgument(queue) });
  sw.close();
}

export async function queueGetConfig(s: Session, args: string[]): Promise<void> {
  const [name, port = 'any', queue] = args;
  const portNo = await s.portNumber(name, port);
  const sw = await s.connect(name);
  if (sw.version >= 5) {
    await s.dump(sw, { type: 'queue_desc_request', port: portNo, queue: queueArgument(queue) });
  } else if (portNo === OFPP.NONE && sw.version === 1) {
    // OpenFlow 1.0 tells the queues of one port at a time.
    for (const p of await s.ports(name)) {
      if (p.portNo < 0xff00) {
        await s.dump(sw, { type: 'queue_get_config_request', port: p.portNo });
      }
    }
  } else await s.dump(sw, { type: 'queue_get_config_request', port: portNo });
  sw.close();
}

/** Words of mod-port: which bit, and whether the word sets it. */
const PORT_FLAGS: Record<string, [bit: number, on: boolean]> = {
  up: [1, false],
  down: [1, true],
  stp: [2, false],
  receive: [4, false],
  'receive-stp': [8, false],
  flood: [16, false],
  forward: [32, false],
  'packet-in': [64, false],
};

export async function modPort(s: Session, [name, port, action]: string[]): Promise<void> {
  const number = /^\d+$/.test(port) ? parsePort(port, null) : null;
  const ports = await s.ports(name);
  const found = ports.find((p) => (number === null ? p.name === port : p.portNo === number));
  if (found === undefined) fatal(`${name}: couldn't find port \`${port}'`);
  const lower = action.toLowerCase();
  const not = lower.startsWith('no');
  const word = lower.replace(/^no-?/, '');
  const flag = Object.hasOwn(PORT_FLAGS, word) ? PORT_FLAGS[word] : undefined;
  if (flag === undefined) fatal(`unknown mod-port command '${action}'`);
  const [bit, on] = flag;
  const { portNo, hwAddr } = found;
  const config = on !== not ? bit : 0;
  const msg: PortMod = { type: 'port_mod', portNo, hwAddr, config, mask: bit, advertise: 0 };
  const sw = await s.connect(name);
  await sw.transact([msg]);
  sw.close();
}

/** The switch's configuration. */
export async function fetchConfig(sw: SwitchConnection): Promise<SwitchConfig> {
  const [{ msg }] = await sw.request({ type: 'get_config_request' });
  if (msg.type !== 'get_config_reply') fatal(`${sw.name}: bad reply to config request`);
  return msg;
}

export async function getFrags(s: Session, [name]: string[]): Promise<void> {
  const sw = await s.connect(name);
  const config = await fetchConfig(sw);
  s.print(`${FRAG_NAMES[config.fragHandling]}\n`);
  sw.close();
}

export async function setFrags(s: Session, [name, mode]: string[]): Promise<void> {
  const fragHandling = FRAG_NAMES.indexOf(mode.toLowerCase());
  if (fragHandling < 0) fatal(`${mode}: unknown fragment handling mode`);
  const sw = await s.connect(name);
  const config = await fetchConfig(sw);
  if (config.fragHandling !== fragHandling) {
    await sw.transact([{ ...config, type: 'set_config', fragHandling }]);
    const now = await fetchConfig(sw);
    if (now.fragHandling !== fragHandling) {
      const reason = `this switch probably doesn't support mode "${FRAG_NAMES[fragHandling]}"`;
      fatal(`${name}: setting fragment handling mode failed (${reason})`);
    }
  }
  sw.close();
}
