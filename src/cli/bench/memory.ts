/**
 * `tapswitch bench --suite memory`: resident memory of a switch's processes, its database server
 * included: as started, with ten thousand megaflows, and for each of two hundred ports more.
 *
 * A flow that copies the UDP port into a register makes every flow of the generator a megaflow.
 */
import { command, sleep } from './commands.js';
import { type MeasureOptions, withTraffic } from './measures.js';
import type { Subject } from './subjects.js';
import type { Column } from './table.js';

export const MEMORY_COLUMNS: readonly Column[] = [
  { title: 'MiB at start', digits: 0, higherIsBetter: false },
  { title: 'MiB with 10,000 megaflows', digits: 0, higherIsBetter: false },
  { title: 'KiB for each of 200 ports', digits: 0, higherIsBetter: false },
];

const MEGAFLOWS = 10_000;
const PORTS = 200;
const SETTLE_MS = 2000;
const MIB = 1 << 20;

export async function measureMemory(subject: Subject, measure: MeasureOptions): Promise<number[]> {
  const { network } = subject;
  const names = network.topology === 'bond' ? ['br1', 'br2'] : ['br0'];
  const start = subject.residentBytes();
  const copies = 'priority=1,udp,actions=move:NXM_OF_UDP_SRC[]->NXM_NX_REG0[0..15],NORMAL';
  for (const name of names) await subject.tool('ofctl', 'add-flow', name, copies);
  const traffic = { ...measure.traffic, flows: MEGAFLOWS / names.length, burst: 1 };
  const withFlows = await withTraffic(subject, { ...measure, traffic }, async () => {
    await sleep(SETTLE_MS);
    return subject.residentBytes();
  });
  for (const name of names) await subject.tool('ofctl', 'del-flows', name, 'udp');
  // A megaflow that nothing hits goes after ten seconds: no need to wait for memory to come back.
  const before = subject.residentBytes();
  const ports = Array.from({ length: PORTS }, (_, n) => `m${n}`);
  await links(
    subject,
    ports.map((name, n) => `link add ${name} type veth peer name n${n}`),
  );
  const toBridge = ports.flatMap((name) => ['--', 'add-port', names[0], name]);
  await subject.tool('vsctl', '--timeout=60', ...toBridge.slice(1));
  await sleep(SETTLE_MS);
  const more = subject.residentBytes() - before;
  const away = ports.flatMap((name) => ['--', 'del-port', names[0], name]);
  await subject.tool('vsctl', '--timeout=60', ...away.slice(1));
  await links(
    subject,
    ports.map((name) => `link del ${name}`),
  );
  return [start / MIB, withFlows / MIB, more / PORTS / 1024];
}

/** Runs commands of ip in the switch's namespace. */
async function links({ network }: Subject, lines: string[]): Promise<void> {
  const batch = `printf '${lines.join('\\n')}\\n' | ip -n ${network.switchNamespace} -batch -`;
  await command(['sh', '-c', batch], { timeoutMs: 60_000 });
}
