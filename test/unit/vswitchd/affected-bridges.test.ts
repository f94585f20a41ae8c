/** Which bridges a change concerns: the rows come through a real server and replica, in memory. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { WarpClock } from '../../../src/common/clock.js';
import { Database, Idl, OvsdbServer, openVSwitchSchema } from '../../../src/ovsdb/index.js';
import { AffectedBridges } from '../../../src/vswitchd/affected-bridges.js';
import { readConfig } from '../../../src/vswitchd/read-config.js';

const clock = new WarpClock();
let database: Database;
let server: OvsdbServer;
let idl: Idl;
let affected: AffectedBridges;

/** Runs operations; returns the names of the bridges that they concern. */
async function change(...operations: object[]): Promise<string[]> {
  const config = readConfig(idl, () => {});
  affected.clear();
  const { seqno } = idl;
  const outcome = database.execute(operations as never);
  expect(JSON.stringify(outcome)).not.toContain('error');
  while (idl.seqno === seqno) await idl.nextEvent();
  const bridges = config?.bridges ?? [];
  return bridges.filter((bridge) => affected.includes(bridge)).map(({ name }) => name);
}

const update = (table: string, name: string, row: object) => ({
  op: 'update',
  table,
  where: [['name', '==', name]],
  row,
});

function bridge(name: string): object[] {
  const named = (id: string) => ['named-uuid', id];
  const row = { name: `${name}p` };
  return [
    { op: 'insert', table: 'Interface', row, 'uuid-name': `i${name}` },
    {
      op: 'insert',
      table: 'Port',
      row: { ...row, interfaces: named(`i${name}`) },
      'uuid-name': `p${name}`,
    },
    { op: 'insert', table: 'Bridge', row: { name, ports: named(`p${name}`) }, 'uuid-name': name },
    {
      op: 'mutate',
      table: 'Open_vSwitch',
      where: [],
      mutations: [['bridges', 'insert', named(name)]],
    },
  ];
}

beforeEach(async () => {
  database = new Database(openVSwitchSchema());
  database.execute([{ op: 'insert', table: 'Open_vSwitch', row: {} }]);
  server = new OvsdbServer({ databases: [database], clock });
  affected = new AffectedBridges();
  idl = new Idl({
    remote: () => server.connectInProcess(),
    clock,
    onChange: (changes) => affected.note(changes),
  });
  idl.run(clock.now());
  while (!idl.live) {
    await idl.nextEvent();
    idl.run(clock.now());
  }
  await change(...bridge('br0'), ...bridge('br1'));
});

afterEach(async () => {
  idl.close();
  await server.close();
});

test('a row of a bridge, of its port or of its interface concerns that bridge', async () => {
  expect(await change(update('Bridge', 'br0', { fail_mode: 'secure' }))).toEqual(['br0']);
  expect(await change(update('Port', 'br1p', { tag: 5 }))).toEqual(['br1']);
  expect(await change(update('Interface', 'br0p', { mtu_request: 1400 }))).toEqual(['br0']);
});

test('a new bridge concerns no other, nor does what the switch itself writes', async () => {
  expect(await change(...bridge('br2'))).toEqual([]);
  expect(await change(update('Interface', 'br0p', { ofport: 7, mtu: 1500 }))).toEqual([]);
});

test('settings of the switch concern no bridge, rows that several may share all', async () => {
  const other = ['map', [['max-idle', '1000']]];
  const root = { op: 'update', table: 'Open_vSwitch', where: [], row: { other_config: other } };
  expect(await change(root)).toEqual([]);
  const queue = { op: 'insert', table: 'Queue', row: { dscp: 3 } };
  expect(await change(queue)).toEqual(['br0', 'br1']);
});
