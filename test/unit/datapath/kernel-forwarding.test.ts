/** Ports that the kernel forwards from and to, against a kernel that the test plays. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import {
  type KernelDevice,
  KernelForwarding,
} from '../../../src/datapath/kernel-cache/kernel-forwarding.js';
import type { NativeBinding } from '../../../src/native/binding.js';

/** A table of the right size, and programs that nothing runs. */
function playedKernel(): NativeBinding {
  let fd = 100;
  const native: Partial<NativeBinding> = {
    bpfMapCreate: () => fd++,
    bpfMapMemory: (_, bytes) => new ArrayBuffer(bytes),
    bpfProgLoad: () => fd++,
    close: () => undefined,
  };
  return native as NativeBinding;
}

const feed = { look: () => {}, rest: () => {}, idleSeen: () => [], consumed: () => [] };
const A = Uint8Array.of(2, 0, 0, 0, 0, 0xa);
const B = Uint8Array.of(2, 0, 0, 0, 0, 0xb);

let host: Uint8Array | null;
let changed: () => void;
let forwarding: KernelForwarding;

const device: KernelDevice = {
  dpifType: 'system',
  ifindex: () => 7,
  mtu: () => 1500,
  adminUp: () => true,
  onEvent(callback) {
    changed = () => callback('change');
    return () => {};
  },
  setKernelPrograms: () => {},
  hostAddress: () => host,
};

beforeEach(() => {
  vi.useFakeTimers();
  host = null;
  forwarding = new KernelForwarding(
    playedKernel(),
    () => 0,
    async () => {},
    feed,
  );
  forwarding.running = true;
});

afterEach(() => {
  forwarding.close();
  vi.useRealTimers();
});

it('follows the address of a host that came after the port', () => {
  const told = vi.spyOn(forwarding.cache, 'portAdd');
  forwarding.portAdd({ portNo: 1, name: 'p1', type: 'system' }, device, 1);
  expect(told).toHaveBeenLastCalledWith(1, expect.objectContaining({ host: null }));
  // The other end went to a namespace of its own, which its device tells.
  host = A;
  changed();
  expect(told).toHaveBeenLastCalledWith(1, expect.objectContaining({ host: A }));
  // Nothing tells of another address there.
  host = B;
  vi.advanceTimersByTime(2000);
  expect(told).toHaveBeenLastCalledWith(1, expect.objectContaining({ host: B }));
});

it('has no timer left once it is closed', () => {
  host = A;
  forwarding.portAdd({ portNo: 1, name: 'p1', type: 'system' }, device, 1);
  expect(vi.getTimerCount()).toBe(1);
  forwarding.close();
  expect(vi.getTimerCount()).toBe(0);
});
