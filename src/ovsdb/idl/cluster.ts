/**
 * Whether a server will do: in a cluster only its leader, and only while it is in touch with the
 * others (ovsdb-server(7), the _Server database).
 *
 * Not for: choosing the next server (backoff.ts).
 */

import { TapswitchError } from '../../common/errors.js';

/** Names the monitor of _Server in updates. */
export const SERVER_MONITOR_ID = 'server';

/** What `monitor` takes to follow the state of the server's databases. */
export const SERVER_MONITOR_PARAMS = [
  '_Server',
  SERVER_MONITOR_ID,
  { Database: [{ columns: ['name', 'model', 'connected', 'leader'] }] },
];

interface DatabaseState {
  readonly name?: string;
  readonly model?: string;
  readonly connected?: boolean;
  readonly leader?: boolean;
}

/**
 * Throws E_OVSDB_CLUSTER if `updates` of _Server say that this server is not to be used.
 *
 * @param leaderOnly of a cluster's servers only the leader will do
 */
export function checkServer(database: string, updates: unknown, leaderOnly = true): void {
  type Rows = Record<string, { new?: DatabaseState }>;
  const rows = (updates as { Database?: Rows } | null)?.Database ?? {};
  for (const { new: state } of Object.values(rows)) {
    if (state?.name !== database) continue;
    if (state.model === 'relay' && state.connected === false) {
      throw new TapswitchError('E_OVSDB_CLUSTER', 'relay is disconnected from its source');
    }
    if (state.model === 'relay' && leaderOnly) {
      throw new TapswitchError('E_OVSDB_CLUSTER', 'relay cannot be a leader');
    }
    if (state.model !== 'clustered') continue;
    if (state.connected === false) {
      throw new TapswitchError('E_OVSDB_CLUSTER', 'server is disconnected from its cluster');
    }
    if (leaderOnly && state.leader === false) {
      throw new TapswitchError('E_OVSDB_CLUSTER', 'server is not the cluster leader');
    }
  }
}
