/**
 * A `transact` request on its way: it may have to wait for the database to change, or the disk.
 *
 *     new -> (waiting -> again after each commit, or at its timeout)* -> committing -> answered
 *
 * Not for: what a transaction does (database.ts).
 */
import { errorMessage } from '../common/errors.js';
import type { JsonValue } from '../common/json.js';
import { JsonRpcReplyError } from '../common/jsonrpc.js';
import type { Database, Forwarder, Outcome } from './database.js';
import { OvsdbError } from './error.js';
import { OPERATIONS } from './operations.js';

/** What a trigger needs of its session. */
export interface TriggerOwner {
  readonly readOnly: boolean;
  readonly role: string;
  readonly clientId: string | null;
  ownsLock(name: string): boolean;
  /** The trigger is over; `results` is the answer. */
  triggerDone(trigger: Trigger, results: JsonValue): void;
  /** The trigger is over without results. */
  triggerFailed(trigger: Trigger, error: JsonValue): void;
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
    const { forwarder } = this.database;
    if (forwarder && changesAnything(this.operations)) {
      this.pass(forwarder);
      return;
    }
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

  /** Leaves it to another server. */
  private pass(forwarder: Forwarder): void {
    const { owner } = this;
    const mayNot = owner.readOnly ? 'server is in read only mode' : 'client has a role';
    if (owner.readOnly || owner.role !== '') {
      const details = `operations that change the database are not allowed when the ${mayNot}`;
      this.finish([new OvsdbError('not allowed', details).toJson()]);
      return;
    }
    this.state = 'committing';
    forwarder
      .forward(this.operations, () => this.state === 'committing')
      .then(
        (results) => this.finish(results),
        (error) => {
          if (this.state === 'done') return;
          this.state = 'done';
          const known = error instanceof JsonRpcReplyError;
          owner.triggerFailed(this, known ? error.error : 'canceled');
        },
      );
  }

  /** Stops it: nothing will be answered. */
  cancel(): void {
    this.state = 'done';
  }

  private finish(results: JsonValue): void {
    if (this.state === 'done') return;
    this.state = 'done';
    this.owner.triggerDone(this, results);
  }
}

/** True when an operation is there that a mere copy of the database cannot execute. */
function changesAnything(operations: readonly JsonValue[]): boolean {
  return operations.some((operation) => {
    const name = (operation as { op?: JsonValue } | null)?.op;
    const entry = typeof name === 'string' ? OPERATIONS.get(name) : undefined;
    return entry !== undefined && !entry.readOnly;
  });
}

function ioErrorJson(error: unknown): JsonValue {
  const known = error instanceof OvsdbError ? error : null;
  return (known ?? new OvsdbError('I/O error', errorMessage(error))).toJson();
}
