/**
 * dpif/capture-drops: the packets that a datapath drops for the next while, with the reason of
 * each, as a pcapng file.
 *
 * Bounded: so many packets, of so many bytes each, for so long. It shows what was a whole packet
 * here; what is lost before (a ring that overflowed) is not.
 */
import { writeFile } from 'node:fs/promises';
import { errorMessage } from '../../common/errors.js';
import type { DroppedFrame } from '../../datapath/dpif.js';
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
  /** Interface blocks by datapath, port and direction: their order is their number. */
  ports: Map<string, number>;
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
      backer.dpif.captureDrops?.((drop) => {
        if (capture.packets >= limits.packets) return;
        add(capture, backer, drop);
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

function add(capture: Capture, backer: OfprotoBacker, drop: DroppedFrame): void {
  const { frame, reason, leaving } = drop;
  const key = `${backer.dpif.name} ${drop.port} ${leaving}`;
  let port = capture.ports.get(key);
  if (port === undefined) {
    port = capture.ports.size;
    capture.ports.set(key, port);
    const name = backer.portByOdp(drop.port)?.name ?? `port ${drop.port}`;
    const where = leaving
      ? `dropped on its way out by ${name}`
      : `dropped after it came in by ${name}`;
    capture.blocks.push(interfaceBlock(name, where, SNAPLEN));
  }
  const { name, meaning } = DROP_REASONS[reason] ?? { name: `reason ${reason}`, meaning: '' };
  const timeNs = BigInt(Math.floor(backer.clock.wallNow() * 1000)) * 1000n;
  const captured = { timeNs, data: frame.subarray(0, SNAPLEN), length: frame.length };
  capture.blocks.push(packetBlock(captured, port, `${name}: ${meaning}`));
  capture.packets += 1;
}
