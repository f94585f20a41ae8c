/**
 * Which Geneve option each tun_metadata field of a bridge stands for.
 *
 * Not for: the options of packets; without tunnels nothing carries them.
 */
import { fail } from '../openflow/errors.js';
import type { Match } from '../openflow/match.js';
import type { TlvMapping, TlvTableMod, TlvTableReply } from '../openflow/messages-extension.js';
import { fitTunOptions } from '../openflow/tun-metadata.js';

/** Bytes that all mapped options may have together, and fields that there are. */
const SPACE_MAX = 256;
const FIELDS_MAX = 64;

export class TlvTable {
  private mappings: ReadonlyMap<number, TlvMapping> = new Map();

  /**
   * Carries a request out, or nothing of it.
   * @param inUse whether some entry asks for a field
   * @throws OfpError
   */
  mod({ command, mappings }: TlvTableMod, inUse: (index: number) => boolean): void {
    const next = new Map(command === 'clear' ? [] : this.mappings);
    if (command === 'delete') for (const { index } of mappings) next.delete(index);
    for (const index of this.mappings.keys()) {
      if (!next.has(index) && inUse(index)) fail('NXTTMFC_INVALID_TLV_DEL', `tun_metadata${index}`);
    }
    if (command === 'add') for (const mapping of mappings) addMapping(next, mapping);
    this.mappings = next;
  }

  /** Gives a match's options the lengths that they have here. @throws OfpError */
  fit(match: Match): void {
    fitTunOptions(match, (index) => this.mappings.get(index)?.length ?? null);
  }

  reply(): TlvTableReply {
    const mappings = [...this.mappings.values()].sort((a, b) => a.index - b.index);
    return { type: 'nx_tlv_table_reply', maxSpace: SPACE_MAX, maxFields: FIELDS_MAX, mappings };
  }
}

function addMapping(map: Map<number, TlvMapping>, mapping: TlvMapping): void {
  const { optionClass, optionType, length, index } = mapping;
  if (map.has(index)) fail('NXTTMFC_ALREADY_MAPPED');
  let used = length;
  for (const other of map.values()) {
    used += other.length;
    if (other.optionClass === optionClass && other.optionType === optionType) {
      fail('NXTTMFC_DUP_ENTRY');
    }
  }
  if (used > SPACE_MAX) fail('NXTTMFC_TABLE_FULL');
  map.set(index, mapping);
}
