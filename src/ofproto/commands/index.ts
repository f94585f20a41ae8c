/** The control socket's commands of the OpenFlow layer, as plain functions that return text. */
import type { OfprotoRegistry } from '../registry.js';
import { bondCommands } from './bond-commands.js';
import { bridgeCommands } from './bridge-commands.js';
import type { OfprotoCommand } from './command.js';
import { consoleCommands } from './console-commands.js';
import { dpctlCommands } from './dpctl-commands.js';
import { dpifCommands } from './dpif-commands.js';
import { dropCommands } from './drop-commands.js';
import { exportCommands } from './export-commands.js';
import { fdbCommands } from './fdb-commands.js';
import { lacpCommands } from './lacp-commands.js';
import { pmdCommands } from './pmd-commands.js';
import { traceCommands } from './trace-commands.js';
import { txQueueCommands } from './tx-queue-commands.js';
import { upcallCommands } from './upcall-commands.js';

export type { OfprotoCommand } from './command.js';

/** The control socket's commands on bridges, bonds, MAC tables and datapaths. */
export function ofprotoCommands(registry: OfprotoRegistry): OfprotoCommand[] {
  return [
    ...bondCommands(registry),
    ...bridgeCommands(registry),
    ...consoleCommands(registry),
    ...lacpCommands(registry),
    ...exportCommands(registry),
    ...fdbCommands(registry),
    ...dpctlCommands(registry),
    ...dpifCommands(registry),
    ...dropCommands(registry),
    ...pmdCommands(registry),
    ...traceCommands(registry),
    ...txQueueCommands(registry),
    ...upcallCommands(registry),
  ];
}
