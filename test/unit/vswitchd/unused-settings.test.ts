/** Settings without effect are told once, by name, and only when they are used. */
import { expect, it } from 'vitest';
import { WarpClock } from '../../../src/common/clock.js';
import { Database, Idl, OvsdbServer, openVSwitchSchema } from '../../../src/ovsdb/index.js';
import { UnusedSettings } from '../../../src/vswitchd/unused-settings.js';

it('tells the first use of each column, once', async () => {
  const clock = new WarpClock();
  const database = new Database(openVSwitchSchema());
  const server = new OvsdbServer({ databases: [database], clock });
  const told: string[] = [];
  const unused = new UnusedSettings((message) => told.push(message));
  const idl = new Idl({
    remote: () => server.connectInProcess(),
    clock,
    onChange: (changes) => unused.look(changes),
  });
  const change = async (operations: unknown[]): Promise<void> => {
    const seqno = idl.seqno;
    database.execute(operations as never);
    while (idl.seqno === seqno) await idl.nextEvent();
  };
  idl.run(clock.now());
  while (!idl.live) await idl.nextEvent();
  await change([
    { op: 'insert', table: 'Open_vSwitch', row: { bridges: ['named-uuid', 'b'] } },
    { op: 'insert', table: 'Bridge', row: { name: 'br0' }, 'uuid-name': 'b' },
  ]);
  expect(told).toEqual([]);
  const set = (row: Record<string, unknown>) =>
    change([{ op: 'update', table: 'Bridge', where: [], row }]);
  await set({ stp_enable: true, fail_mode: 'secure' });
  expect(told).toEqual(['Bridge.stp_enable is set; this switch keeps it without acting on it']);
  await set({ stp_enable: false });
  await set({ stp_enable: true });
  expect(told).toHaveLength(1);
  idl.close();
  await server.close();
});
