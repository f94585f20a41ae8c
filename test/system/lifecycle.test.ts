/**
 * The daemon's life: what stays behind after SIGTERM and kill -9 (nothing that matters), interfaces
 * that vanish and return, and a second daemon on the same directory.
 *
 *     h1 -- p1 [br0] p2 -- h2         10.2.0.1, 10.2.0.2; br0 itself: 10.2.0.9
 */
import { readdirSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { eventually } from '../support/command.js';
import { type Host, Lab } from '../support/lab.js';
import { isTapswitch, type Switch, tapswitchBin } from '../support/switch.js';

let lab: Lab;
let sw: Switch;
let h1: Host;

beforeEach(async () => {
  lab = await Lab.start();
  sw = lab.sw;
  h1 = await lab.addHost('h1', { port: 'p1', addresses: ['10.2.0.1/24'] });
  await lab.addHost('h2', { port: 'p2', addresses: ['10.2.0.2/24'] });
  await sw.addBridge('br0');
  await sw.vsctl('add-port', 'br0', 'p1', '--', 'add-port', 'br0', 'p2');
  await forwards();
});

afterEach(() => lab?.close());

async function forwards(): Promise<void> {
  await eventually('the ping to pass', async () => (await h1.ping('10.2.0.2', 1)) === 1, 15_000);
  expect(await h1.ping('10.2.0.2', 3)).toBe(3);
}

async function promiscuity(device: string): Promise<number> {
  const [link] = JSON.parse(await lab.namespace.ip('-d', '-j', 'link', 'show', 'dev', device));
  return link.promiscuity;
}

it('leaves nothing behind on SIGTERM', async () => {
  expect(await lab.namespace.links()).toContain('br0');
  expect(await promiscuity('p1')).toBe(1);

  expect(await sw.stop()).toBe(0);

  expect(await lab.namespace.links()).toEqual(['p1', 'p2']);
  expect(await promiscuity('p1')).toBe(0);
  expect(await lab.namespace.must(['tc', 'qdisc', 'show', 'dev', 'p1'])).not.toContain('clsact');
  const left = readdirSync(sw.directory).filter((name) =>
    /\.(pid|ctl|sock|mgmt|snoop)$/.test(name),
  );
  expect(left).toEqual([]);
});

it('has its configuration back after SIGTERM and a new start', async () => {
  await sw.stop();
  await sw.start();
  expect((await sw.vsctl('list-ports', 'br0')).split('\n').sort()).toEqual(['', 'p1', 'p2']);
  await forwards();
});

it('starts again after kill -9, and forwards as before', async () => {
  await lab.namespace.ip('addr', 'add', '10.2.0.9/24', 'dev', 'br0');
  await lab.namespace.ip('link', 'set', 'br0', 'up');
  expect(await h1.ping('10.2.0.9', 2)).toBe(2);

  await sw.kill();
  await sw.start();

  await forwards();
  await lab.namespace.ip('addr', 'replace', '10.2.0.9/24', 'dev', 'br0');
  await lab.namespace.ip('link', 'set', 'br0', 'up');
  const internal = async () => (await h1.ping('10.2.0.9', 1)) === 1;
  await eventually('the internal port to answer', internal);
});

// Open vSwitch does this with its kernel datapath; its userspace datapath keeps the dead port.
it.runIf(isTapswitch)('takes up again an interface that vanished and returned', async () => {
  const h3 = await lab.addHost('h3', { port: 'p3', addresses: ['10.2.0.3/24'] });
  await sw.vsctl('add-port', 'br0', 'p3');
  await eventually('h3', async () => (await h1.ping('10.2.0.3', 1)) === 1);

  await lab.namespace.ip('link', 'del', 'p3');
  const error = async () => (await sw.vsctl('get', 'Interface', 'p3', 'error')).trim();
  const noted = async () =>
    (await error()) === '"could not open network device p3 (No such device)"';
  await eventually('the error on its row', noted, 10_000);
  expect(await sw.ofport('p3')).toBe(-1);
  await forwards();

  const peer = ['peer', 'name', 'eth0', 'netns', h3.namespace.name];
  await lab.namespace.ip('link', 'add', 'p3', 'type', 'veth', ...peer);
  await lab.namespace.ip('link', 'set', 'p3', 'up');
  await h3.namespace.ip('addr', 'add', '10.2.0.3/24', 'dev', 'eth0');
  await h3.namespace.ip('link', 'set', 'eth0', 'up');
  const back = async () => {
    await h1.namespace.ip('neigh', 'flush', 'all'); // the new interface has another address
    return (await h1.ping('10.2.0.3', 1)) === 1;
  };
  await eventually('h3 to be back', back);
  expect(await error()).toBe('[]');
  expect(await sw.ofport('p3')).toBeGreaterThan(0);
});

it('starts with a port whose interface is not there yet', async () => {
  await sw.try('vsctl', '--timeout=15', 'add-port', 'br0', 'later');
  expect(await sw.vsctl('get', 'Interface', 'later', 'error')).toMatch(/No such device/);
  await sw.stop();
  await sw.start();
  await forwards();
  const h4 = await lab.addHost('h4', { port: 'later', addresses: ['10.2.0.4/24'] });
  await eventually('h4', async () => (await h4.ping('10.2.0.1', 1)) === 1);
});

it.runIf(isTapswitch)('refuses a second daemon on the same directory', async () => {
  const argv = [tapswitchBin, 'start'];
  const second = await lab.namespace.run(argv, { env: sw.environment, timeoutMs: 15_000 });
  expect(second.status).toBe(1);
  expect(second.stderr).toMatch(/already running/);
  expect(second.stderr).toContain(`${sw.pid}`);
  expect(second.stderr).not.toMatch(/\n +at /);
  expect(sw.running).toBe(true);
  expect(await sw.vsctl('list-br')).toBe('br0\n');
  await forwards();
});

it.runIf(isTapswitch)('ends in good order on appctl exit', async () => {
  await sw.appctl('exit');
  await eventually('the daemon to end', () => !sw.running, 10_000);
  expect(await lab.namespace.links()).toEqual(['p1', 'p2']);
});
