/** Ports are opened anew one by one, with turns for others in between. */
import { expect, it } from 'vitest';
import { PortReopening } from '../../../src/datapath/port-reopening.js';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

it('opens one port a turn, each once, and tells when it is through', async () => {
  const log: string[] = [];
  const reopening = new PortReopening<string>((port) => log.push(port));
  reopening.whenDone(() => log.push('nothing waits'));
  for (const port of ['a', 'b', 'a', 'c']) reopening.add(port);
  reopening.whenDone(() => log.push('done'));
  expect(log).toEqual(['nothing waits']);
  await turn();
  expect(log.length).toBe(2);
  reopening.forget('b');
  await turn();
  await turn();
  expect(log).toEqual(['nothing waits', 'a', 'c', 'done']);
  expect(reopening.pending).toBe(false);
});

it('is through when the last one is forgotten, finished, or given up', async () => {
  const log: string[] = [];
  const reopening = new PortReopening<string>((port) => log.push(port));
  for (const end of [() => reopening.forget('a'), () => reopening.close()]) {
    reopening.add('a');
    reopening.whenDone(() => log.push('done'));
    end();
  }
  expect(log).toEqual(['done', 'done']);
  reopening.add('b');
  reopening.add('c');
  reopening.whenDone(() => log.push('done'));
  reopening.finish();
  await turn();
  expect(log.slice(2)).toEqual(['b', 'c', 'done']);
});
