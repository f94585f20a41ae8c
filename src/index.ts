/**
 * tapswitch as a library: its three protocols, its datapath and devices, and the daemon itself.
 *
 *     import { openflow, ovsdb, unixctl } from 'tapswitch';
 *     import { Idl } from 'tapswitch/ovsdb';          // the same, on its own
 *
 * Not for: the command line (src/cli/main.ts).
 */
export { type Clock, WarpClock } from './common/clock.js';
export { TapswitchError } from './common/errors.js';
export { PollLoop } from './common/poll-loop.js';
export * as datapath from './datapath/index.js';
export * as netdev from './netdev/index.js';
export * as ofproto from './ofproto/index.js';
export * as openflow from './openflow/index.js';
export * as ovsdb from './ovsdb/index.js';
export * as unixctl from './unixctl/index.js';
export { startDaemon } from './vswitchd/daemon.js';
export type { DaemonOptions, RunningDaemon } from './vswitchd/daemon-types.js';
