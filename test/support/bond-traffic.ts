/** What bond tests do to a bond's links while pings pass, and what that costs. */
import { expect } from 'vitest';
import { sleep } from './command.js';
import type { Host } from './lab.js';
import type { Namespace } from './netns.js';
import { pingCounts } from './netns.js';

const PINGS = 300;

/**
 * Runs 300 pings, 10 ms apart, and does `during` after the first hundred.
 * @returns how many were lost
 */
export async function lostPings(
  host: Host,
  address: string,
  during: () => Promise<unknown>,
): Promise<number> {
  const argv = ['ping', '-n', '-i', '0.01', '-c', `${PINGS}`, '-W', '1', address];
  const ping = host.namespace.start(argv);
  await sleep(1000);
  await during();
  const counts = pingCounts((await ping.finished(30_000)).stdout);
  expect(counts.sent).toBe(PINGS);
  return counts.sent - counts.received;
}

/** Members of a bond that bond/show says are enabled, sorted. */
export function enabledMembers(bondShow: string): string[] {
  return [...bondShow.matchAll(/^member (\S+): enabled$/gm)].map((m) => m[1]).sort();
}

export interface FlapCost {
  down: number;
  up: number;
}

/** Takes a link down and brings it back, each under pings. */
export async function flap(
  wire: { namespace: Namespace; device: string },
  ping: { host: Host; address: string },
  recovered: () => Promise<unknown>,
): Promise<FlapCost> {
  const set = (state: string) => wire.namespace.ip('link', 'set', 'dev', wire.device, state);
  const down = await lostPings(ping.host, ping.address, () => set('down'));
  const up = await lostPings(ping.host, ping.address, () => set('up'));
  await recovered();
  return { down, up };
}
