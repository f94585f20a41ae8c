/** An engine over plain memory: frames in, outputs and upcalls out, as values. */
import { COOKIE_WORDS } from '../../../src/datapath/action-program.js';
import { compileActions } from '../../../src/datapath/compile-actions.js';
import { PORT_PACKET, TX_BATCH } from '../../../src/datapath/egress.js';
import { Engine } from '../../../src/datapath/engine.js';
import { FrameMemory, HEADROOM, type SlabSizes } from '../../../src/datapath/frame-memory.js';
import { maskedKey } from '../../../src/datapath/megaflow-table.js';
import { MemoryIo } from '../../../src/datapath/memory-io.js';
import { MeterTable } from '../../../src/datapath/meter-table.js';
import type { OdpAction, UserspaceCookie } from '../../../src/datapath/odp-actions.js';
import { FLOW_STATS_STRIDE, SharedStats } from '../../../src/datapath/shared-stats.js';
import { decodeCookie } from '../../../src/datapath/userspace-cookie.js';
import { type FlowWords, newFlow } from '../../../src/packet/flow-layout.js';

export interface Sent {
  port: number;
  frame: Uint8Array;
  vnet: Uint8Array;
}
export interface SentUp {
  kind: number;
  frame: Uint8Array;
  key: FlowWords;
  cookie?: UserspaceCookie;
  /** The cookie's words as they are. */
  words: Int32Array;
}

const MAX_PORTS = 32;

export class EngineFixture {
  readonly sent: Sent[] = [];
  readonly upcalls: SentUp[] = [];
  readonly stats = SharedStats.create({ maxPorts: MAX_PORTS, flowSlots: 256 });
  readonly meters = MeterTable.create(16);
  readonly memory: FrameMemory;
  readonly engine: Engine;
  /** What the fake kernel answers per frame: 0, or -errno. */
  answer: (port: number, len: number) => number = () => 0;
  upcallRoom = true;

  constructor(
    sizes: SlabSizes = { rxBytes: 256 << 10, copyHalfBytes: 1 << 20 },
    cacheEntries = 16,
  ) {
    this.memory = new FrameMemory(
      new ArrayBuffer(sizes.rxBytes + 2 * sizes.copyHalfBytes + 4096),
      sizes,
    );
    const offsets = new Int32Array(MAX_PORTS * TX_BATCH);
    const lengths = new Int32Array(MAX_PORTS * TX_BATCH);
    const io = new MemoryIo(offsets, lengths, (port, off, len) => {
      const result = this.answer(port, len);
      if (result < 0) return result;
      const u8 = this.memory.u8;
      this.sent.push({
        port,
        frame: u8.slice(off, off + len),
        vnet: u8.slice(off - 10, off),
      });
      return 0;
    });
    this.engine = new Engine({
      meters: this.meters,
      memory: this.memory,
      io,
      offsets,
      lengths,
      stats: this.stats,
      maxPorts: MAX_PORTS,
      flowSlots: 256,
      cacheEntries,
      sink: {
        upcall: (kind, off, len, key, cookie, at) => {
          if (!this.upcallRoom) return false;
          this.upcalls.push({
            kind,
            frame: this.memory.u8.slice(off, off + len),
            key: key.slice(),
            cookie: kind === 1 ? decodeCookie(cookie, at) : undefined,
            words: cookie.slice(at, at + COOKIE_WORDS),
          });
          return true;
        },
      },
    });
    for (let port = 1; port < MAX_PORTS; port++)
      this.engine.egress.portAdd(port, PORT_PACKET, port);
  }

  flow(slot: number, key: FlowWords, mask: FlowWords, actions: readonly OdpAction[]): void {
    this.engine.flowPut(slot, maskedKey(key, mask), compileActions(actions));
  }

  /** Places a frame in the rx area and forwards it; ends the batch unless told otherwise. */
  receive(frame: Uint8Array, port = 1, vnet?: Uint8Array, end = true): void {
    const { memory } = this;
    const off = memory.rxOffset;
    memory.rxCommit(frame.length);
    memory.u8.fill(0, off - HEADROOM, off);
    if (vnet) memory.u8.set(vnet, off - 10);
    memory.u8.set(frame, off);
    this.engine.receive(off, frame.length, port, off - HEADROOM);
    if (end) this.engine.endBatch();
  }

  /** Executes actions on one frame and returns what was sent. */
  run(frame: Uint8Array, actions: readonly OdpAction[], vnet?: Uint8Array): Sent[] {
    this.sent.length = 0;
    this.flow(0, newFlow(), newFlow(), actions);
    this.receive(frame, 1, vnet);
    this.engine.flowDel(0);
    return this.sent.slice();
  }

  packets(slot: number): number {
    return this.stats.flows[slot * FLOW_STATS_STRIDE];
  }
}
