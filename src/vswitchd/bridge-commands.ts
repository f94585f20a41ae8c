/**
 * bridge/reconnect: connections to controllers begin anew.
 *
 * Not for: what the OpenFlow layer tells of bridges (src/ofproto/commands).
 */
import { UnixctlError, type UnixctlServer } from '../unixctl/index.js';
import type { Bridge } from './bridge.js';

/** @param bridges those that there are, by name */
export function registerBridgeCommands(
  unixctl: UnixctlServer,
  bridges: () => ReadonlyMap<string, Bridge>,
): void {
  unixctl.register('bridge/reconnect', '[bridge]', 0, 1, (_command, [name]) => {
    const named = name === undefined ? undefined : bridges().get(name);
    if (name !== undefined && named === undefined) throw new UnixctlError('Unknown bridge');
    for (const { ofproto } of named ? [named] : bridges().values()) ofproto.connmgr.reconnectAll();
    return '';
  });
}
