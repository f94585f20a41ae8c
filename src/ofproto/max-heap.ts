/**
 * A binary heap whose items' priorities may change while they are inside.
 *
 *     items[1] is a largest one; items[i] >= items[2i], items[2i+1]; items[0] is not used
 *
 * Of equal priorities the order depends on the history alone: equal histories, equal choices.
 */
export interface HeapItem {
  priority: number;
  /** Where the heap has it; 0: it is in none. */
  heapIndex: number;
}

export class MaxHeap<T extends HeapItem> {
  private readonly items: (T | null)[] = [null];

  /** An item of the highest priority, or null when there are none. */
  max(): T | null {
    return this.items[1] ?? null;
  }

  insert(item: T): void {
    this.items.push(item);
    item.heapIndex = this.items.length - 1;
    this.up(item);
  }

  remove(item: T): void {
    const at = item.heapIndex;
    const last = this.items.pop() as T;
    item.heapIndex = 0;
    if (last === item) return;
    this.place(last, at);
    if (!this.up(last)) this.down(last);
  }

  change(item: T, priority: number): void {
    item.priority = priority;
    if (!this.up(item)) this.down(item);
  }

  private place(item: T, at: number): void {
    this.items[at] = item;
    item.heapIndex = at;
  }

  /** @returns whether it moved */
  private up(item: T): boolean {
    let moved = false;
    for (;;) {
      const parent = this.items[item.heapIndex >>> 1];
      if (!parent || parent.priority >= item.priority) return moved;
      this.swap(item, parent);
      moved = true;
    }
  }

  private down(item: T): void {
    for (;;) {
      const at = item.heapIndex;
      let best: T = item;
      for (const child of [this.items[2 * at], this.items[2 * at + 1]]) {
        if (child && child.priority > best.priority) best = child;
      }
      if (best === item) return;
      this.swap(best, item);
    }
  }

  private swap(a: T, b: T): void {
    const at = a.heapIndex;
    this.place(a, b.heapIndex);
    this.place(b, at);
  }
}
