/**
 * Numbers of recirculations: where translation goes on with a packet that the datapath gives back.
 *
 *     actions: hash(l4(0)),recirc(0x1)  --->  key with recirc_id=1  --->  bridge br1, table 254
 *
 * A number is used once in 2^31, so that a packet that was under way when its number was
 * given up cannot be taken for another one: it is dropped.
 */
import type { Ofproto } from './ofproto.js';
import type { FrozenState } from './xlate/freeze.js';

export interface RecircState {
  ofproto: Ofproto;
  /** The table that the packet is looked up in. */
  tableId: number;
  /** Set: a translation that was stopped and goes on from here. */
  frozen?: FrozenState;
}

export class RecircIds {
  private readonly states = new Map<number, RecircState>();
  private next = 1;

  /** A number that nothing else has. */
  take(): number {
    const id = this.next;
    this.next = this.next >= 0x7fffffff ? 1 : this.next + 1;
    return id;
  }

  alloc(state: RecircState): number {
    const id = this.take();
    this.states.set(id, state);
    return id;
  }

  get(id: number): RecircState | null {
    return this.states.get(id) ?? null;
  }

  free(id: number): void {
    this.states.delete(id);
  }
}
