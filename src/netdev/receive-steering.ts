/**
 * Which CPUs handle what an interface receives, chosen by flow: receive packet steering (RPS), a
 * mask of CPUs for each receive queue in sysfs. What was set before is put back; a process that is
 * killed leaves its own setting behind.
 *
 * Source: Documentation/networking/scaling.rst.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** As sysfs has it: words of 32 bits, the highest first. */
export function formatCpuMask(cpus: readonly number[]): string {
  const words = new Uint32Array(Math.floor(Math.max(0, ...cpus) / 32) + 1);
  for (const cpu of cpus) words[cpu >> 5] |= 1 << (cpu & 31);
  return [...words]
    .reverse()
    .map((word) => word.toString(16).padStart(8, '0'))
    .join(',');
}

export class ReceiveSteering {
  /** What stood in each queue's file before; empty while nothing is set. */
  private readonly before = new Map<string, string>();

  constructor(
    private readonly name: string,
    private readonly ifindex: number,
    private readonly root = '/sys/class/net',
  ) {}

  /**
   * @param cpus null: as it was before
   * @throws an Error of the system, also when sysfs shows another network namespace
   */
  set(cpus: readonly number[] | null): void {
    if (cpus === null) {
      for (const [file, text] of this.before) writeFileSync(file, text);
      this.before.clear();
      return;
    }
    const device = join(this.root, this.name);
    if (Number(readFileSync(join(device, 'ifindex'), 'latin1')) !== this.ifindex) {
      throw new Error(`${device} is another interface: sysfs is of another network namespace`);
    }
    const mask = formatCpuMask(cpus);
    for (const queue of readdirSync(join(device, 'queues'))) {
      if (!queue.startsWith('rx-')) continue;
      const file = join(device, 'queues', queue, 'rps_cpus');
      if (!this.before.has(file)) this.before.set(file, readFileSync(file, 'latin1').trim());
      writeFileSync(file, mask);
    }
  }
}
