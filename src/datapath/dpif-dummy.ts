/**
 * The datapath in-process and synchronous: the same engine, dummy devices, no threads.
 *
 * For tests of everything above: a frame that a dummy device receives has been forwarded, or handed
 * to the upcall handler, when its receive() returns. What happens while a frame is under way (a
 * device that is wired to another one, an upcall) waits in a queue and is done in order.
 *
 *     receive() --> queue --> engine --> end of batch --> device.send()
 *                     ^          \--> upcalls --> handler --+
 *                     +------------- execute(), reinject ---+
 */
import { type Clock, NEVER } from '../common/clock.js';
import { TapswitchError } from '../common/errors.js';
import { dummyPortNumber } from '../netdev/dummy-netdev.js';
import type { FlowWords } from '../packet/flow-layout.js';
import type { ActionProgram } from './action-program.js';
import {
  type DpifSettings,
  type DpNetdev,
  FLOW_SLOTS,
  type FrameBytes,
  type Upcall,
} from './dpif.js';
import { DEFAULT_MAX_PORTS, DpifBase, type PortEntry } from './dpif-base.js';
import { DropReason } from './drop-reasons.js';
import { PORT_PACKET, TX_BATCH } from './egress.js';
import { Engine } from './engine.js';
import type { InstalledFlow } from './flow-registry.js';
import { FrameMemory, HEADROOM } from './frame-memory.js';
import { MemoryIo } from './memory-io.js';
import type { OdpAction } from './odp-actions.js';
import { SharedStats } from './shared-stats.js';
import { UPCALL_MISS } from './upcall-sink.js';
import { decodeCookie } from './userspace-cookie.js';
import { CommandReader, CommandWriter } from './worker-commands.js';

/** A device that gives and takes frames in memory (src/netdev DummyNetdev). */
export interface DummyDevice extends DpNetdev {
  /** Who takes frames that arrive; null: nobody. */
  onReceive(receiver: ((frame: Uint8Array) => void) | null): void;
  /** Sends a frame out; false when the device refuses it. */
  send(frame: Uint8Array): boolean;
}

export interface DpifDummyOptions {
  clock: Clock;
  maxPorts?: number;
  flowLimit?: number;
  settings?: DpifSettings;
  name?: string;
}

/** Things that wait for the packet under way: frames that arrive, upcalls. */
const MAX_WAITING = 4096;
/** Clock.now() may be 0, which statistics read as 'never': times are kept one later. */
const TIME_OFFSET_MS = 1;
const EMSGSIZE = 90;

const SLAB = { rxBytes: 1 << 20, copyHalfBytes: 5 << 18 };

export class DpifDummy extends DpifBase<DummyDevice> {
  readonly type = 'dummy';
  readonly name: string;
  private readonly engine: Engine;
  private readonly memory: FrameMemory;
  private readonly counters: SharedStats;
  private readonly commands: CommandReader;
  private readonly waiting: (() => void)[] = [];
  private draining = false;

  constructor(options: DpifDummyOptions) {
    const maxPorts = options.maxPorts ?? DEFAULT_MAX_PORTS;
    const flowLimit = options.flowLimit ?? FLOW_SLOTS;
    super(options.clock, { maxPorts, flowLimit });
    this.name = options.name ?? 'dummy@ovs-dummy';
    this.counters = SharedStats.create({ maxPorts, flowSlots: flowLimit });
    const bytes = SLAB.rxBytes + 2 * SLAB.copyHalfBytes;
    this.memory = new FrameMemory(new ArrayBuffer(bytes), SLAB);
    const offsets = new Int32Array(maxPorts * TX_BATCH);
    const lengths = new Int32Array(maxPorts * TX_BATCH);
    this.engine = new Engine({
      memory: this.memory,
      io: new MemoryIo(offsets, lengths, (portNo, off, len) => this.transmit(portNo, off, len)),
      offsets,
      lengths,
      stats: this.counters,
      maxPorts,
      flowSlots: flowLimit,
      sink: {
        upcall: (kind, off, len, key, cookie, at) => this.upcall(kind, off, len, key, cookie, at),
      },
      meters: this.meters,
      cacheEntries: 256,
    });
    this.configure(options.settings ?? {});
    this.commands = new CommandReader(this.engine, this.memory, () => this.engine.endBatch());
  }

  /** Without a wish, the number in the device's name: tests can tell it beforehand. */
  override portAdd(netdev: DpNetdev, wantedPortNo?: number): number {
    return super.portAdd(netdev, wantedPortNo ?? dummyPortNumber(netdev.name) ?? undefined);
  }

  configure(settings: DpifSettings): void {
    if (settings.vlanLimit !== undefined) this.engine.extractor.vlanLimit = settings.vlanLimit;
  }

  execute(frame: FrameBytes, key: FlowWords, actions: readonly OdpAction[]): void {
    const writer = new CommandWriter();
    writer.execute(frame, key, this.programs.of(actions).program);
    this.enqueue(() => this.command(writer));
  }

  sync(): Promise<void> {
    return Promise.resolve();
  }

  synced(): boolean {
    return true;
  }

  override nextWake(): number {
    return NEVER;
  }

  protected workerStats(): readonly SharedStats[] {
    return [this.counters];
  }

  protected attach(port: PortEntry<DummyDevice>): void {
    const { netdev, portNo } = port;
    if (typeof netdev.onReceive !== 'function') {
      throw new TapswitchError(
        'E_DP_DEVICE',
        `${netdev.name}: a device of type ${netdev.type} cannot be in datapath ${this.name}`,
      );
    }
    this.engine.egress.portAdd(portNo, PORT_PACKET, portNo);
    netdev.onReceive((frame) => {
      // The device may use its buffer again.
      const data = Uint8Array.from(frame);
      this.enqueue(() => this.receive(data, portNo));
    });
  }

  protected detach(port: PortEntry<DummyDevice>): void {
    port.netdev.onReceive(null);
    this.engine.egress.portDel(port.portNo);
  }

  protected install(flow: InstalledFlow, program: ActionProgram): void {
    const { words, masks, values } = flow.masked;
    this.engine.flowPut(flow.slot, { words, masks, values: values.slice() }, program);
  }

  protected replace(flow: InstalledFlow, program: ActionProgram): void {
    this.engine.flowModify(flow.slot, program);
  }

  protected uninstall(flow: InstalledFlow, done: () => void): void {
    this.engine.flowDel(flow.slot);
    done();
  }

  protected toClockMs(usedMs: number): number {
    return usedMs - TIME_OFFSET_MS;
  }

  /** Does `work` now, or behind what is under way. Beyond the bound it is a counted drop. */
  private enqueue(work: () => void): void {
    if (this.waiting.length >= MAX_WAITING) {
      this.engine.countDrop(DropReason.upcallQueueFull);
      return;
    }
    this.waiting.push(work);
    if (this.draining) return;
    this.draining = true;
    try {
      for (let next = this.waiting.shift(); next; next = this.waiting.shift()) next();
    } finally {
      this.draining = false;
    }
  }

  private receive(frame: Uint8Array, portNo: number): void {
    const { memory, engine } = this;
    const off = memory.rxOffset;
    this.engine.nowMs = this.clock.now() + TIME_OFFSET_MS;
    if (off + frame.length > memory.rxEnd) {
      engine.countDrop(DropReason.frameTooLong);
      return;
    }
    memory.rxCommit(frame.length);
    memory.u8.fill(0, off - HEADROOM, off);
    memory.u8.set(frame, off);
    engine.receive(off, frame.length, portNo, off - HEADROOM);
    engine.endBatch();
  }

  private command(writer: CommandWriter): void {
    const { words, length } = writer.take();
    this.engine.nowMs = this.clock.now() + TIME_OFFSET_MS;
    this.commands.run(words, 0, length);
  }

  private transmit(portNo: number, off: number, len: number): number {
    const port = this.portTable[portNo];
    // The device may keep the frame; the slab is used again.
    if (port?.netdev.send(this.memory.u8.slice(off, off + len))) return 0;
    return -EMSGSIZE;
  }

  private upcall(
    kind: number,
    off: number,
    len: number,
    key: Int32Array,
    cookie: Int32Array,
    at: number,
  ): boolean {
    if (this.waiting.length >= MAX_WAITING) return false;
    const frame = {
      data: this.memory.u8.slice(off, off + len),
      vnetHdr: this.memory.u8.slice(off - 10, off),
    };
    const upcall: Upcall =
      kind === UPCALL_MISS
        ? { type: 'miss', frame, key: key.slice(), worker: 0 }
        : { type: 'action', frame, key: key.slice(), cookie: decodeCookie(cookie, at), worker: 0 };
    this.enqueue(() => this.upcallHandler(upcall));
    return true;
  }
}
