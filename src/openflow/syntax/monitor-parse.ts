/**
 * What to watch in a flow monitor: `!own,!actions,table=1,ip,nw_dst=10.0.0.0/8,out_port=2`.
 */
import { portFrom16 } from '../../packet/fields.js';
import { OFPP } from '../actions.js';
import { matchAny } from '../match.js';
import { OFPG } from '../messages-groups.js';
import { type FlowMonitorRequest, MONITOR_FLAG } from '../messages-monitor.js';
import { P_ANY, P_OF10_ANY } from '../protocols.js';
import { matchFieldText, matchProtocol } from './match-parse.js';
import { type Names, parseTable } from './names.js';
import { atoi, KeyValueScanner, syntaxError } from './scan.js';

const DEFAULT_FLAGS =
  MONITOR_FLAG.INITIAL |
  MONITOR_FLAG.ADD |
  MONITOR_FLAG.REMOVED |
  MONITOR_FLAG.MODIFY |
  MONITOR_FLAG.ONLY_OWN |
  MONITOR_FLAG.INSTRUCTIONS;

/** Words that take something out of what is reported. */
const WITHOUT: Readonly<Record<string, number>> = {
  '!initial': MONITOR_FLAG.INITIAL,
  '!add': MONITOR_FLAG.ADD,
  '!delete': MONITOR_FLAG.REMOVED,
  '!modify': MONITOR_FLAG.MODIFY,
  '!actions': MONITOR_FLAG.INSTRUCTIONS,
  '!abbrev': MONITOR_FLAG.NO_ABBREV,
  '!own': MONITOR_FLAG.ONLY_OWN,
};

/**
 * Reads what to watch. Throws FlowSyntaxError.
 * @param id the monitor's number
 * @returns the request, and the flow formats that can express it
 */
export function parseFlowMonitor(
  text: string,
  names: Names,
  id: number,
): { msg: FlowMonitorRequest; usable: number } {
  const match = matchAny();
  const entry: FlowMonitorRequest['entries'][number] = {
    ...{ id, command: 'add', flags: DEFAULT_FLAGS, outPort: OFPP.NONE, outGroup: OFPG.ANY },
    ...{ table: 255, match },
  };
  let usable = P_ANY;
  const scanner = new KeyValueScanner(text);
  for (let pair = scanner.next(); pair !== null; pair = scanner.next()) {
    const { key, value } = pair;
    if (Object.hasOwn(WITHOUT, key)) {
      entry.flags &= ~WITHOUT[key];
      continue;
    }
    if (matchProtocol(match, key)) continue;
    const formats = matchFieldText(match, key, value, names.ports);
    if (formats !== undefined) {
      usable &= formats;
      if ((usable & P_OF10_ANY) === 0) {
        syntaxError(`${key}: match field is not supported for flow monitor`);
      }
      continue;
    }
    if (value === '') syntaxError(`${text}: field ${key} missing value`);
    if (key === 'table') {
      entry.table = parseTable(value, names.tables) ?? syntaxError(`unknown table "${value}"`);
    } else if (key === 'out_port') entry.outPort = portFrom16(atoi(value) & 0xffff);
    else if (key === 'out_group') entry.outGroup = atoi(value) >>> 0;
    else syntaxError(`${text}: unknown keyword ${key}`);
  }
  return { msg: { type: 'flow_monitor_request', entries: [entry] }, usable };
}
