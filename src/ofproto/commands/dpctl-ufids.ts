/**
 * Numbers that users give the flows they put into a datapath: `ufid:12345678-1234-...`.
 *
 * The datapath numbers its flows itself; a flow without a number of a user's is found by that.
 */
import type { DpFlow } from '../../datapath/dpif.js';
import { formatUfid } from '../../datapath/odp-format.js';
import type { OfprotoBacker } from '../backer.js';

const UFID = /^\s*ufid:([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})[,\s]*/i;

export class UfidNames {
  private readonly names = new WeakMap<DpFlow, string>();

  /** The number that a text begins with, and what follows; null: it has none. */
  read(text: string): { ufid: string; rest: string } | null {
    const [head, ufid] = UFID.exec(text) ?? [];
    if (head === undefined) return null;
    return { ufid: ufid.toLowerCase(), rest: text.slice(head.length) };
  }

  set(flow: DpFlow, ufid: string): void {
    this.names.set(flow, ufid);
  }

  /** The user's number of a flow. */
  of(flow: DpFlow): string | undefined {
    return this.names.get(flow);
  }

  find(backer: OfprotoBacker, ufid: string): DpFlow | null {
    for (const flow of backer.dpif.flows()) {
      if ((this.names.get(flow) ?? formatUfid(flow.id)) === ufid) return flow;
    }
    return null;
  }
}
