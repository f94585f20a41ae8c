/**
 * unixctl, usable on its own: serve commands on a control socket, or ask a daemon for them.
 */
export { type UnixctlAnswer, UnixctlClient, unixctlPath } from './client.js';
export { Coverage, type CoverageSource, registerCoverageCommands } from './coverage.js';
export { MemoryReport, type MemorySource, registerMemoryCommands } from './memory.js';
export {
  isServed,
  UnixctlCommand,
  UnixctlError,
  type UnixctlHandler,
  UnixctlServer,
} from './server.js';
export { registerTimeCommands } from './time-commands.js';
export { registerVlogCommands, type VlogTargets } from './vlog-commands.js';
