/**
 * `tapswitch bench --suite start`: how long it takes from the start of a configured switch to the
 * first packet that it forwards.
 *
 *     the switch is ended ─> probes, one a millisecond ─> it is started ─> the first probe arrives
 *
 * For Open vSwitch that is both its processes: the database's server, and once its socket is there
 * the switch.
 */
import { sleep } from './commands.js';
import type { Subject } from './subjects.js';
import type { Column } from './table.js';
import { announceSink, Generator, startProbes, type TrafficSetup } from './traffic.js';

export const START_COLUMNS: readonly Column[] = [
  { title: 'ms to the first packet', digits: 0, higherIsBetter: false },
];

const PROBES_PER_SECOND = 1000;
/** Time after which there should have been one, and the most that is waited for. */
const LOOK_MS = 3000;

export async function measureStart(subject: Subject, traffic: TrafficSetup): Promise<number[]> {
  await subject.end();
  await announceSink(subject, traffic);
  const probes = await startProbes(subject, traffic);
  // The generator reports once a frame has left: one a second does no harm.
  const load = { rate: 1, probes: PROBES_PER_SECOND, seconds: 0, sleeps: true };
  const generator = await Generator.start(subject, { ...traffic, burst: 1 }, load);
  const before = { probes: generator.probes, at: performance.now() };
  await subject.again();
  await sleep(LOOK_MS);
  const perMs = (generator.probes - before.probes) / (performance.now() - before.at);
  await generator.stop();
  const [first] = await probes.stop();
  return [first === undefined ? Number.NaN : (first - before.probes) / perMs];
}
