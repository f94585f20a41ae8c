/** BRIDGE.snoop: copies of what a controller and the bridge say to each other. */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { decodeMessage } from '../../../src/openflow/codec/index.js';
import { OfConnection } from '../../../src/openflow/vconn.js';
import { TestSwitch } from './support/bridge.js';

let dir: string;
let sw: TestSwitch;
const undo: (() => void)[] = [];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tapswitch-snoop-'));
  sw = new TestSwitch(true);
});

afterEach(() => {
  for (const step of undo.splice(0).reverse()) step();
  sw.backer.close();
  rmSync(dir, { recursive: true });
});

function snooper(seen: string[]): Promise<'closed' | 'open'> {
  return new Promise((resolve) => {
    const connection = new OfConnection(connect(join(dir, 'br0.snoop')), {
      versions: [1],
      onOpen: () => resolve('open'),
      onFrame: (frame) => seen.push(decodeMessage(0, frame).msg?.type ?? 'bad'),
      onClose: () => resolve('closed'),
    });
    undo.push(() => connection.close());
  });
}

it('passes both directions on, and refuses where no controller is configured', async () => {
  const br = sw.bridge('br0');
  await br.listenMgmt(join(dir, 'br0.mgmt'));
  expect(await snooper([])).toBe('closed');
  const path = join(dir, 'controller');
  const controller = await new Promise<OfConnection>((resolve) => {
    const server = createServer((socket) => {
      const connection: OfConnection = new OfConnection(socket, {
        versions: [4],
        onOpen: () => resolve(connection),
      });
      undo.push(() => connection.close());
    });
    undo.push(() => server.close());
    server.listen(path, () => {
      br.setControllers([
        {
          ...{ target: `unix:${path}`, connectionMode: 'out-of-band' },
          ...{ maxBackoffMs: 1000, inactivityProbeMs: 5000 },
        },
      ]);
      sw.settle();
    });
  });
  await controller.request({ type: 'barrier_request' });
  const seen: string[] = [];
  expect(await snooper(seen)).toBe('open');
  await controller.request({ type: 'features_request' });
  await controller.request({ type: 'barrier_request' });
  const wanted = ['features_request', 'features_reply', 'barrier_request', 'barrier_reply'];
  await expect.poll(() => seen.filter((type) => type !== 'hello')).toEqual(wanted);
});

it('waits for a controller that is not there yet, and hears it whenever it comes', async () => {
  const br = sw.bridge('br0');
  await br.listenMgmt(join(dir, 'br0.mgmt'));
  const path = join(dir, 'controller');
  const server = createServer();
  undo.push(() => server.close());
  const settings = {
    ...{ target: `unix:${path}`, connectionMode: 'out-of-band' as const },
    ...{ maxBackoffMs: 1000, inactivityProbeMs: 5000 },
  };
  br.setControllers([settings]);
  sw.settle();
  const seen: string[] = [];
  expect(await snooper(seen)).toBe('open');
  for (const times of [1, 2]) {
    const controller = await new Promise<OfConnection>((resolve) => {
      server.once('connection', (socket) => {
        const connection: OfConnection = new OfConnection(socket, {
          versions: [4],
          onOpen: () => resolve(connection),
        });
        undo.push(() => connection.close());
      });
      const dial = (): void => {
        sw.clock.advance(2000);
        sw.settle();
      };
      if (times === 1) server.listen(path, dial);
      else dial();
    });
    await controller.request({ type: 'features_request' });
    await expect.poll(() => seen.filter((type) => type === 'features_reply')).toHaveLength(times);
    controller.close();
    await expect.poll(() => br.connmgr.controllerStatus()[0].connected).toBe(false);
  }
  br.setControllers([]);
});
