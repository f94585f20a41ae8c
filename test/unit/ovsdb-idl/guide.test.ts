/** The example of docs/guide-ovsdb.md is what is run here. */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { WarpClock } from '../../../src/common/clock.js';
import { Database, OvsdbServer, openVSwitchSchema } from '../../../src/ovsdb/index.js';
import { addBridge } from '../../support/ovsdb-example.js';

const ROOT = path.resolve(import.meta.dirname, '../../..');

test('the example adds a bridge and reads typed rows', async () => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'ovsdb-guide-'));
  const database = new Database(openVSwitchSchema());
  database.execute([{ op: 'insert', table: 'Open_vSwitch', row: {} }]);
  const server = new OvsdbServer({ databases: [database], clock: new WarpClock() });
  try {
    const socket = path.join(directory, 'db.sock');
    await server.listenUnix(socket);
    expect(await addBridge(`unix:${socket}`, 'br0')).toEqual(new Map([['br0', 1]]));
    await expect(addBridge(`unix:${socket}`, 'br0')).rejects.toThrow('constraint violation');
  } finally {
    await server.close();
    fs.rmSync(directory, { recursive: true });
  }
});

test('the guide shows the same example', () => {
  const example = fs.readFileSync(path.join(ROOT, 'test/support/ovsdb-example.ts'), 'utf8');
  const shown = example
    .replace(/^\/\*\* The example.*\n/, '')
    .replace('../../src/index.js', 'tapswitch')
    .replace('../../src/ovsdb/index.js', 'tapswitch/ovsdb');
  const guide = fs.readFileSync(path.join(ROOT, 'docs/guide-ovsdb.md'), 'utf8');
  expect(guide).toContain(`\`\`\`ts\n${shown}\`\`\``);
});
