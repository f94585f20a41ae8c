/** The example of docs/guide-ovsdb.md, which test/unit/ovsdb-idl/guide.test.ts runs. */
import { PollLoop, WarpClock } from '../../src/index.js';
import { Idl, IdlTxn, openVSwitchTable } from '../../src/ovsdb/index.js';

/** Adds a bridge, and tells of each bridge how many ports it has. */
export async function addBridge(remote: string, name: string): Promise<Map<string, number>> {
  const clock = new WarpClock();
  const loop = new PollLoop(clock);
  const idl = new Idl({ remote, clock, onWake: () => loop.wake() });
  loop.add(idl);
  loop.start();
  try {
    while (!idl.live) await idl.nextEvent();
    const root = idl.table('Open_vSwitch').first();
    if (root === null) throw new Error('the database has no Open_vSwitch row');
    const txn = new IdlTxn(idl);
    const iface = txn.insert('Interface', { name, type: 'internal' });
    const port = txn.insert('Port', { name, interfaces: [iface] });
    txn.mutate(root, 'bridges', 'insert', [txn.insert('Bridge', { name, ports: [port] })]);
    const { status, error } = await txn.commit();
    if (status !== 'success') throw new Error(`${status}: ${error}`);

    const counts = new Map<string, number>();
    for (const bridge of openVSwitchTable(idl, 'Bridge')) {
      counts.set(bridge.get('name'), bridge.get('ports').length); // string, and rows of Port
    }
    return counts;
  } finally {
    idl.close();
    loop.stop();
  }
}
