/**
 * What is to be done once a worker has taken up the commands of this turn: all of a turn share one
 * acknowledgement.
 */
import type { WorkerHandle } from './worker-handle.js';

export class AfterFlush {
  private readonly waiting = new Map<WorkerHandle, (() => void)[]>();

  add(worker: WorkerHandle, done: () => void): void {
    const waiting = this.waiting.get(worker);
    if (waiting) {
      waiting.push(done);
      return;
    }
    const list = [done];
    this.waiting.set(worker, list);
    queueMicrotask(() => {
      this.waiting.delete(worker);
      worker.whenAcked(() => {
        for (const each of list) each();
      });
    });
  }
}
