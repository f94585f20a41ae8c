/**
 * The console's API: `tapswitch/api`. Types and schemas of what it answers.
 */
export * from './bonds.js';
export * from './common.js';
export * from './database.js';
export * from './datapath.js';
export * from './flows.js';
export * from './inventory.js';
export * from './live.js';
export * from './packets.js';
