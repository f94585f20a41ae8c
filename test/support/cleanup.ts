/**
 * A stack of things to undo: what was made last is removed first, and one that fails does not keep
 * the others from being removed.
 */
export class Cleanup {
  private readonly stack: { what: string; undo: () => Promise<unknown> | unknown }[] = [];

  /** Registers how to undo something that has just been made. */
  add(what: string, undo: () => Promise<unknown> | unknown): void {
    this.stack.push({ what, undo });
  }

  /** Undoes everything, newest first. Throws one error at the end that names what failed. */
  async run(): Promise<void> {
    const failed: string[] = [];
    for (let entry = this.stack.pop(); entry !== undefined; entry = this.stack.pop()) {
      try {
        await entry.undo();
      } catch (error) {
        failed.push(`${entry.what}: ${error instanceof Error ? error.message : error}`);
      }
    }
    if (failed.length > 0) throw new Error(`not cleaned up: ${failed.join('; ')}`);
  }
}
