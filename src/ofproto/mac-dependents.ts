/**
 * Which installed flows looked which MAC address up: what a learned or moved address can make
 * wrong.
 *
 *     bridge -> address in a VLAN -> the flow, or a set of flows when there are several
 *
 * A switch that is flooded with new source addresses learns each of them, but no flow has asked for
 * them: nothing is translated again.
 */
import type { Ofproto } from './ofproto.js';
import type { Ukey } from './udpif.js';

export class MacDependents {
  private readonly bridges = new Map<Ofproto, Map<number, Ukey | Set<Ukey>>>();

  /** Notes what the flow's translation looked up. */
  add(ukey: Ukey): void {
    for (const entry of ukey.cache) {
      if (entry.type !== 'mac') continue;
      let keys = this.bridges.get(entry.ofproto);
      if (keys === undefined) {
        keys = new Map();
        this.bridges.set(entry.ofproto, keys);
      }
      const known = keys.get(entry.key);
      if (known === undefined) keys.set(entry.key, ukey);
      else if (known instanceof Set) known.add(ukey);
      else if (known !== ukey) keys.set(entry.key, new Set([known, ukey]));
    }
  }

  /** The flow is gone, or about to be translated anew. */
  remove(ukey: Ukey): void {
    for (const entry of ukey.cache) {
      if (entry.type !== 'mac') continue;
      const keys = this.bridges.get(entry.ofproto);
      const known = keys?.get(entry.key);
      if (keys === undefined || known === undefined) continue;
      if (known instanceof Set) known.delete(ukey);
      if (known === ukey || (known instanceof Set && known.size === 0)) keys.delete(entry.key);
      if (keys.size === 0) this.bridges.delete(entry.ofproto);
    }
  }

  /** Flows that looked the address up. @param key of macKey */
  of(ofproto: Ofproto, key: number): Iterable<Ukey> {
    const known = this.bridges.get(ofproto)?.get(key);
    if (known === undefined) return [];
    return known instanceof Set ? known : [known];
  }
}
