/**
 * The OpenFlow library: codec, connections and the flow syntax. What is exported here is the
 * package's `tapswitch/openflow`.
 */
export * from './actions.js';
export * from './check.js';
export * from './codec/index.js';
export * from './errors.js';
export * from './learning-switch.js';
export * from './match.js';
export * from './messages.js';
export * from './messages-bundle.js';
export * from './messages-control.js';
export * from './messages-groups.js';
export * from './messages-stats.js';
export * from './normalize.js';
export * from './protocols.js';
export { formatAction, formatActions } from './syntax/action-format.js';
export { type ParsedActions, parseActions, parseInstructions } from './syntax/action-parse.js';
export { formatFlowMod, formatFlowStats } from './syntax/flow-format.js';
export {
  type ParseCommand,
  type ParsedFlow,
  parseFlow,
  parseFlowStatsRequest,
} from './syntax/flow-parse.js';
export { type ParsedGroupMod, parseGroupMod } from './syntax/group-parse.js';
export { DEFAULT_PRIORITY, formatMatch } from './syntax/match-format.js';
export { formatMessage } from './syntax/message-format.js';
export { parseMeter } from './syntax/meter-parse.js';
export { type NameMap, type Names, NO_NAMES, nameMap } from './syntax/names.js';
export { FlowSyntaxError } from './syntax/scan.js';
export * from './vconn.js';
export * from './verify.js';
