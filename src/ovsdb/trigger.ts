/**
 * A `transact` request on its way: it may have to wait for the database to change, or the disk.
 *
 *     new -> (waiting -> again after each commit, or at its timeout)* -> committing -> answered
 *
 * Not for: what a transaction does (database.ts).
 */
import { errorMessage } from '../common/errors.js';
import type { JsonValue } from '../common/json.js';
import type { Database, Outcome } from './database.js';
import { OvsdbError } from './error.js';

/** What a trigger needs of its session. */
export interface TriggerOwner {
  readonly readOnly: boolean;
  readonly role: string;
  readonly clientId: string | null;
  ownsLock(name: string): boolean;
  /** The trigger is over; `results` is the answer. */
  triggerDone(trigger: Trigger, results: JsonValue[]): void;
}

export class Trigger {
  private state: 'waiting' | 'committing' | 'done' = 'waiting';
  /** Monotonic milliseconds at which the wait is over; Infinity: never. */
  deadlineMs = Number.POSITIVE_INFINITY;

  constructor(
    readonly owner: TriggerOwner,
    readonly database: Database,
    readonly id: JsonValue,
    private readonly operations: JsonValue[],
    private readonly createdMs: number,
  ) {}

  get waiting(): boolean {
    return this.state === 'waiting';
  }

  /** Tries the transaction. `now`: monotonic milliseconds. */
  run(now: number): void {
    if (this.state !== 'waiting') return;
    const outcome: Outcome = this.database.execute(this.operations, {
      readOnly: this.owner.readOnly,
      elapsedMs: Math.floor(now - this.createdMs),
      ownsLock: (name) => this.owner.ownsLock(name),
      role: this.owner.role,
      clientId: this.owner.clientId,
    });
    if (outcome.kind === 'wait') {
      this.deadlineMs = this.createdMs + (outcome.timeoutMs ?? Number.POSITIVE_INFINITY);
      return;
    }
    const { results, durable } = outcome;
    if (durable === null) {
      this.finish(results);
      return;
    }
    this.state = 'committing';
    durable.then(
      () => this.finish(results),
      (error) => this.finish([...results, ioErrorJson(error)]),
    );
  }

  /** Stops it: nothing will be answered. */
  cancel(): void {
    this.state = 'done';
  }

  private finish(results: JsonValue[]): void {
    if (this.state === 'done') return;
    this.state = 'done';
    this.owner.triggerDone(this, results);
  }
}

function ioErrorJson(error: unknown): JsonValue {
  const known = error instanceof OvsdbError ? error : null;
  return (known ?? new OvsdbError('I/O error', errorMessage(error))).toJson();
}
