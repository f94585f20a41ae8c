/**
 * `memory/show`: how many of each large thing exist, as `name:count` pairs.
 */
import type { UnixctlServer } from './server.js';

/** Lists counts; equal names of several sources are added up. */
export type MemorySource = () => Iterable<readonly [name: string, count: number]>;

export class MemoryReport {
  private readonly sources: MemorySource[] = [];

  addSource(source: MemorySource): void {
    this.sources.push(source);
  }

  /** What `memory/show` prints: `flows:12 ports:3 ...`, by name. */
  show(): string {
    const counts = new Map<string, number>();
    for (const source of this.sources) {
      for (const [name, count] of source()) counts.set(name, (counts.get(name) ?? 0) + count);
    }
    return [...counts]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, count]) => `${name}:${count}`)
      .join(' ');
  }
}

/** Adds `memory/show` to `server`. */
export function registerMemoryCommands(server: UnixctlServer, report: MemoryReport): void {
  server.register('memory/show', '', 0, 0, () => report.show());
}
