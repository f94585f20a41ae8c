/**
 * What two hundred ports cost: memory within 1 GiB, and no CPU while nothing happens. The figures
 * are printed.
 */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually, sleep } from '../support/command.js';
import { type Host, Lab } from '../support/lab.js';

const PORTS = 200;
const GIB = 2 ** 30;
const TICKS_PER_SECOND = 100; // USER_HZ, on every architecture of Linux that Node.js runs on

let lab: Lab;
let h1: Host;
let availableBefore: number;

beforeAll(async () => {
  lab = await Lab.open();
  const pairs = Array.from({ length: PORTS }, (_unused, index) => `v${index}`);
  const script = pairs.flatMap((name) => [
    `link add ${name} type veth peer name ${name}p`,
    `link set ${name} up`,
    `link set ${name}p up`,
  ]);
  const batch = ['ip', '-batch', '-'];
  await lab.namespace.must(batch, { input: script.join('\n'), timeoutMs: 60_000 });
  h1 = await lab.addHost('h1', { port: 'p1', addresses: ['10.6.0.1/24'] });
  await lab.addHost('h2', { port: 'p2', addresses: ['10.6.0.2/24'] });
  availableBefore = memoryAvailable();
  await lab.sw.start();
  await lab.sw.addBridge('br0');
  const all = ['p1', 'p2', ...pairs].flatMap((name) => ['--', 'add-port', 'br0', name]);
  await lab.sw.vsctl('--no-wait', ...all.slice(1));
  await eventually('the last port', async () => (await lab.sw.ofport(`v${PORTS - 1}`)) > 0, 60_000);
  await eventually('the ping to pass', async () => (await h1.ping('10.6.0.2', 1)) === 1, 20_000);
}, 150_000);

afterAll(() => lab?.close());

function memoryAvailable(): number {
  const text = readFileSync('/proc/meminfo', 'utf8');
  return Number(text.match(/MemAvailable: +(\d+) kB/)?.[1]) * 1024;
}

function residentBytes(pid: number): number {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(text.match(/VmRSS:\s+(\d+) kB/)?.[1]) * 1024;
}

/** CPU seconds (user and system) that a process has used, all threads. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

it('two hundred ports fit in 1 GiB', () => {
  const resident = residentBytes(lab.sw.pid);
  const used = availableBefore - memoryAvailable();
  const mib = (bytes: number) => Math.round(bytes / 2 ** 20);
  console.log(`${PORTS} ports: ${mib(resident)} MiB resident, ${mib(used)} MiB less available`);
  expect(resident).toBeGreaterThan(0);
  expect(resident).toBeLessThan(GIB);
  expect(used).toBeLessThan(GIB);
});

it('forwards with all of them', async () => {
  expect(await h1.ping('10.6.0.2', 5)).toBe(5);
  const ports = (await lab.sw.vsctl('list-ports', 'br0')).trim().split('\n');
  expect(ports).toHaveLength(PORTS + 2);
});

it('uses no CPU while idle', async () => {
  await sleep(6000); // statistics, flows and learning of the start settle
  const before = cpuSeconds(lab.sw.pid);
  const seconds = 5;
  await sleep(seconds * 1000);
  const percent = ((cpuSeconds(lab.sw.pid) - before) / seconds) * 100;
  console.log(`idle with ${PORTS} ports: ${percent.toFixed(2)} % of a CPU`);
  expect(percent).toBeLessThan(2);
});
