/**
 * The pipeline beside Debian's Open vSwitch, both on dummy devices: the same entries and the same
 * packet give the same trace, word for word, the same counters, and the same frames out of the same
 * ports.
 */
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { UnixctlClient } from '../../src/unixctl/client.js';
import { eventually, must, run } from '../support/command.js';
import { DummyOvs } from '../support/ovs-dummy.js';
import { FRAMES, PACKETS, PIPELINE_CASES, type PipelineCase } from '../support/pipeline-cases.js';
import { tapswitchBin } from '../support/switch.js';

const N_PORTS = 4;
const PCAP_HEADER_BYTES = 24;

/** What one switch made of a case. */
interface Outcome {
  refused: string;
  trace: string;
  entries: string[];
  frames: string[];
}

class Side {
  private readonly seen = Array.from({ length: N_PORTS }, () => PCAP_HEADER_BYTES);

  private client: UnixctlClient | null = null;

  private constructor(readonly ovs: DummyOvs) {}

  static async start(program?: readonly string[]): Promise<Side> {
    const side = new Side(await DummyOvs.start(program));
    await side.setUp();
    return side;
  }

  private pcap(port: number): string {
    return join(this.ovs.directory, `tx${port}.pcap`);
  }

  private async setUp(): Promise<void> {
    const bridge = [
      'datapath_type=dummy',
      'fail_mode=secure',
      'other-config:hwaddr=00:00:00:00:00:02',
    ];
    const ports = Array.from({ length: N_PORTS }, (_, i) => i + 1).flatMap((n) => [
      ...['--', 'add-port', 'br0', `p${n}`, '--', 'set', 'interface', `p${n}`, 'type=dummy'],
      ...[`ofport_request=${n}`, `options:tx_pcap=${this.pcap(n)}`],
    ]);
    const { env } = this.ovs;
    const argv = ['ovs-vsctl', '--timeout=20', 'add-br', 'br0', '--', 'set', 'bridge', 'br0'];
    // Each case waits for a revalidation.
    const often = 'other_config:max-revalidator=100';
    const limit = ['--', 'set', 'Open_vSwitch', '.', 'other_config:vlan-limit=0', often];
    await must([...argv, ...bridge, ...ports, ...limit], { env });
    await this.ofctl('add-meter', 'br0', 'meter=1,pktps,band=type=drop,rate=100000');
  }

  private async ofctl(...args: string[]): Promise<string> {
    return (await run(['ovs-ofctl', '-O', 'OpenFlow15', ...args], { env: this.ovs.env })).stdout;
  }

  private async appctl(command: string, ...args: string[]): Promise<string> {
    const { directory: runDir } = this.ovs;
    if (this.client === null) {
      const socket = readdirSync(runDir).find((name) => /^ovs-vswitchd\.\d+\.ctl$/.test(name));
      this.client = await UnixctlClient.connect(join(runDir, socket ?? ''));
    }
    return (await this.client.transact(command, args)).text;
  }

  /** Packets that the datapath has taken so far. */
  private async received(): Promise<number> {
    const [, hit, missed] = /hit:(\d+) missed:(\d+)/.exec(await this.appctl('dpif/show')) ?? [];
    return Number(hit) + Number(missed);
  }

  async stop(): Promise<void> {
    this.client?.close();
    await this.ovs.stop();
  }

  /** Frames sent since the last time, as 'port hex'. */
  private sent(): string[] {
    const frames: string[] = [];
    for (let i = 0; i < N_PORTS; i++) {
      const file = this.pcap(i + 1);
      const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
      if (size <= this.seen[i]) continue;
      const bytes = readFileSync(file);
      for (let at = this.seen[i]; at < bytes.length; ) {
        const length = bytes.readUInt32LE(at + 8);
        frames.push(`${i + 1} ${bytes.subarray(at + 16, at + 16 + length).toString('hex')}`);
        at += 16 + length;
      }
      this.seen[i] = bytes.length;
    }
    return frames.sort();
  }

  async outcome({ entries, packet }: PipelineCase): Promise<Outcome> {
    const lines = entries.map((entry) => {
      return entry.startsWith('group')
        ? `group add${entry.slice('group'.length)}`
        : `flow add ${entry}`;
    });
    // Groups first: entries name them.
    lines.sort((a, b) => Number(b.startsWith('group')) - Number(a.startsWith('group')));
    const file = join(this.ovs.directory, 'case');
    writeFileSync(file, `${['flow delete', 'group delete', ...lines].join('\n')}\n`);
    const { env } = this.ovs;
    const bundle = ['ovs-ofctl', '-O', 'OpenFlow15', 'bundle', 'br0', file];
    const { stderr } = await run(bundle, { env });
    const refused = /OFP\w+_\w+/.exec(stderr)?.[0] ?? '';
    const flow = PACKETS[packet];
    const frame: string | undefined = FRAMES[packet];
    const trace = await this.appctl(
      'ofproto/trace',
      frame === undefined ? 'ovs-dummy' : 'br0',
      flow,
    );
    const before = await this.received();
    await this.appctl('netdev-dummy/receive', 'p1', frame ?? flow);
    await eventually('the first packet', async () => (await this.received()) > before);
    await this.appctl('revalidator/wait');
    await this.appctl('netdev-dummy/receive', 'p1', frame ?? flow);
    await eventually('the second packet', async () => (await this.received()) > before + 1);
    await this.appctl('revalidator/purge');
    const dump = await this.ofctl('dump-flows', 'br0', '--sort');
    // What is left of these entries shall not be seen by the next case.
    await this.ofctl('del-flows', 'br0');
    return { refused, trace: plainTrace(trace), entries: plainEntries(dump), frames: this.sent() };
  }
}

/**
 * Numbers of recirculations depend on what was traced before, the order of a flood's outputs on
 * hashes of names, and a flow label's mask on where it came from.
 */
function plainTrace(traced: string): string {
  const ids = new Map<string, string>();
  const sorted = (_all: string, list: string) => `actions: ${list.split(',').sort().join()}\n`;
  const text = traced.replace('/0xfffff,', ',').replace(/actions: ([\d,]+)\n/, sorted);
  return text.replace(/recirc(_id=|\()(0x[0-9a-f]+|[1-9]\d*)/g, (_all, how: string, id: string) => {
    const number = String(Number(id));
    ids.set(number, ids.get(number) ?? `R${ids.size}`);
    return `recirc${how}${ids.get(number)}`;
  });
}

function plainEntries(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith(' '))
    .map((line) => line.replace(/(duration=[\d.]+s|idle_age=\d+|hard_age=\d+), /g, '').trim())
    .sort();
}

let theirs: Side;
let ours: Side;

beforeAll(async () => {
  theirs = await Side.start();
  ours = await Side.start([tapswitchBin, 'vswitchd']);
});

afterAll(async () => {
  await theirs?.stop();
  await ours?.stop();
});

it.each(PIPELINE_CASES)('$name', async (pipelineCase) => {
  const [expected, outcome] = await Promise.all(
    [theirs, ours].map((side) => side.outcome(pipelineCase)),
  );
  expect(outcome).toEqual(expected);
});
