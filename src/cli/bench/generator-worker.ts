/**
 * The traffic generator: a thread of its own, in the sender's namespace and on one CPU. It sends
 * bursts of UDP frames over and over, many in each system call, at a rate or as fast as the
 * interface takes them, and a probe with number and time now and then, until it is told to stop.
 *
 * `workerData` is a GeneratorOptions; 'sending' is posted once the first frames have left. What was
 * sent is counted in shared memory.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { loadNative, type NativeBinding, VNET_HDR_LEN } from '../../native/binding.js';
import { G_FRAMES, G_PROBES, G_REFUSED, type GeneratorOptions } from './generator-options.js';
import { buildBurst, buildProbe, burstFrames } from './udp-frame.js';

/** Bursts in a system call. */
const BATCH = 32;
/** Bursts lie whole cache lines apart. */
const ALIGNMENT = 64;
const PROBE_SLOT = 256;
/** Between two bursts of a generator that sleeps. */
const SLEEP_MS = 0.25;
const ENOBUFS = 105;
const EAGAIN = 11;

class Generator {
  private readonly io: InstanceType<NativeBinding['PacketIo']>;
  private readonly fd: number;
  private readonly count: number;
  /** Frames of each burst. */
  private readonly framesOf: Int32Array;
  private readonly probe: DataView;
  private readonly counters: Float64Array;
  private readonly stop: Int32Array;
  private at = 0;

  constructor(
    private readonly options: GeneratorOptions,
    private readonly native: NativeBinding,
  ) {
    const bursts = options.frameBytes.flatMap((bytes) => ({
      bytes,
      length: buildBurst(options, bytes, 0).length,
    }));
    const per = bursts.length;
    this.count = Math.max(BATCH * per, Math.ceil((options.flows * per) / BATCH) * BATCH);
    const stride = align(Math.max(...bursts.map(({ length }) => length)));
    const probeAt = this.count * stride;
    const arena = native.arenaCreate((probeAt + PROBE_SLOT + 4095) & -4096);
    const offsets = new Int32Array(this.count + 1);
    const lengths = new Int32Array(this.count + 1);
    this.framesOf = new Int32Array(this.count);
    for (let i = 0; i < this.count; i += 1) {
      const { bytes } = bursts[i % per];
      const burst = buildBurst(options, bytes, Math.floor(i / per) % options.flows);
      new Uint8Array(arena, i * stride, burst.length).set(burst);
      offsets[i] = i * stride + VNET_HDR_LEN;
      lengths[i] = burst.length - VNET_HDR_LEN;
      this.framesOf[i] = burstFrames(options, bytes);
    }
    const probe = buildProbe(options);
    new Uint8Array(arena, probeAt, probe.length).set(probe);
    offsets[this.count] = probeAt + VNET_HDR_LEN;
    lengths[this.count] = probe.length - VNET_HDR_LEN;
    this.probe = new DataView(arena, probeAt + probe.length - 16, 16);
    this.io = new native.PacketIo({ arena, offsets, lengths, ready: new Int32Array(1) });
    this.fd = options.tapFd >= 0 ? options.tapFd : openSocket(options, native);
    this.counters = new Float64Array(options.counters);
    this.stop = new Int32Array(options.stop);
  }

  run(): void {
    const { rate, frames, probes, sleeps } = this.options;
    const limit = frames === 0 ? Number.POSITIVE_INFINITY : frames;
    const start = performance.now();
    let nextProbe = probes === 0 ? Number.POSITIVE_INFINITY : start + 10;
    let sent = 0;
    while (Atomics.load(this.stop, 0) === 0) {
      const now = performance.now();
      if (now >= nextProbe) {
        this.sendProbe();
        // One that is late is not made up for: two at a time would queue behind each other.
        nextProbe = Math.max(nextProbe + 1000 / probes, now);
      }
      const due = rate === 0 ? limit : Math.min(limit, ((now - start) * rate) / 1000);
      if (sent >= due) {
        if (sleeps) Atomics.wait(this.stop, 0, 0, SLEEP_MS);
        continue;
      }
      sent += this.sendBursts(due - sent);
      if (this.counters[G_FRAMES] === 0 && sent > 0) parentPort?.postMessage('sending');
      this.counters[G_FRAMES] = sent;
    }
    if (this.options.tapFd < 0) this.native.close(this.fd);
    this.io.close();
  }

  /** Sends bursts of about `frames` frames together, at most a batch; returns how many frames. */
  private sendBursts(frames: number): number {
    let n = 0;
    let wanted = 0;
    while (n < BATCH && wanted < frames && this.at + n < this.count) {
      wanted += this.framesOf[this.at + n];
      n += 1;
    }
    const taken = this.send(this.at, n);
    if (taken < 0) {
      if (taken !== -EAGAIN && taken !== -ENOBUFS) throw new Error(`sending failed: ${-taken}`);
      this.counters[G_REFUSED] += 1;
      return 0;
    }
    let sent = 0;
    for (let i = 0; i < taken; i += 1) sent += this.framesOf[this.at + i];
    this.at += taken;
    if (this.at >= this.count) this.at = 0;
    return sent;
  }

  private send(at: number, count: number): number {
    const { io, fd } = this;
    return this.options.tapFd >= 0 ? io.tapWrite(fd, at, count) : io.send(fd, at, count);
  }

  private sendProbe(): void {
    const number = this.counters[G_PROBES];
    this.probe.setUint32(0, number);
    this.probe.setFloat64(8, this.native.realtimeUs());
    if (this.send(this.count, 1) === 1) this.counters[G_PROBES] = number + 1;
  }
}

function openSocket({ ifname }: GeneratorOptions, native: NativeBinding): number {
  const { fd } = native.packetOpen({
    ifname,
    slots: 16,
    slotBytes: 2048,
    reserve: 0,
    rcvBufBytes: 65_536,
    sndBufBytes: 4 << 20,
    // The short way does not cut segments.
    qdiscBypass: false,
  });
  return fd;
}

function align(bytes: number): number {
  return (bytes + ALIGNMENT - 1) & -ALIGNMENT;
}

const options = workerData as GeneratorOptions;
const native = loadNative();
native.setns(options.namespacePath);
native.setAffinity([options.cpu]);
new Generator(options, native).run();
