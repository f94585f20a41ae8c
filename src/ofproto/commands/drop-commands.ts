/**
 * dpif/capture-drops: the packets that a datapath drops for the next while, with the reason of
 * each, as a pcapng file.
 *
 * Bounded: so many packets, of so many bytes each, for so long. It shows what actions drop (the
 * flow tables, meters); what is lost at an interface never becomes a packet here.
 */
import { writeFile } from 'node:fs/promises';
import { errorMessage } from '../../common/errors.js';
import { DROP_REASONS } from '../../datapath/drop-reasons.js';
import { interfaceBlock, packetBlock, sectionHeader } from '../../packet/pcapng.js';
import type { OfprotoBacker } from '../backer.js';
import type { OfprotoRegistry } from '../registry.js';
import { commandError, type OfprotoCommand } from './command.js';

const PACKETS_MAX = 20_000;
const SECONDS_MAX = 3600;
const DEFAULTS = { packets: 1000, seconds: 10 };
/** Bytes of a packet that are kept. */
const SNAPLEN = 512;

interface Capture {
  blocks: Buffer[];
  /** Interface blocks by datapath port: their order is their number. */
  ports: Map<number, number>;
  packets: number;
}

export function dropCommands(registry: OfprotoRegistry): OfprotoCommand[] {
  return [
    {
      name: 'dpif/capture-drops',
      usage: 'file [packets [seconds]]',
      minArgs: 1,
      maxArgs: 3,
      run: ([file, packets, seconds]) =>
        captureDrops(registry, file, {
          packets: whole('packets', packets, DEFAULTS.packets, PACKETS_MAX),
          seconds: whole('seconds', seconds, DEFAULTS.seconds, SECONDS_MAX),
        }),
    },
  ];
}

function whole(what: string, text: string | undefined, fallback: number, max: number): number {
  const value = text === undefined ? fallback : Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= max) return value;
  return commandError(`${what}: '${text}' is not a whole number from 1 to ${max}`);
}

async function captureDrops(
  registry: OfprotoRegistry,
  file: string,
  limits: { packets: number; seconds: number },
): Promise<string> {
  const backers = [...registry.backers()].filter(({ dpif }) => dpif.captureDrops !== undefined);
  if (backers.length === 0) commandError('no datapath can show what it drops');
  if (backers.some(({ dpif }) => dpif.showsDrops)) commandError('a capture of drops is under way');
  const capture: Capture = { blocks: [], ports: new Map(), packets: 0 };
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, limits.seconds * 1000);
    timer.unref();
    for (const backer of backers) {
      backer.dpif.captureDrops?.((frame, inPort, reason) => {
        if (capture.packets >= limits.packets) return;
        add(capture, backer, { frame, inPort, reason });
        if (capture.packets >= limits.packets) resolve();
      });
    }
  });
  for (const { dpif } of backers) dpif.captureDrops?.(null);
  try {
    await writeFile(file, Buffer.concat([sectionHeader('tapswitch'), ...capture.blocks]));
  } catch (error) {
    commandError(errorMessage(error));
  }
  return `${capture.packets} dropped packets in ${file}\n`;
}

function add(
  capture: Capture,
  backer: OfprotoBacker,
  packet: { frame: Uint8Array; inPort: number; reason: number },
): void {
  const { frame, inPort, reason } = packet;
  let port = capture.ports.get(inPort);
  if (port === undefined) {
    port = capture.ports.size;
    capture.ports.set(inPort, port);
    const name = backer.portByOdp(inPort)?.name ?? `port ${inPort}`;
    capture.blocks.push(interfaceBlock(name, `dropped after it came in by ${name}`, SNAPLEN));
  }
  const { name, meaning } = DROP_REASONS[reason] ?? { name: `reason ${reason}`, meaning: '' };
  const timeNs = BigInt(Math.floor(backer.clock.wallNow() * 1000)) * 1000n;
  const captured = { timeNs, data: frame.subarray(0, SNAPLEN), length: frame.length };
  capture.blocks.push(packetBlock(captured, port, `${name}: ${meaning}`));
  capture.packets += 1;
}
