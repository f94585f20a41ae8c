/**
 * Warming up: a server that has just started runs transactions on a database of its own in memory,
 * between its other work, until the JavaScript engine has compiled the code that they go through.
 * Without it the first few hundred transactions of a process take four times as long as later ones.
 *
 *     request text -> session -> Database (in memory) -> record text, to nobody
 *          ^                                                  |
 *          └────────── next turn of the event loop <──────────┘
 *
 * Not for: anything that a client can see.
 */
import type { Clock } from '../common/clock.js';
import type { JsonValue } from '../common/json.js';
import { getLogger } from '../common/log.js';
import { Database, type Storage } from './database.js';
import { composeRecord } from './log-record.js';
import { DatabaseSchema } from './schema.js';
import { OvsdbServer } from './server.js';

const NAME = 'Warm_up';
/** Transactions until the code runs at its full speed, with some to spare. */
const TRANSACTIONS = 900;
/** Rows with a reference to them from the only row of the root table, at most. */
const ROWS_MAX = 60;
/** Transactions in one turn of the event loop: less than 2 ms. */
const TURN = 8;

const strings = { key: 'string', min: 0, max: 'unlimited' };
const map = { key: 'string', value: 'string', min: 0, max: 'unlimited' };
const refs = (refTable: string, refType: string) => ({
  key: { type: 'uuid', refTable, refType },
  min: 0,
  max: 'unlimited',
});

/** Tables with columns of every kind that the switch's schema has. */
const SCHEMA: JsonValue = {
  name: NAME,
  version: '1.0.0',
  tables: {
    Root: {
      isRoot: true,
      maxRows: 1,
      columns: {
        items: { type: refs('Item', 'strong') },
        count: { type: 'integer' },
        ids: { type: map },
      },
    },
    Item: {
      indexes: [['name']],
      columns: {
        name: { type: 'string', mutable: false },
        parts: { type: refs('Part', 'strong') },
        peers: { type: refs('Item', 'weak') },
        tag: { type: { key: { type: 'integer', minInteger: 0, maxInteger: 4095 }, min: 0 } },
        mode: { type: { key: { type: 'string', enum: ['set', ['a', 'b']] }, min: 0 } },
        up: { type: { key: 'boolean', min: 0 } },
        names: { type: strings },
        ids: { type: map },
      },
    },
    Part: {
      indexes: [['name']],
      columns: {
        name: { type: 'string' },
        speed: { type: 'real' },
        statistics: {
          type: { key: 'string', value: 'integer', min: 0, max: 'unlimited' },
          ephemeral: true,
        },
        ids: { type: map },
      },
    },
  },
};

/** Composes records as a file's are, and keeps none. */
const nowhere: Storage = {
  append: (record) => void composeRecord(record),
  sync: () => Promise.resolve(),
  replace: () => {},
  worthCompacting: false,
  close: () => {},
};

/** Warms up. Ends early when `goOn` says no. */
export async function warmUp(clock: Clock, goOn: () => boolean): Promise<void> {
  // Whoever reads every message wants those of real clients.
  if (getLogger('jsonrpc').enabled('dbg')) return;
  const database = new Database(DatabaseSchema.fromJson(SCHEMA));
  database.attach(nowhere);
  const server = new OvsdbServer({ databases: [database], clock });
  const socket = server.connectInProcess();
  socket.resume();
  const ask = (id: number, method: string, ...params: JsonValue[]): void => {
    socket.write(JSON.stringify({ id, method, params: [NAME, ...params] }));
  };
  ask(0, 'transact', { op: 'insert', table: 'Root', row: {} });
  ask(1, 'monitor_cond', null, { Root: [{}], Item: [{}], Part: [{ columns: ['name'] }] });
  for (let i = 0; i < TRANSACTIONS && goOn(); i++) {
    ask(i + 2, 'transact', ...operations(i));
    if (i % TURN === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  socket.destroy();
  await server.close();
}

/** A transaction that inserts, refers, changes, looks, and now and then removes. */
function operations(i: number): JsonValue[] {
  const made: JsonValue[] = [];
  const parts: JsonValue[] = [];
  for (let k = 0; k < 4; k++) {
    const name = `part${i}_${k}`;
    const ids: JsonValue = ['map', [['owner', `item${i}`]]];
    made.push({ op: 'insert', table: 'Part', 'uuid-name': name, row: { name, ids } });
    parts.push(['named-uuid', name]);
  }
  const item = `item${i}`;
  const row = { name: item, parts: ['set', parts], tag: i % 4096, mode: 'a', up: i % 2 === 0 };
  const mutations = (...list: JsonValue[]): JsonValue => ({
    op: 'mutate',
    table: 'Root',
    where: [],
    mutations: list,
  });
  const itself = [['name', '==', item]];
  made.push(
    { op: 'insert', table: 'Item', 'uuid-name': item, row },
    mutations(['items', 'insert', ['named-uuid', item]], ['count', '+=', 1]),
    { op: 'update', table: 'Item', where: itself, row: { names: ['set', ['x', 'y']] } },
    { op: 'select', table: 'Item', where: itself, columns: ['name', '_uuid'] },
    { op: 'comment', comment: 'warming up' },
  );
  if (i % ROWS_MAX === ROWS_MAX - 1) {
    made.push({ op: 'update', table: 'Root', where: [], row: { items: ['set', []] } });
  }
  return made;
}
