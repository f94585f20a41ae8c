/**
 * Ports whose queues are to be opened anew, one in each turn of the event loop: the kernel takes
 * some ten milliseconds for each, and commands are to be answered in between.
 *
 *     add(a) add(b) whenDone(f)    reopen(a) ... reopen(b) ... f()
 */
export class PortReopening<P> {
  private readonly waiting = new Set<P>();
  private after: (() => void)[] = [];
  private turn: NodeJS.Immediate | null = null;

  constructor(private readonly reopen: (port: P) => void) {}

  get pending(): boolean {
    return this.waiting.size > 0;
  }

  add(port: P): void {
    this.waiting.add(port);
    this.turn ??= setImmediate(() => this.step());
  }

  /** Not this one: it is gone, or was opened anew by somebody else. */
  forget(port: P): void {
    if (this.waiting.delete(port) && !this.pending) this.settle();
  }

  /** Calls back when no port waits: at once if none does. */
  whenDone(done: () => void): void {
    if (this.pending) this.after.push(done);
    else done();
  }

  /** Opens all that wait, now. */
  finish(): void {
    for (const port of this.waiting) {
      this.waiting.delete(port);
      this.reopen(port);
    }
    this.settle();
  }

  /** Gives them up. */
  close(): void {
    this.waiting.clear();
    this.settle();
  }

  private step(): void {
    this.turn = null;
    const [port] = this.waiting;
    if (port !== undefined) {
      this.waiting.delete(port);
      this.reopen(port);
    }
    if (this.pending) this.turn ??= setImmediate(() => this.step());
    else this.settle();
  }

  private settle(): void {
    if (this.turn) clearImmediate(this.turn);
    this.turn = null;
    for (const done of this.after.splice(0)) done();
  }
}
