/**
 * An OVSDB server that says what a test tells it to, over a stream in this process.
 *
 * Not for: what a real server does (src/ovsdb/server.ts).
 */
import { duplexPair } from 'node:stream';
import { stoppedClock, type WarpClock } from '../../../src/common/clock.js';
import type { JsonValue } from '../../../src/common/json.js';
import { JsonRpcConnection, type RpcSocket } from '../../../src/common/jsonrpc.js';
import { type Changes, Idl, type IdlOptions } from '../../../src/ovsdb/idl/index.js';

/** Every kind of column, in tables that refer to each other. */
export const SCHEMA = {
  name: 'Test',
  version: '1.2.3',
  tables: {
    Root: {
      isRoot: true,
      maxRows: 1,
      columns: {
        counter: { type: 'integer' },
        parts: {
          type: { key: { type: 'uuid', refTable: 'Part' }, min: 0, max: 'unlimited' },
        },
        by_name: {
          type: {
            key: 'string',
            value: { type: 'uuid', refTable: 'Part' },
            min: 0,
            max: 'unlimited',
          },
        },
      },
    },
    Part: {
      columns: {
        name: { type: 'string', mutable: false },
        size: { type: { key: 'integer', min: 0, max: 1 } },
        weight: { type: 'real' },
        good: { type: 'boolean' },
        tags: { type: { key: 'string', min: 0, max: 'unlimited' } },
        options: { type: { key: 'string', value: 'string', min: 0, max: 'unlimited' } },
        next: { type: { key: { type: 'uuid', refTable: 'Part', refType: 'weak' }, min: 0 } },
      },
    },
    Free: { isRoot: true, columns: { n: { type: 'integer' } } },
  },
} as unknown as JsonValue;

export type Answer = (params: JsonValue[]) => JsonValue;

/** Throw it from an answer to send a JSON-RPC error. */
export class Refusal extends Error {
  constructor(readonly error: JsonValue) {
    super('refused');
  }
}

export class FakeServer {
  /** Every request and notification that came, in order. */
  readonly received: [method: string, params: JsonValue[]][] = [];
  /** How many connections were opened. */
  connections = 0;
  connection: JsonRpcConnection | null = null;
  readonly answers: Record<string, Answer> = {
    get_schema: () => SCHEMA,
    monitor_cond_since: () => [false, '00000000-0000-0000-0000-000000000001', {}],
  };

  /** For Idl's `remote`. */
  readonly open = () => {
    const [clientEnd, serverEnd] = duplexPair();
    this.connections += 1;
    this.connection = new JsonRpcConnection(serverEnd as unknown as RpcSocket, {
      onRequest: (method, params, id) => this.answer(method, params, id),
      onNotify: (method, params) => this.received.push([method, params]),
      onClose: () => {},
    });
    return clientEnd;
  };

  /** The parameters of the last request `method`. */
  last(method: string): JsonValue[] {
    const found = this.received.filter(([name]) => name === method).at(-1);
    if (!found) throw new Error(`no ${method} came`);
    return found[1];
  }

  private answer(method: string, params: JsonValue[], id: JsonValue): void {
    this.received.push([method, params]);
    const answer = this.answers[method];
    if (!answer) {
      this.connection?.replyError(id, 'unknown method');
      return;
    }
    try {
      this.connection?.reply(id, answer(params));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.connection?.replyError(id, error.error);
    }
  }
}

export interface Client {
  readonly idl: Idl;
  readonly clock: WarpClock;
  /** What `onChange` was told, as text: `Part +1 ~[name] -0`. */
  readonly log: string[];
}

function describeChanges(changes: Changes): string {
  const parts = [...changes].map(([table, { inserted, modified, deleted }]) => {
    const columns = [...modified.values()].flatMap((names) => [...names]).sort();
    return `${table} +${inserted.size} ~[${columns}] -${deleted.size}`;
  });
  return parts.sort().join('; ');
}

export function client(server: FakeServer, options: Partial<IdlOptions> = {}): Client {
  const clock = stoppedClock();
  const log: string[] = [];
  const idl = new Idl({
    remote: server.open,
    clock,
    database: 'Test',
    onChange: (changes) => log.push(describeChanges(changes)),
    ...options,
  });
  return { idl, clock, log };
}

/** Runs the client until `reached`, without time passing. */
export async function until({ idl, clock }: Client, reached: () => boolean): Promise<void> {
  for (let turn = 0; !reached(); turn++) {
    if (turn > 1000) throw new Error('not reached');
    idl.run(clock.now());
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** A client that has its first contents. */
export async function liveClient(server: FakeServer, options?: Partial<IdlOptions>) {
  const made = client(server, options);
  await until(made, () => made.idl.live);
  return made;
}
