/**
 * Database rows to wanted configuration: meanings, defaults, and what bad values turn into. The
 * rows come through a real server and replica, in memory.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WarpClock } from '../../../src/common/clock.js';
import { Database, Idl, OvsdbServer, openVSwitchSchema } from '../../../src/ovsdb/index.js';
import {
  readConfig,
  readDatapathSettings,
  readUdpifSettings,
} from '../../../src/vswitchd/read-config.js';

const clock = new WarpClock();
let database: Database;
let server: OvsdbServer;
let idl: Idl;
let warnings: string[];

beforeEach(async () => {
  warnings = [];
  database = new Database(openVSwitchSchema());
  database.execute([{ op: 'insert', table: 'Open_vSwitch', row: {} }]);
  server = new OvsdbServer({ databases: [database], clock });
  idl = new Idl({ remote: () => server.connectInProcess(), clock });
  await live();
});

afterEach(async () => {
  idl.close();
  await server.close();
});

/** Waits until the replica follows the server. */
async function live(): Promise<void> {
  idl.run(clock.now());
  while (!idl.live) {
    await idl.nextEvent();
    idl.run(clock.now());
  }
}

type Columns = Record<string, unknown>;

const named = (name: string): unknown => ['named-uuid', name];
const map = (entries: Record<string, string>): unknown => ['map', Object.entries(entries)];

/** Adds bridge br0 with one port of the given interfaces, and returns its configuration. */
async function configured(port: Columns, ifaces: Columns[], bridge: Columns = {}) {
  const seqno = idl.seqno;
  const names = ifaces.map((_, i) => `iface${i}`);
  const outcome = database.execute([
    ...ifaces.map((row, i) => ({
      op: 'insert',
      table: 'Interface',
      row,
      'uuid-name': names[i],
    })),
    {
      op: 'insert',
      table: 'Port',
      row: { name: 'p', interfaces: ['set', names.map(named)], ...port },
      'uuid-name': 'port',
    },
    {
      op: 'insert',
      table: 'Bridge',
      row: { name: 'br0', ports: named('port'), ...bridge },
      'uuid-name': 'bridge',
    },
    { op: 'update', table: 'Open_vSwitch', where: [], row: { bridges: named('bridge') } },
  ] as never);
  if (outcome.kind !== 'done') throw new Error('the transaction waits');
  const failed = outcome.results.find((r) => r !== null && typeof r === 'object' && 'error' in r);
  if (failed) throw new Error(JSON.stringify(failed));
  while (idl.seqno === seqno) await idl.nextEvent();
  const config = readConfig(idl, (message) => warnings.push(message));
  const br0 = config?.bridges[0];
  if (!br0) throw new Error('no bridge');
  const p = br0.ports.find(({ name }) => name === 'p');
  if (!p) throw new Error('no port');
  return { bridge: br0, port: p };
}

describe('ports', () => {
  it('are trunks of all VLANs without a bond by default', async () => {
    const { port } = await configured({}, [{ name: 'eth1' }]);
    expect(port.settings).toMatchObject({ vlanMode: 'trunk', tag: -1, trunks: null, bond: null });
    expect(port.ifaces).toMatchObject([{ name: 'eth1', type: 'system', ofportRequest: null }]);
    expect(warnings).toEqual([]);
  });

  it('with a tag are access ports, and say that trunks are ignored then', async () => {
    const { port } = await configured({ tag: 5, trunks: ['set', [1, 2]] }, [{ name: 'eth1' }]);
    expect(port.settings).toMatchObject({ vlanMode: 'access', tag: 5, trunks: null });
    expect(warnings).toEqual(['bridge br0: port p: ignoring trunks in favor of implicit vlan']);
  });

  it('keep native VLAN and trunks in the native modes', async () => {
    const row = { vlan_mode: 'native-untagged', tag: 7, trunks: ['set', [7, 8]] };
    const { port } = await configured(row, [{ name: 'eth1' }]);
    expect(port.settings).toMatchObject({ vlanMode: 'native-untagged', tag: 7 });
    expect(port.settings.trunks).toEqual(new Set([7, 8]));
  });

  it('of several interfaces are bonds with the documented defaults', async () => {
    const { port } = await configured({}, [{ name: 'eth2' }, { name: 'eth1' }]);
    expect(port.ifaces.map(({ name }) => name)).toEqual(['eth1', 'eth2']);
    expect(port.settings.bond).toMatchObject({
      mode: 'active-backup',
      updelayMs: 0,
      downdelayMs: 0,
      basis: 0,
      rebalanceIntervalMs: 10_000,
      primary: null,
    });
  });

  it('take bond settings, and bound the rebalance interval from below', async () => {
    const row = {
      bond_mode: 'balance-slb',
      bond_updelay: 100,
      other_config: map({ 'bond-rebalance-interval': '5', 'bond-primary': 'eth2' }),
    };
    const { port } = await configured(row, [{ name: 'eth1' }, { name: 'eth2' }]);
    expect(port.settings.bond).toMatchObject({
      mode: 'balance-slb',
      updelayMs: 100,
      rebalanceIntervalMs: 1000,
      primary: 'eth2',
    });
  });

  it('report a setting that is no number and use its default', async () => {
    const row = { other_config: map({ 'bond-hash-basis': 'many' }) };
    const { port } = await configured(row, [{ name: 'eth1' }, { name: 'eth2' }]);
    expect(port.settings.bond?.basis).toBe(0);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain("bond-hash-basis: 'many' is not a number from 0 to 4294967295");
  });
});

describe('bridges', () => {
  it('have a local port whether rows describe it or not', async () => {
    const { bridge } = await configured({}, [{ name: 'eth1' }]);
    const local = bridge.ports.find(({ name }) => name === 'br0');
    expect(local).toMatchObject({ uuid: null, ifaces: [{ name: 'br0', type: 'internal' }] });
  });

  it('take a datapath id of 16 digits, and leave another alone', async () => {
    const good = map({ 'datapath-id': '0000000000000abc' });
    const { bridge } = await configured({}, [{ name: 'eth1' }], { other_config: good });
    expect(bridge.datapathId).toBe(0xabcn);
    database.execute([
      {
        op: 'update',
        table: 'Bridge',
        where: [],
        row: { other_config: map({ 'datapath-id': 'abc' }) },
      },
    ] as never);
    await idl.nextEvent();
    const again = readConfig(idl, (message) => warnings.push(message));
    expect(again?.bridges[0].datapathId).toBeNull();
    expect(warnings).toEqual([]);
  });

  it('refuse a multicast hwaddr', async () => {
    const other = map({ hwaddr: '01:00:00:00:00:01' });
    const { bridge } = await configured({}, [{ name: 'eth1' }], { other_config: other });
    expect(bridge.hwaddr).toBeNull();
    expect(warnings[0]).toContain('is not a unicast MAC address');
  });

  it('read versions, ageing and flood VLANs', async () => {
    const { bridge } = await configured({}, [{ name: 'eth1' }], {
      protocols: ['set', ['OpenFlow10', 'OpenFlow13']],
      flood_vlans: ['set', [3]],
      fail_mode: 'secure',
      other_config: map({ 'mac-aging-time': '60', 'mac-table-size': '5' }),
    });
    expect(bridge).toMatchObject({ protocols: [1, 4], failMode: 'secure', macAgingSec: 60 });
    expect(bridge.floodVlans).toEqual(new Set([3]));
    // Below the least allowed size: the default, and a warning.
    expect(bridge.macTableSize).toBe(8192);
    expect(warnings[0]).toContain('mac-table-size');
  });
});

describe('settings of the daemon', () => {
  const warn = (message: string): void => void warnings.push(message);

  it('are Open vSwitch defaults when nothing is set', () => {
    expect(readUdpifSettings(new Map(), warn)).toMatchObject({ maxIdleMs: 10_000 });
    expect(readDatapathSettings(new Map(), warn)).toMatchObject({ vlanLimit: 1, pmdCpus: null });
  });

  it('read a CPU mask, and refuse one that is not hexadecimal', () => {
    const cpus = (mask: string) => readDatapathSettings(new Map([['pmd-cpu-mask', mask]]), warn);
    expect(cpus('0x6').pmdCpus).toEqual([1, 2]);
    expect(cpus('100000001').pmdCpus).toEqual([0, 32]);
    expect(cpus('0').pmdCpus).toBeNull();
    expect(warnings).toEqual([]);
    expect(cpus('all').pmdCpus).toBeNull();
    expect(warnings[0]).toContain("pmd-cpu-mask 'all' is not a hexadecimal mask");
  });
});
