/**
 * Whether forwarding allocates: counts the garbage collections of this switch's threads, by V8's
 * own trace, over some seconds of silence and the same of full traffic. A thread that allocated as
 * little as 16 bytes for a packet would collect once in every few hundred thousand packets.
 *
 * Not for: how much memory is in use (appctl memory/show).
 */
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { sleep } from './commands.js';
import { type MeasureOptions, withTraffic } from './measures.js';
import { type Place, Subject, type SubjectKind, startTapswitch } from './subjects.js';

/** Collections of one thread (V8 isolate) in the two periods. */
export interface ThreadCollections {
  /** As V8's trace names it: process id and address. */
  isolate: string;
  silent: number;
  busy: number;
}

export interface GarbageReport {
  seconds: number;
  packets: number;
  threads: ThreadCollections[];
}

/** A line of --trace-gc: "[1234:0x55d0]   812 ms: Scavenge 4.1 (5.0) -> 3.2 (6.0) MB, ..." */
const TRACE_LINE = /^\[(\d+:0x[0-9a-f]+)\] +\d+ ms: /;

/** Reads the isolate out of a line of V8's trace; undefined for any other line. */
export function isolateOf(line: string): string | undefined {
  return TRACE_LINE.exec(line)?.[1];
}

/** Starts this switch with V8's trace switched on, and measures. */
export async function countCollections(
  measure: MeasureOptions,
  switchCpu: number,
): Promise<GarbageReport> {
  const counts = new Map<string, number>();
  const kind: SubjectKind = {
    name: 'tapswitch',
    title: 'tapswitch',
    missing: () => undefined,
    start: (place: Place) =>
      startTapswitch(place, ['--trace-gc'], (daemon) => countLines(daemon, counts), [
        // What the kernel forwards cannot make garbage.
        'other_config:hw-offload=false',
      ]),
  };
  const subject = await Subject.start(kind, switchCpu);
  try {
    await sleep(3000); // what starting leaves behind is collected
    const start = new Map(counts);
    await sleep(measure.seconds * 1000);
    const silent = new Map(counts);
    let busyFrom = silent;
    const packets = await withTraffic(subject, measure, async () => {
      busyFrom = new Map(counts);
      const before = await subject.network.sinkPackets();
      await sleep(measure.seconds * 1000);
      return (await subject.network.sinkPackets()) - before;
    });
    const threads = [...counts.keys()].map((isolate) => ({
      isolate,
      silent: difference(isolate, start, silent),
      busy: difference(isolate, busyFrom, counts),
    }));
    return { seconds: measure.seconds, packets, threads };
  } finally {
    await subject.stop();
  }
}

function difference(key: string, before: Map<string, number>, after: Map<string, number>): number {
  return (after.get(key) ?? 0) - (before.get(key) ?? 0);
}

function countLines(daemon: ChildProcess, counts: Map<string, number>): void {
  if (daemon.stdout === null) return;
  createInterface({ input: daemon.stdout }).on('line', (line) => {
    const isolate = isolateOf(line);
    if (isolate !== undefined) counts.set(isolate, (counts.get(isolate) ?? 0) + 1);
  });
}

/** The report as a person reads it. */
export function formatGarbage({ seconds, packets, threads }: GarbageReport): string {
  const lines = threads.map(
    ({ isolate, silent, busy }) => `  thread ${isolate}: ${silent} silent, ${busy} under traffic`,
  );
  const perPacket = packets === 0 ? '' : `, ${(packets / seconds / 1e6).toFixed(3)} Mpps`;
  return [
    `garbage collections in ${seconds} s of silence and ${seconds} s of traffic ` +
      `(${packets} packets${perPacket}):`,
    ...(lines.length > 0 ? lines : ['  none in any thread']),
    '',
  ].join('\n');
}
