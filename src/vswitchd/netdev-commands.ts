/**
 * Control commands about devices: dummies driven by tests (netdev-dummy/...).
 */
import { errorMessage } from '../common/errors.js';
import { DummyNetdev, type NetdevRegistry } from '../netdev/index.js';
import { parseOdpFlow } from '../ofproto/commands/parse-odp-flow.js';
import { composeFrame } from '../packet/compose.js';
import { UnixctlError, type UnixctlServer } from '../unixctl/index.js';

function dummyNamed(netdevs: NetdevRegistry, name: string): DummyNetdev {
  const netdev = netdevs.get(name);
  if (netdev instanceof DummyNetdev) return netdev;
  throw new UnixctlError(`no such dummy netdev`);
}

/** Bytes that TCP, UDP and ICMP echo carry when no length is asked for. */
const PAYLOAD_BYTES = 64;
const ETH_HEADER_BYTES = 14;
/** The least that `--len` may ask for: a minimal Ethernet frame. */
const LENGTH_MIN = 60;
const LENGTH_MAX = 65_535;

/** A frame written in hexadecimal, or null when the text is anything else. */
function parseHexFrame(text: string): Uint8Array | null {
  const digits = text.replace(/\s/g, '');
  if (digits.length % 2 !== 0 || !/^[0-9a-fA-F]+$/.test(digits)) return null;
  const frame = Uint8Array.from(Buffer.from(digits, 'hex'));
  return frame.length < ETH_HEADER_BYTES ? null : frame;
}

/** A frame that has the flow, written in the datapath syntax. */
function frameOfFlow(text: string, length: number | undefined): Uint8Array {
  let frame: Uint8Array | null;
  try {
    const flow = parseOdpFlow(text, () => null);
    frame = composeFrame(flow, length === undefined ? PAYLOAD_BYTES : 0, length);
  } catch (error) {
    throw new UnixctlError(errorMessage(error));
  }
  if (!frame) throw new UnixctlError('too small packet len');
  return frame;
}

/** `PACKET|FLOW [--len N]...`: the frames that a dummy is to receive. */
function framesOf(args: readonly string[]): Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (let i = 0; i < args.length; i++) {
    const text = args[i];
    const hex = parseHexFrame(text);
    let length: number | undefined;
    if (!hex && args[i + 1] === '--len') {
      length = Number.parseInt(args[i + 2] ?? '', 10) || 0;
      if (length < LENGTH_MIN || length > LENGTH_MAX) {
        throw new UnixctlError('too small packet len');
      }
      i += 2;
    }
    frames.push(hex ?? frameOfFlow(text, length));
  }
  return frames;
}

function receive(netdevs: NetdevRegistry, args: string[]): string {
  const device = dummyNamed(netdevs, args[0]);
  const hasQueue = args[1] === '--qid' && args.length > 3;
  const queue = hasQueue ? Number.parseInt(args[2], 10) : 0;
  if (!(queue >= 0)) throw new UnixctlError('bad rx queue id.');
  for (const frame of framesOf(args.slice(hasQueue ? 3 : 1))) device.receive(frame, queue);
  return '';
}

/** 'up' and the like -> true; anything else is an error in Open vSwitch's words. */
function parseState(text: string): boolean {
  if (text === 'up') return true;
  if (text === 'down') return false;
  throw new UnixctlError('Invalid Admin State');
}

export function registerNetdevCommands(unixctl: UnixctlServer, netdevs: NetdevRegistry): void {
  const any = Number.MAX_SAFE_INTEGER;
  const usage = 'name [--qid queue_id] packet|flow [--len packet_len]';
  unixctl.register('netdev-dummy/receive', usage, 2, any, (_command, args) =>
    receive(netdevs, args),
  );
  unixctl.register('netdev-dummy/set-admin-state', '[netdev] up|down', 1, 2, (_command, args) => {
    const up = parseState(args[args.length - 1]);
    if (args.length === 2) dummyNamed(netdevs, args[0]).setAdminUp(up);
    else {
      for (const netdev of netdevs.devices()) {
        if (netdev instanceof DummyNetdev) netdev.setAdminUp(up);
      }
    }
    return 'OK';
  });
  unixctl.register('netdev-dummy/conn-state', '[netdev]', 0, 1, (_command, args) => {
    if (args.length === 1) return netdevs.dummyConnState(args[0]);
    const names = netdevs.devices().filter((netdev) => netdev instanceof DummyNetdev);
    return names.map(({ name }) => `${name}: ${netdevs.dummyConnState(name)}`).join('\n');
  });
}
