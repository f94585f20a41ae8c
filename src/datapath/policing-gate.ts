/**
 * Ingress policing: what comes in by a port beyond its rate is dropped before it is looked at.
 *
 *     receiver --> gate --> engine
 *                    \-> over the rate: counted, dropped
 *
 * Only queues of policed ports are read through it. Workers that read queues of one port share its
 * buckets.
 */
// hot path
import { DropReason } from './drop-reasons.js';
import type { Engine } from './engine.js';
import type { FrameSink } from './receive-queue.js';
import {
  PORT_STATS_STRIDE,
  PS_RX_BYTES,
  PS_RX_DROPPED,
  PS_RX_PACKETS,
  type SharedStats,
} from './shared-stats.js';
import type { ShaperTable } from './tx-shaper.js';

/** The addon's clock in microseconds. */
export interface MicrosecondClock {
  clockUsLow(): number;
}

export class PolicingGate implements FrameSink {
  private readonly ports: Uint8Array;

  constructor(
    private readonly engine: Engine,
    private readonly stats: SharedStats,
    private readonly buckets: ShaperTable,
    private readonly clock: MicrosecondClock,
  ) {
    this.ports = new Uint8Array(stats.ports.length / PORT_STATS_STRIDE);
  }

  set(portNo: number, policed: boolean): void {
    this.ports[portNo] = policed ? 1 : 0;
  }

  isSet(portNo: number): boolean {
    return this.ports[portNo] !== 0;
  }

  receive(off: number, len: number, inPort: number, floor: number): void {
    if (this.buckets.police(inPort, len, this.clock.clockUsLow())) {
      this.engine.receive(off, len, inPort, floor);
      return;
    }
    const base = inPort * PORT_STATS_STRIDE;
    this.stats.ports[base + PS_RX_PACKETS] += 1;
    this.stats.ports[base + PS_RX_BYTES] += len;
    this.stats.ports[base + PS_RX_DROPPED] += 1;
    this.stats.drops[DropReason.policing] += 1;
    const { witness } = this.engine;
    if (witness.watches) witness.show(DropReason.policing, inPort, off, len);
  }
}
