/**
 * Captures OpenFlow connections beside a test, and has tshark's dissector read them.
 *
 *     dumpcap on a device of a namespace --> capture file --> tshark: what is malformed?
 *
 * Said of messages that a controller sends it tells nothing about the switch: those of the switch
 * go to the controller's port. Not for: unix sockets (openflow-recorder.ts).
 */
import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { type BackgroundProcess, eventually, must } from './command.js';
import type { Namespace } from './netns.js';

/** What dumpcap is to keep, and tshark takes for OpenFlow. */
export const CAPTURE_FILTER = 'tcp port 6653';
const TO_CONTROLLER = 'tcp.dstport == 6653';
const OPENFLOW = '(openflow_v1 or openflow_v4 or openflow_v5 or openflow_v6)';
const AMISS = '(_ws.malformed or _ws.expert.severity == "Error")';
/** What packets to UDP port 2222 carry in a packet-in is not what tshark takes it for. */
const PLAIN = ['--disable-protocol', 'cipio'];

/** The kernel hands captured segments over in less. */
const SETTLE_MS = 700;

export interface Dissected {
  /** Segments of the switch that hold messages. */
  segments: number;
  /** Lines about those in which the dissector finds something amiss. */
  faults: string[];
}

/** Has tshark read a capture file. */
export async function dissectOpenFlow(file: string): Promise<Dissected> {
  const fields = ['frame.number', '_ws.col.Info', '_ws.expert.message'].flatMap((f) => ['-e', f]);
  const lines = async (filter: string): Promise<string[]> => {
    const argv = ['tshark', ...PLAIN, '-n', '-r', file, '-Y', filter, '-T', 'fields', ...fields];
    return (await must(argv, { timeoutMs: 120_000 })).split('\n').filter((line) => line !== '');
  };
  const all = `${TO_CONTROLLER} and ${OPENFLOW}`;
  const faults = await lines(`${all} and ${AMISS}`);
  return { segments: (await lines(all)).length, faults };
}

export class OpenFlowSniffer {
  private constructor(
    private readonly file: string,
    private readonly dumpcap: BackgroundProcess,
  ) {}

  /** Captures on a device of the namespace from now on. */
  static async start(namespace: Namespace, file: string, device = 'lo'): Promise<OpenFlowSniffer> {
    const argv = ['dumpcap', '-q', '-P', '-i', device, '-f', CAPTURE_FILTER, '-w', file];
    const dumpcap = namespace.start(argv);
    await eventually('dumpcap to capture', () => dumpcap.text.includes('File: '));
    return new OpenFlowSniffer(file, dumpcap);
  }

  /** Ends the capture. @returns what tshark says of it */
  async stop(): Promise<Dissected> {
    await this.settled();
    await this.dumpcap.stop('SIGINT');
    return dissectOpenFlow(this.file);
  }

  /** What was seen last lies in the kernel for a while; it is lost when dumpcap ends before. */
  private async settled(): Promise<void> {
    let size = -1;
    for (;;) {
      const { size: now } = await stat(this.file);
      if (now === size) return;
      size = now;
      await sleep(SETTLE_MS);
    }
  }
}
