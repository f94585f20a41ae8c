/**
 * The switch daemon: makes every part, ties them together, and takes them apart again.
 *
 *     database (embedded server or a remote one) ── Idl ── Vswitch ── Ofproto ── Dpif ── workers
 *                                                   │
 *     rtnetlink (NetdevRegistry.links) ─────────────┘
 *
 * Not for: directories, pid file, logs, signals (src/cli/daemon).
 */

import type { TlsFiles } from '../common/tls.js';
import { OVS_INTERFACE_VERSION } from '../common/version.js';
import { createDpif } from '../datapath/index.js';
import { loadNative } from '../native/binding.js';
import { NetdevRegistry, nextHop } from '../netdev/index.js';
import { OfprotoRegistry, ofprotoCommands } from '../ofproto/index.js';
import type { Changes } from '../ovsdb/idl/index.js';
import { Idl } from '../ovsdb/idl/index.js';
import { registerBridgeCommands } from './bridge-commands.js';
import type { IfaceConfig } from './config.js';
import type { DaemonOptions, RunningDaemon, SslFiles } from './daemon-types.js';
import { type EmbeddedDatabase, startEmbeddedDatabase } from './embedded-database.js';
import { registerNetdevCommands } from './netdev-commands.js';
import { registerQosCommands } from './qos-commands.js';
import { Vswitch } from './vswitch.js';

/**
 * Starts the switch. The returned daemon is already working; `ready` tells when the first
 * configuration is in force.
 * @throws TapswitchError when the database cannot be opened or served
 */
export async function startDaemon(options: DaemonOptions): Promise<RunningDaemon> {
  const database = options.database.kind === 'embedded' ? await embedded(options) : null;
  try {
    return assemble(options, database);
  } catch (error) {
    await database?.close();
    throw error;
  }
}

function embedded(options: DaemonOptions): Promise<EmbeddedDatabase> {
  if (options.database.kind !== 'embedded') throw new Error('not an embedded database');
  const { file, socket } = options.database;
  const { clock, loop, lockDatabase } = options;
  const onWake = () => loop.wake();
  return startEmbeddedDatabase({ file, socket, clock, lockFile: lockDatabase, onWake });
}

function assemble(options: DaemonOptions, database: EmbeddedDatabase | null): RunningDaemon {
  const { clock, loop, unixctl } = options;
  const wake = () => loop.wake();
  const netdevs = new NetdevRegistry({
    clock,
    native: loadNative,
    dummy: options.dummy,
    disableSystem: options.disableSystem,
    wake,
  });
  const registry = new OfprotoRegistry({ clock, wake });
  let vswitch: Vswitch | null = null;
  const idl = new Idl({
    remote: remoteOf(options, database),
    clock,
    tls: tlsFiles(options.ssl),
    onChange: (changes: Changes) => vswitch?.databaseChanged(changes),
    onWake: wake,
  });
  const removals: (() => void)[] = [];
  const ready = new Promise<void>((resolve) => {
    vswitch = new Vswitch({
      idl,
      clock,
      registry,
      openDpif: (type, { vlanLimit, pmdCpus, rxAssign }) =>
        createDpif(overridden(options) ? 'dummy' : type, {
          name: `${type}@ovs-${type}`,
          clock,
          native: type === 'dummy' || overridden(options) ? undefined : loadNative(),
          pmdCpuMask: pmdCpus ?? undefined,
          settings: { vlanLimit, rxAssign },
          wake,
        }),
      openDevice: (iface, datapathType) => {
        const type = overridden(options) ? 'dummy' : datapathType;
        return openDevice(netdevs, iface, type, () => vswitch);
      },
      expectDevices: (count) => netdevs.expect(count),
      nextHop: overridden(options) ? () => ({ error: 'Operation not supported' }) : nextHop,
      tls: tlsFiles(options.ssl),
      runDir: options.runDir,
      version: OVS_INTERFACE_VERSION,
      dbVersion: () => idl.schema?.version ?? '',
      wake,
      onReady: resolve,
    });
  });
  const running = vswitch as unknown as Vswitch;
  if (options.dummy !== 'all') {
    removals.push(
      netdevs.links().onChange((change) => {
        if (change.kind === 'link' && change.previous === null) {
          running.linkAppeared(change.link.name);
        }
      }),
    );
  }
  if (database) removals.push(loop.add(database.server), loop.add(database.remotes));
  removals.push(loop.add(idl), loop.add(netdevs), loop.add(registry), loop.add(running));
  for (const command of ofprotoCommands(registry)) {
    unixctl.register(
      command.name,
      command.usage,
      command.minArgs,
      command.maxArgs,
      (_command, args) => command.run(args),
    );
  }
  options.coverage.addSource(() => running.dropTotals());
  options.coverage.addSource(() => registry.coverage());
  options.memory.addSource(() => registry.memoryUsage());
  registerNetdevCommands(unixctl, netdevs);
  registerQosCommands(unixctl, () => running.bridges.values());
  registerBridgeCommands(unixctl, () => running.bridges);
  return {
    ready,
    close: once(() => closeAll({ removals, running, idl, netdevs, registry, database })),
  };
}

interface Parts {
  removals: (() => void)[];
  running: Vswitch;
  idl: Idl;
  netdevs: NetdevRegistry;
  registry: OfprotoRegistry;
  database: EmbeddedDatabase | null;
}

async function closeAll(parts: Parts): Promise<void> {
  for (const remove of parts.removals) remove();
  await parts.running.close();
  parts.idl.close();
  parts.netdevs.close();
  await parts.database?.close();
}

function once(close: () => Promise<void>): () => Promise<void> {
  let closing: Promise<void> | null = null;
  return () => {
    closing ??= close();
    return closing;
  };
}

function tlsFiles({ bootstrapCaCert, ...files }: SslFiles): TlsFiles {
  const bootstrap = bootstrapCaCert !== undefined;
  return { ...files, caCert: files.caCert ?? bootstrapCaCert, bootstrap };
}

function remoteOf(options: DaemonOptions, database: EmbeddedDatabase | null) {
  if (database) return () => database.server.connectInProcess();
  return options.database.kind === 'remote' ? options.database.remotes : [];
}

/** Whether dummies stand in for the datapath that bridges have by default. */
function overridden({ dummy }: DaemonOptions): boolean {
  return dummy === 'all' || dummy === 'system';
}

/** Opens a device and passes its events on. In a dummy datapath every device is a dummy. */
function openDevice(
  netdevs: NetdevRegistry,
  iface: IfaceConfig,
  datapathType: string,
  vswitch: () => Vswitch | null,
) {
  const dummy = datapathType === 'dummy' && iface.type === 'internal';
  const type = dummy ? 'dummy-internal' : iface.type;
  const device = netdevs.open(iface.name, type, Object.fromEntries(iface.options));
  device.onEvent((event) => {
    if (event === 'gone') vswitch()?.deviceGone(iface.name);
    else if (event === 'change') vswitch()?.deviceChanged();
  });
  return device;
}
