/**
 * The same command lines through Debian's ovsdb-client and `tapswitch ovsdb`: the same text, the
 * same exit status.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { BackgroundProcess, eventually, type Finished, must, run } from '../support/command.js';
import { OvsdbServer } from '../support/ovsdb-server.js';
import { tapswitchBin } from '../support/switch.js';

const SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema';
let server: OvsdbServer;

beforeAll(async () => {
  server = await OvsdbServer.start();
  const add = ['add-br', 'br0', '--', 'add-port', 'br0', 'p1', '--', 'add-br', 'br1'];
  const set = ['--', 'set', 'Bridge', 'br0', 'external_ids:"a b"="c,d"', 'flood_vlans=3,1,2'];
  await must(['ovs-vsctl', '--no-wait', ...add, ...set], { env: server.env });
});

afterAll(() => server.stop());

const theirs = (...args: string[]): Promise<Finished> =>
  run(['ovsdb-client', ...args], { env: server.env });
const ours = (...args: string[]): Promise<Finished> =>
  run([tapswitchBin, 'ovsdb', ...args], { env: server.env });

const SELECT = '{"op":"select","table":"Bridge","where":[],"columns":["name"],"sort":["name"]}';

it.each([
  ['list-dbs'],
  ['get-schema'],
  ['get-schema', '_Server'],
  ['get-schema-version'],
  ['get-schema-cksum'],
  ['list-tables', '_Server'],
  ['dump'],
  ['dump', 'Bridge'],
  ['dump', 'Bridge', 'name', 'ports'],
  ['-f', 'csv', 'dump'],
  ['-f', 'json', 'dump', 'Bridge'],
  ['-f', 'html', 'dump', 'Bridge', 'name'],
  ['-f', 'list', 'dump', 'Open_vSwitch'],
  ['--data=bare', 'dump', 'Bridge', 'flood_vlans', 'external_ids'],
  ['--no-headings', 'dump', 'Bridge', 'name'],
  ['transact', `["Open_vSwitch",${SELECT}]`],
  ['transact', `["Open_vSwitch",${SELECT},{"op":"abort"}]`],
  ['transact', '["Nothing"]'],
  ['transact', '["Open_vSwitch",{"op":"nothing"}]'],
  ['query', `["Open_vSwitch",${SELECT}]`],
  ['needs-conversion', SCHEMA],
  ['dump', 'Nothing'],
  ['dump', 'Bridge', 'nothing'],
  ['nothing'],
  [],
  ['transact'],
  ['get-schema', 'a', 'b'],
  ['list-dbs', 'unix:/nowhere/db.sock'],
  ['-f', 'nothing', 'dump'],
])('%s %s %s %s', async (...args) => {
  const [a, b] = [await theirs(...args), await ours(...args)];
  expect(b.stdout).toBe(a.stdout);
  expect(b.stderr).toBe(a.stderr);
  expect(b.status).toBe(a.status);
});

it('shows what changes as it changes', async () => {
  const args = [
    '-f',
    'csv',
    'monitor',
    `${server.remote}`,
    'Open_vSwitch',
    'Bridge',
    'name,fail_mode',
  ];
  const watchers = [['ovsdb-client'], [tapswitchBin, 'ovsdb']].map((program) =>
    BackgroundProcess.start([...program, ...args], { env: server.env }),
  );
  await eventually('first contents', () => watchers.every(({ text }) => text.includes('br1')));
  for (const command of ['set Bridge br1 fail_mode=secure', 'del-br br1', 'add-br br1']) {
    await must(['ovs-vsctl', '--no-wait', ...command.split(' ')], { env: server.env });
  }
  await eventually('all changes', () => watchers.every(({ text }) => text.includes('insert')));
  for (const watcher of watchers) await watcher.stop();
  const [a, b] = watchers.map(({ output }) => output.stdout.split('\n').sort().join('\n'));
  expect(b).toBe(a);
});

it('gives back what was saved, and what Debian saved', async () => {
  const before = (await theirs('-f', 'csv', 'dump', 'Bridge', 'name', 'flood_vlans')).stdout;
  for (const program of [[tapswitchBin, 'ovsdb'], ['ovsdb-client']]) {
    const file = join(server.directory, 'saved');
    const save = [...program, 'backup', server.remote].join(' ');
    await must(['/bin/sh', '-c', `${save} > ${file}`], { env: server.env });
    expect(readFileSync(file, 'utf8')).toMatch(/^OVSDB JSON /);
    await must(['ovsdb-tool', 'show-log', file]);
    await must(['ovs-vsctl', '--no-wait', 'del-br', 'br0'], { env: server.env });
    const restore = [tapswitchBin, 'ovsdb', 'restore', server.remote].join(' ');
    await must(['/bin/sh', '-c', `${restore} < ${file}`], { env: server.env });
    const after = (await theirs('-f', 'csv', 'dump', 'Bridge', 'name', 'flood_vlans')).stdout;
    expect(after).toBe(before);
  }
  const damaged = join(server.directory, 'damaged');
  writeFileSync(damaged, `${readFileSync(join(server.directory, 'saved'), 'utf8')}OVSDB JSON`);
  const bad = await run(
    ['/bin/sh', '-c', `${tapswitchBin} ovsdb restore ${server.remote} < ${damaged}`],
    { env: server.env },
  );
  expect(bad.stderr).toContain('the backup is damaged');
});

it('waits for a database, and gives up in time', async () => {
  expect((await ours('wait', 'Open_vSwitch', 'added')).status).toBe(0);
  expect((await ours('wait', 'Open_vSwitch', 'connected')).status).toBe(0);
  expect((await ours('--timeout=1', 'wait', 'Open_vSwitch', 'removed')).status).toBe(142);
  expect((await ours('dmp')).stderr).toContain('did you mean "dump"?');
});
