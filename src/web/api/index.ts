/**
 * The console's API: `tapswitch/api`. A client, and types and schemas of what is answered.
 */
export * from './bonds.js';
export * from './client.js';
export * from './common.js';
export * from './database.js';
export * from './datapath.js';
export * from './flows.js';
export * from './inventory.js';
export * from './live.js';
export * from './packets.js';
