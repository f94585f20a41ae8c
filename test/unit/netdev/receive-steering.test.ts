/** Receive packet steering: masks, and what becomes of sysfs's files. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { formatCpuMask, ReceiveSteering } from '../../../src/netdev/receive-steering.js';

let root: string;
const queue = (n: number) => join(root, 'eth0', 'queues', `rx-${n}`, 'rps_cpus');

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'tapswitch-steering-'));
  for (const name of ['rx-0', 'rx-1', 'tx-0']) {
    mkdirSync(join(root, 'eth0', 'queues', name), { recursive: true });
  }
  writeFileSync(join(root, 'eth0', 'ifindex'), '7\n');
  writeFileSync(queue(0), '0\n');
  writeFileSync(queue(1), '4\n');
});

afterEach(() => rmSync(root, { recursive: true }));

it('writes masks as sysfs has them', () => {
  expect(formatCpuMask([0, 1])).toBe('00000003');
  expect(formatCpuMask([31])).toBe('80000000');
  expect(formatCpuMask([0, 33, 64])).toBe('00000001,00000002,00000001');
});

it('sets every receive queue, and puts back what was there', () => {
  const steering = new ReceiveSteering('eth0', 7, root);
  steering.set([1]);
  steering.set([0, 1]);
  expect([0, 1].map((n) => readFileSync(queue(n), 'latin1'))).toEqual(['00000003', '00000003']);
  steering.set(null);
  expect([0, 1].map((n) => readFileSync(queue(n), 'latin1'))).toEqual(['0', '4']);
});

it('leaves an interface of another network namespace alone', () => {
  const steering = new ReceiveSteering('eth0', 8, root);
  expect(() => steering.set([1])).toThrow('another network namespace');
  expect(readFileSync(queue(0), 'latin1')).toBe('0\n');
});
