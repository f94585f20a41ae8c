/**
 * Who has which part of an arena's address space: first fit over page-aligned ranges.
 *
 *     taken: [slab][ring of port 1][free][ring of port 3] ...
 */

const PAGE = 4096;

interface Range {
  start: number;
  end: number;
}

/** The free ranges of [start, end), in order, never adjacent. */
export class ArenaSpace {
  private free: Range[];

  constructor(start: number, end: number) {
    this.free = [{ start, end }];
  }

  /** Takes `bytes` (rounded up to pages): the offset, or -1 when no range is large enough. */
  take(bytes: number): number {
    const need = (bytes + PAGE - 1) & -PAGE;
    const range = this.free.find((r) => r.end - r.start >= need);
    if (!range) return -1;
    const start = range.start;
    range.start += need;
    if (range.start === range.end) this.free.splice(this.free.indexOf(range), 1);
    return start;
  }

  /** Gives back what `take(bytes)` returned. */
  give(start: number, bytes: number): void {
    const end = start + ((bytes + PAGE - 1) & -PAGE);
    const at = this.free.findIndex((r) => r.start >= end);
    this.free.splice(at < 0 ? this.free.length : at, 0, { start, end });
    this.free = this.free.reduce<Range[]>((merged, range) => {
      const last = merged.at(-1);
      if (last?.end === range.start) last.end = range.end;
      else merged.push(range);
      return merged;
    }, []);
  }
}
