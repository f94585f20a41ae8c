/**
 * What holds of the binding whether or not the addon is built; with it, calls that need no root.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { loadNative, nativeAvailable } from '../../../src/native/binding.js';

const ADDON = new URL('../../../native-bindings/build/Release/tapswitch.node', import.meta.url)
  .pathname;

describe('loadNative', () => {
  it('gives the addon, or an error that says what to do', () => {
    if (nativeAvailable()) {
      expect(loadNative()).toBe(loadNative());
    } else {
      expect(() => loadNative()).toThrow(
        expect.objectContaining({
          code: 'E_ADDON_MISSING',
          hint: expect.stringContaining('build:native'),
        }),
      );
    }
  });
});

describe.runIf(nativeAvailable())('the addon', () => {
  const native = loadNative;

  it('reserves an arena of zeros, within 2 GiB', () => {
    const arena = native().arenaCreate(1 << 30);
    const bytes = new Uint8Array(arena);
    expect(bytes.length).toBe(1 << 30);
    expect([bytes[0], bytes[bytes.length - 1]]).toEqual([0, 0]);
    expect(() => native().arenaCreate(2 ** 31)).toThrow(RangeError);
    expect(() => native().arenaCreate(1000)).toThrow(RangeError);
    expect(() => native().ringUnmap(arena, 1 << 29, 1 << 30)).toThrow(RangeError);
    expect(() => native().ringUnmap(arena, 100, 4096)).toThrow(RangeError);
    expect(() => native().ringMap(-1, arena, 0, 4096)).toThrow(/EBADF.*mmap/);
    // The place of the ring that did not come to be is readable still.
    bytes[5] = 1;
    expect(bytes[5]).toBe(1);
  });

  it('waits on eventfds, in microseconds, and tells their tags', () => {
    const [offsets, lengths, ready] = [4, 4, 4].map((n) => new Int32Array(n));
    const io = new (native().PacketIo)({
      arena: native().arenaCreate(65536),
      offsets,
      lengths,
      ready,
    });
    const fds = [native().eventfd(), native().eventfd()];
    for (const [i, fd] of fds.entries()) io.watch(fd, 10 + i);
    expect(io.wait(0)).toBe(0);
    const start = performance.now();
    expect(io.wait(20_000)).toBe(0);
    expect(performance.now() - start).toBeGreaterThan(18);
    native().eventfdWrite(fds[1]);
    native().eventfdWrite(fds[1]);
    expect(io.wait(-1)).toBe(1);
    expect(ready[0]).toBe(11);
    expect(native().eventfdDrain(fds[1])).toBe(true);
    expect(native().eventfdDrain(fds[1])).toBe(false);
    io.unwatch(fds[1]);
    io.unwatch(fds[1]);
    native().eventfdWrite(fds[1]);
    expect(io.wait(0)).toBe(0);
    for (const fd of fds) native().close(fd);
    io.close();
    io.close();
    expect(io.send(1, 0, 1)).toBe(-22);
  });

  it('returns -errno from the packet path, whatever it is given', () => {
    const offsets = new Int32Array([100, 5, 2 ** 30, -1]);
    const lengths = new Int32Array([60, 60, 60, -5]);
    const io = new (native().PacketIo)({
      arena: native().arenaCreate(65536),
      offsets,
      lengths,
      ready: new Int32Array(1),
    });
    expect(io.send(-1, 0, 1)).toBe(-9);
    expect(io.tapWrite(-1, 0, 1)).toBe(-9);
    for (const start of [1, 2, 3]) {
      expect(io.send(-1, start, 1)).toBe(-14);
      expect(io.tapWrite(-1, start, 1)).toBe(-14);
    }
    expect(io.send(-1, 0, 5)).toBe(-22);
    expect(io.send(-1, -1, 1)).toBe(-22);
    expect(io.send(-1, 2 ** 31 - 1, 2 ** 31 - 1)).toBe(-22);
    expect(io.tapRead(-1, 0, 65536, 64, 4, 0)).toBe(0); // no room for a whole frame
    expect(io.tapRead(-1, 0, 65536, 64, 5, 0)).toBe(-22);
    expect(io.recvCopy(-1, 100, 65536)).toBe(-14);
    expect(io.recvCopy(-1, 100, 1000)).toBe(-9);
    io.close();
  });

  it('tells errors as Node does', () => {
    expect(() => native().close(-1)).toThrow(
      expect.objectContaining({ code: 'EBADF', errno: -9, syscall: 'close' }),
    );
    expect(() => native().setns('/nonexistent')).toThrow(/ENOENT.*open/);
    expect(() => native().ethtoolInfo('x'.repeat(16))).toThrow(/ENODEV/);
  });

  it('locks a file as fcntl does, and tells another who holds it', () => {
    const folder = mkdtempSync(join(tmpdir(), 'tapswitch-lock-'));
    const path = join(folder, 'pid');
    const fd = openSync(path, 'w');
    expect(native().fcntlLock(fd)).toBe(0);
    expect(native().fcntlLock(fd)).toBe(0);
    const script = `
      const native = require(process.argv[1]);
      console.log(native.fcntlLock(require('node:fs').openSync(process.argv[2], 'r+')));
    `;
    const holder = () =>
      Number(execFileSync(process.execPath, ['-e', script, ADDON, path], { encoding: 'utf8' }));
    expect(holder()).toBe(process.pid);
    closeSync(fd);
    expect(holder()).toBe(0);
    rmSync(folder, { recursive: true });
  });

  it('knows CPUs and threads', () => {
    const cpus = native().getAffinity();
    expect(cpus.length).toBeGreaterThan(0);
    native().setAffinity(cpus);
    expect(native().getAffinity()).toEqual(cpus);
    expect(() => native().setAffinity([-1])).toThrow(RangeError);
    expect(native().gettid()).toBeGreaterThan(0);
    const before = native().threadCpuTimeUs();
    for (let i = 0, x = 0; i < 1e6; i++) x += Math.sqrt(x + i);
    expect(native().threadCpuTimeUs()).toBeGreaterThan(before);
  });

  it('calls back when a descriptor becomes readable', async () => {
    const fd = native().eventfd();
    await new Promise<void>((resolve) => {
      const watcher = native().watchFd(fd, () => {
        native().eventfdDrain(fd);
        watcher.close();
        watcher.close();
        resolve();
      });
      native().eventfdWrite(fd);
    });
    native().close(fd);
    expect(() => native().watchFd(-1, () => {})).toThrow(/EBADF/);
  });

  it('is loaded by many workers, which end with their watchers and arenas open', async () => {
    const script = `
      const native = require(${JSON.stringify(ADDON)});
      const arena = native.arenaCreate(1 << 20);
      globalThis.kept = [
        native.watchFd(native.eventfd(), () => {}),
        new native.PacketIo({ arena, offsets: new Int32Array(4), lengths: new Int32Array(4),
          ready: new Int32Array(4) }),
      ];
      native.setThreadName('tapswitch-test-worker');
      require('node:worker_threads').parentPort.postMessage(native.gettid());
    `;
    const tids: number[] = [];
    for (let i = 0; i < 6; i++) {
      const worker = new Worker(script, { eval: true });
      tids.push(await new Promise<number>((resolve) => worker.once('message', resolve)));
      await worker.terminate();
    }
    expect(tids.length).toBe(6);
    expect(tids).not.toContain(native().gettid());
  });
});
