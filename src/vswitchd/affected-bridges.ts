/**
 * Which bridges changes of the database concern: with hundreds of bridges, most are as they were.
 *
 *     a Bridge row, or a Port or Interface row that a bridge refers to  -> that bridge
 *     anything else of the configuration                               -> all of them
 *
 * Not for: whether what runs is as it should be (Bridge.isSettled).
 */
import type { Changes } from '../ovsdb/idl/index.js';
import type { BridgeConfig } from './config.js';
import { isConfigChange } from './status.js';

/** Tables whose rows belong to one bridge. Of the root row, no bridge reads anything. */
const OF_ONE_BRIDGE: ReadonlySet<string> = new Set(['Bridge', 'Port', 'Interface']);
const OF_NO_BRIDGE: ReadonlySet<string> = new Set(['Open_vSwitch', 'Manager']);

export class AffectedBridges {
  private everything = true;
  private readonly uuids = new Set<string>();

  note(changes: Changes): void {
    for (const [table, { inserted, modified, deleted }] of changes) {
      if (OF_NO_BRIDGE.has(table)) continue;
      if (!OF_ONE_BRIDGE.has(table)) {
        const matters = [...modified.values()].some((columns) => isConfigChange(table, columns));
        this.everything ||= matters || inserted.size > 0 || deleted.size > 0;
        continue;
      }
      for (const rows of [inserted, deleted]) for (const { uuid } of rows) this.uuids.add(uuid);
      for (const [{ uuid }, columns] of modified) {
        if (isConfigChange(table, columns)) this.uuids.add(uuid);
      }
    }
  }

  noteEverything(): void {
    this.everything = true;
  }

  /** Whether a bridge that was read earlier is to be read again. */
  includes(bridge: BridgeConfig): boolean {
    if (this.everything || this.uuids.has(bridge.uuid)) return true;
    for (const port of bridge.ports) {
      if (port.uuid !== null && this.uuids.has(port.uuid)) return true;
      for (const { uuid } of port.ifaces) if (uuid !== null && this.uuids.has(uuid)) return true;
    }
    return false;
  }

  /** Everything noted has been read. */
  clear(): void {
    this.everything = false;
    this.uuids.clear();
  }
}
