/** Memory of packet sockets, shared among however many there are. */
import { expect, it } from 'vitest';
import { QueueBudget } from '../../../src/netdev/queue-budget.js';

function budget() {
  const bounds = new Map<number, number>();
  const native = { setReceiveBuffer: (fd: number, bytes: number) => void bounds.set(fd, bytes) };
  return { budget: new QueueBudget(native), bounds };
}

it('gives few sockets all they can use, and many a fair share of the whole', () => {
  const { budget: shared, bounds } = budget();
  for (let fd = 0; fd < 48; fd++) shared.join(fd);
  expect(new Set(bounds.values())).toEqual(new Set([8 << 20]));
  for (let fd = 48; fd < 200; fd++) shared.join(fd);
  const total = [...bounds.values()].reduce((sum, bytes) => sum + bytes, 0);
  expect(total).toBeLessThanOrEqual(384 << 20);
  for (let fd = 10; fd < 200; fd++) shared.leave(fd);
  expect(bounds.get(0)).toBe(8 << 20);
});

it('makes rings shorter once there are hundreds', () => {
  const { budget: shared } = budget();
  for (let fd = 0; fd < 255; fd++) shared.join(fd);
  expect(shared.ringSlots(1024)).toBe(1024);
  shared.join(255);
  expect(shared.ringSlots(1024)).toBe(256);
  shared.leave(255);
  expect(shared.ringSlots(1024)).toBe(1024);
});
