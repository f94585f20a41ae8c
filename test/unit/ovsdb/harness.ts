/**
 * What the OVSDB tests share: a small schema, and clients of a server in this process.
 */
import { stoppedClock } from '../../../src/common/clock.js';
import type { JsonValue } from '../../../src/common/json.js';
import { JsonRpcConnection } from '../../../src/common/jsonrpc.js';
import { Database, DatabaseSchema, OvsdbServer } from '../../../src/ovsdb/index.js';
import { HOUSE } from './house.js';

export { HOUSE };

export function houseSchema(): DatabaseSchema {
  return DatabaseSchema.fromJson(HOUSE);
}

/** Runs operations; returns their results. */
export function run(database: Database, ...operations: JsonValue[]): JsonValue[] {
  const outcome = database.execute(operations);
  if (outcome.kind !== 'done') throw new Error('the transaction waits');
  return outcome.results;
}

/** The rows of a table, by the value of one of its columns or just as they come. */
export function rows(database: Database, table: string, columns: string[], where: JsonValue = []) {
  const [result] = run(database, { op: 'select', table, where, columns, sort: columns });
  return (result as { rows: { [key: string]: JsonValue }[] }).rows;
}

/** A client of a server in this process that keeps the notifications it gets. */
export class Client {
  readonly notifications: [string, JsonValue[]][] = [];
  readonly connection: JsonRpcConnection;
  closedWith: Error | null | undefined;

  constructor(server: OvsdbServer) {
    this.connection = new JsonRpcConnection(server.connectInProcess(), {
      onRequest() {},
      onNotify: (method, params) => this.notifications.push([method, params]),
      onClose: (error) => {
        this.closedWith = error ?? null;
      },
    });
  }

  request(method: string, ...params: unknown[]): Promise<JsonValue> {
    return this.connection.request(method, params);
  }

  transact(...operations: unknown[]): Promise<JsonValue> {
    return this.request('transact', 'House', ...operations);
  }

  /** The notifications since the last call. */
  take(): [string, JsonValue[]][] {
    return this.notifications.splice(0);
  }
}

export function house() {
  const clock = stoppedClock();
  const database = new Database(houseSchema(), { historyLength: 100 });
  const server = new OvsdbServer({ databases: [database], clock });
  return { clock, database, server, client: () => new Client(server) };
}

/** Lets sockets and promises do what they have to. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
}

export function uuidOf(result: JsonValue): string {
  return ((result as { uuid: string[] }).uuid as string[])[1];
}
