/**
 * Whatever transactions run and whenever connections break, the replica ends up equal to the
 * database, and its reports of changes add up to what it holds.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stoppedClock } from '../../../src/common/clock.js';
import { type Changes, Idl, type IdlRow, IdlTxn } from '../../../src/ovsdb/idl/index.js';
import { Database, OvsdbServer } from '../../../src/ovsdb/index.js';
import { houseSchema, rows } from '../ovsdb/harness.js';

type Action =
  | { kind: 'add'; name: string }
  | { kind: 'set'; room: number; tags: string[]; options: [string, string][]; floor: number | null }
  | { kind: 'option'; room: number; key: string; value: string }
  | { kind: 'door'; room: number }
  | { kind: 'delete'; room: number }
  | { kind: 'break' };

const word = fc.constantFrom('a', 'b', 'c', 'd');
const room = fc.nat(5);
const action: fc.Arbitrary<Action> = fc.oneof(
  fc.record({ kind: fc.constant('add' as const), name: fc.uuid() }),
  fc.record({
    kind: fc.constant('set' as const),
    room,
    tags: fc.uniqueArray(word, { maxLength: 3 }),
    options: fc.uniqueArray(fc.tuple(word, word), { selector: ([key]) => key }),
    floor: fc.option(fc.integer({ min: -3, max: 3 })),
  }),
  fc.record({ kind: fc.constant('option' as const), room, key: word, value: word }),
  fc.record({ kind: fc.constant('door' as const), room }),
  fc.record({ kind: fc.constant('delete' as const), room }),
  fc.record({ kind: fc.constant('break' as const) }),
);

/** What a follower of the changes believes to be there, and where they contradicted that. */
class Follower {
  readonly rows = new Map<string, IdlRow>();
  readonly faults: string[] = [];

  readonly hear = (changes: Changes): void => {
    for (const [table, { inserted, modified, deleted }] of changes) {
      for (const row of deleted) this.check(this.rows.delete(row.uuid), `${table}: not there`);
      for (const row of inserted) {
        this.check(!this.rows.has(row.uuid), `${table}: inserted twice`);
        this.rows.set(row.uuid, row);
      }
      for (const [row, columns] of modified) {
        this.check(this.rows.get(row.uuid) === row, `${table}: another row`);
        this.check(columns.size > 0, `${table}: nothing changed`);
      }
    }
  };

  private check(right: boolean, fault: string): void {
    if (!right) this.faults.push(fault);
  }
}

function change(txn: IdlTxn, rooms: IdlRow[], step: Exclude<Action, { kind: 'break' }>): void {
  if (step.kind === 'add') {
    txn.insert('Room', { name: step.name });
    return;
  }
  const target = rooms[step.room % Math.max(rooms.length, 1)];
  if (!target) return;
  if (step.kind === 'delete') txn.delete(target);
  else if (step.kind === 'door') {
    txn.mutate(target, 'doors', 'insert', [txn.insert('Door', { colour: 'red' })]);
  } else if (step.kind === 'option') {
    txn.mutate(target, 'options', 'delete', [step.key]);
    txn.mutate(target, 'options', 'insert', new Map([[step.key, step.value]]));
  } else {
    txn.set(target, 'tags', step.tags);
    txn.set(target, 'options', new Map(step.options));
    txn.set(target, 'floor', step.floor);
  }
}

describe('the replica', () => {
  it('equals the database after any transactions and broken connections', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 25 }), async (actions) => {
        const clock = stoppedClock();
        const database = new Database(houseSchema(), { historyLength: 100 });
        const server = new OvsdbServer({ databases: [database], clock });
        const follower = new Follower();
        const connect = (onChange?: (changes: Changes) => void) =>
          new Idl({ remote: () => server.connectInProcess(), clock, database: 'House', onChange });
        const writer = connect();
        const reader = connect(follower.hear);
        const live = async (idl: Idl) => {
          while (!idl.live) {
            if (idl.state === 'waiting') clock.advance(Math.max(0, idl.nextWake() - clock.now()));
            idl.run(clock.now());
            if (!idl.live) await idl.nextEvent();
          }
        };
        await live(reader);
        for (const step of actions) {
          await live(writer);
          if (step.kind === 'break') {
            reader.forceReconnect();
            continue;
          }
          const txn = new IdlTxn(writer);
          change(txn, [...writer.table('Room')], step);
          expect((await txn.commit()).status).toMatch(/^(success|unchanged)$/);
        }
        await live(reader);
        await new Promise((resolve) => setImmediate(resolve));
        for (const [table, columns] of [
          ['Room', ['_uuid', 'name', 'tags', 'options', 'floor', 'doors']],
          ['Door', ['_uuid', 'colour']],
        ] as const) {
          const have = [...reader.table(table)].map((row) => {
            const data = columns.slice(1).map((name) => [name, row.json(name)]);
            return { _uuid: ['uuid', row.uuid], ...Object.fromEntries(data) };
          });
          const want = rows(database, table, [...columns]);
          const byUuid = (a: { _uuid: unknown }, b: { _uuid: unknown }) =>
            String(a._uuid) < String(b._uuid) ? -1 : 1;
          expect(have.sort(byUuid)).toEqual((want as { _uuid: unknown }[]).sort(byUuid as never));
        }
        const total = reader.table('Room').size + reader.table('Door').size;
        expect(follower.faults).toEqual([]);
        expect(follower.rows.size).toBe(total);
        writer.close();
        reader.close();
        await server.close();
      }),
      { numRuns: 60 },
    );
  });
});
