/**
 * A hundred bridges in one transaction: whoever asks meanwhile gets answers, packets pass, and
 * vsctl returns when all is in force.
 *
 *     h1 -- p1 [br0] p2 -- h2
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../support/command.js';
import { type Host, Lab } from '../support/lab.js';
import { userspaceBridge } from '../support/switch.js';

const BRIDGES = Array.from({ length: 100 }, (_unused, n) => `many${n}`);

let lab: Lab;
let h1: Host;

beforeAll(async () => {
  lab = await Lab.start();
  h1 = await lab.addHost('h1', { port: 'p1', addresses: ['10.8.0.1/24'] });
  await lab.addHost('h2', { port: 'p2', addresses: ['10.8.0.2/24'] });
  await lab.sw.addBridge('br0');
  await lab.sw.vsctl('add-port', 'br0', 'p1', '--', 'add-port', 'br0', 'p2');
  await eventually('the ping to pass', async () => (await h1.ping('10.8.0.2', 1)) === 1, 15_000);
}, 60_000);

afterAll(() => lab?.close());

/** Runs vsctl. @returns how many bridges there were, each time that somebody asked meanwhile */
async function watched(commands: string[][]): Promise<{ seen: number[]; after: number }> {
  const argv = commands.flatMap((command) => ['--', ...command]).slice(1);
  const seen: number[] = [];
  const count = async () => (await lab.sw.appctl('ofproto/list')).trim().split('\n').length;
  let running = true;
  const vsctl = lab.sw.vsctl('--timeout=100', ...argv).finally(() => {
    running = false;
  });
  while (running) seen.push(await count());
  await vsctl;
  return { seen, after: await count() };
}

it('comes about while others are served', async () => {
  const { seen, after } = await watched(
    BRIDGES.map((name) => ['add-br', name, ...userspaceBridge(name)]),
  );
  expect(after).toBe(BRIDGES.length + 1);
  expect(seen.filter((n) => n > 1 && n < after).length).toBeGreaterThan(0);
  expect(await h1.ping('10.8.0.2', 5)).toBe(5);
}, 120_000);

it('goes in turns, too', async () => {
  const { seen, after } = await watched(BRIDGES.map((name) => ['del-br', name]));
  expect(after).toBe(1);
  expect(seen.filter((n) => n > 1 && n < BRIDGES.length + 1).length).toBeGreaterThan(0);
  expect(await h1.ping('10.8.0.2', 5)).toBe(5);
  expect((await lab.namespace.links()).filter((name) => name.startsWith('many'))).toEqual([]);
}, 120_000);
