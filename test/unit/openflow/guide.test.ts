/** The controller in docs/guide-controller.md is what it says: short, and it works. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it, vi } from 'vitest';
import type { OfMessage } from '../../../src/openflow/messages.js';
import { OfConnection } from '../../../src/openflow/vconn.js';

const ROOT = new URL('../../../', import.meta.url);

interface Example {
  serve(port: number, onSwitch: (patch: { strangers: number }) => void): Server;
}

it('the example has under 60 lines and drives a switch', async () => {
  const guide = readFileSync(new URL('docs/guide-controller.md', ROOT), 'utf8');
  const code = /```ts\n([\s\S]*?)```/.exec(guide)?.[1] ?? '';
  expect(code.split('\n').length).toBeLessThan(60);
  const library = new URL('src/openflow/index.ts', ROOT).href;
  const dir = mkdtempSync(join(tmpdir(), 'tapswitch-guide-'));
  const file = join(dir, 'example.ts');
  writeFileSync(file, code.replace("'tapswitch/openflow'", `'${library}'`));
  const said = vi.spyOn(console, 'log').mockImplementation(() => {});
  const example = (await import(pathToFileURL(file).href)) as Example;
  const got: OfMessage[] = [];
  let patch: { strangers: number } | null = null;
  const server = example.serve(0, (ready) => {
    patch = ready;
  });
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  const sw: OfConnection = new OfConnection(connect(port, '127.0.0.1'), {
    versions: [1, 4],
    onMessage: (msg, xid) => {
      got.push(msg);
      if (msg.type === 'barrier_request') sw.send({ type: 'barrier_reply' }, xid);
      if (msg.type === 'features_request') {
        const empty = { nBuffers: 0, nTables: 254, auxiliaryId: 0, capabilities: 0, actions: 0 };
        sw.send({ type: 'features_reply', datapathId: 7n, ...empty, ports: [] }, xid);
      }
    },
  });
  await expect.poll(() => patch).not.toBeNull();
  expect(got.map((msg) => msg.type)).toEqual([
    ...['flow_mod', 'flow_mod', 'flow_mod', 'barrier_request', 'features_request'],
  ]);
  expect(said).toHaveBeenCalledWith('switch 7 is ready');
  sw.close();
  server.close();
  said.mockRestore();
  rmSync(dir, { recursive: true });
});
