/**
 * Which requests wait while a bundle is being committed: those that change what the bundle changes,
 * and those that would see it half done. All others are answered, from the tables as they were.
 */
import type { OfMessage } from '../../openflow/messages.js';
import type { Ofproto } from '../ofproto.js';

const CHANGES: ReadonlySet<OfMessage['type']> = new Set([
  'flow_mod',
  'group_mod',
  'meter_mod',
  'port_mod',
  'table_mod',
  'nx_tlv_table_mod',
  'flow_monitor_request',
]);
const GROUPS: ReadonlySet<OfMessage['type']> = new Set([
  'group_stats_request',
  'group_desc_request',
]);

/** @returns what a request has to wait for, or null */
export function waitsFor(ofproto: Ofproto, msg: OfMessage): Promise<void> | null {
  const { draft } = ofproto;
  if (draft === null) return null;
  const commits = msg.type === 'bundle_control' && msg.ctrl === 'commit_request';
  const waits = commits || CHANGES.has(msg.type) || (draft.groupsChange && GROUPS.has(msg.type));
  return waits ? draft.done : null;
}
