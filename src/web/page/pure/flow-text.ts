/**
 * Rows of a flow table as ofctl writes them, for editing and deleting.
 */
import type { FlowRow } from '../../api/index.js';

type Named = Pick<FlowRow, 'table' | 'priority' | 'match'>;

/** Which entry: table, priority and match, as `del-flows --strict` takes them. */
export function matchText({ table, priority, match }: Named): string {
  return [`table=${table}`, `priority=${priority}`, match].filter((part) => part !== '').join(',');
}

/** The whole entry, as `add-flow` takes it. */
export function flowText(flow: FlowRow): string {
  const settings = [
    `table=${flow.table}`,
    flow.cookie === '0x0' || flow.cookie === '0' ? '' : `cookie=${flow.cookie}`,
    flow.idleTimeout === 0 ? '' : `idle_timeout=${flow.idleTimeout}`,
    flow.hardTimeout === 0 ? '' : `hard_timeout=${flow.hardTimeout}`,
    flow.importance === 0 ? '' : `importance=${flow.importance}`,
    ...flow.flags,
    `priority=${flow.priority}`,
    flow.match,
    `actions=${flow.actions}`,
  ];
  return settings.filter((part) => part !== '').join(',');
}
