/**
 * The OpenFlow library: codec, connections and the flow syntax. What is exported here is the package's
 * `tapswitch/openflow`.
 */
export * from './actions.js';
export * from './codec/index.js';
export * from './errors.js';
export * from './match.js';
export * from './messages.js';
export * from './messages-control.js';
export * from './messages-stats.js';
export * from './normalize.js';
export * from './vconn.js';
