/**
 * Which Geneve option each tun_metadata field of a bridge stands for.
 *
 * Not for: the options of packets; without tunnels nothing carries them.
 */
import { fail } from '../openflow/errors.js';
import type { TlvMapping, TlvTableMod, TlvTableReply } from '../openflow/messages-extension.js';

/** Bytes that all mapped options may have together, and fields that there are. */
const SPACE_MAX = 256;
const FIELDS_MAX = 64;

export class TlvTable {
  private mappings: ReadonlyMap<number, TlvMapping> = new Map();

  /** Carries a request out, or nothing of it. @throws OfpError */
  mod({ command, mappings }: TlvTableMod): void {
    const next = new Map(command === 'clear' ? [] : this.mappings);
    if (command === 'delete') for (const { index } of mappings) next.delete(index);
    if (command === 'add') for (const mapping of mappings) addMapping(next, mapping);
    this.mappings = next;
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
