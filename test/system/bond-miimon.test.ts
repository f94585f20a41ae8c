/**
 * bond-detect-mode=miimon on real interfaces. veth has no MII registers: there the driver's word on
 * the link counts (ethtool). Registers are those of a shim in front of the C library.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { enabledMembers } from '../support/bond-traffic.js';
import { eventually, must } from '../support/command.js';
import { Lab } from '../support/lab.js';
import { projectRoot } from '../support/switch.js';

const INTERVAL_MS = 100;
const directory = mkdtempSync(join(tmpdir(), 'tapswitch-mii-'));
let lab: Lab;

beforeAll(async () => {
  const shim = join(directory, 'shim.so');
  const source = join(projectRoot, 'test', 'support', 'mii-shim.c');
  await must(['cc', '-shared', '-fPIC', '-O1', '-o', shim, source, '-ldl']);
  lab = await Lab.open();
  try {
    Object.assign(process.env, { LD_PRELOAD: shim, MII_LINKS: directory });
    await lab.sw.start();
  } finally {
    delete process.env.LD_PRELOAD;
    delete process.env.MII_LINKS;
  }
  await lab.addWire('vetha', 'vethb');
  await lab.addWire('vethx', 'vethy');
  await lab.sw.addBridge('br1');
  const settings = [
    'other_config:bond-detect-mode=miimon',
    `other_config:bond-miimon-interval=${INTERVAL_MS}`,
  ];
  await lab.sw.vsctl('add-bond', 'br1', 'bond1', 'vetha', 'vethx', ...settings);
  await becomes('vetha', 'vethx');
}, 90_000);

afterAll(async () => {
  await lab?.close();
  rmSync(directory, { recursive: true, force: true });
});

async function becomes(...members: string[]): Promise<void> {
  const enabled = async () => enabledMembers(await lab.sw.appctl('bond/show', 'bond1')).join();
  await eventually(`members ${members} to be enabled`, async () => {
    return (await enabled()) === members.join();
  });
}

async function why(member: string): Promise<string> {
  const [bond] = JSON.parse(await lab.sw.appctl('bond/status', 'bond1'));
  return bond.members.find(({ name }: { name: string }) => name === member).why;
}

it('follows the driver of an interface without MII registers', async () => {
  await lab.namespace.ip('link', 'set', 'vethb', 'down');
  await becomes('vethx');
  expect(await why('vetha')).toBe('link is down (miimon)');
  await lab.namespace.ip('link', 'set', 'vethb', 'up');
  await becomes('vetha', 'vethx');
});

it('believes the registers more than the carrier', async () => {
  writeFileSync(join(directory, 'vetha'), 'down');
  await becomes('vethx');
  expect(await why('vetha')).toBe('link is down (miimon)');
  writeFileSync(join(directory, 'vetha'), 'up');
  await becomes('vetha', 'vethx');
  // A link that is down while its registers say that it is up.
  await lab.namespace.ip('link', 'set', 'vethy', 'down');
  await becomes('vetha');
  writeFileSync(join(directory, 'vethx'), 'up');
  await becomes('vetha', 'vethx');
  // Registers that cannot be read: the driver again.
  writeFileSync(join(directory, 'vethx'), 'broken');
  await becomes('vetha');
});

it('goes back to the carrier when told to', async () => {
  await lab.sw.vsctl('set', 'port', 'bond1', 'other_config:bond-detect-mode=carrier');
  await lab.namespace.ip('link', 'set', 'vethy', 'up');
  writeFileSync(join(directory, 'vetha'), 'down');
  await becomes('vetha', 'vethx');
});
