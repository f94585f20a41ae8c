/**
 * Bridges, ports and interfaces by name, as the bridge and port commands think of them.
 *
 *     bridge br0 ── ports ── interfaces
 *        └─ VLAN ("fake") bridge: a port of br0 with fake_bridge and a tag; ports of br0 with the
 *           same tag belong to it
 *
 * Commands either keep it right when they change something, or drop it (invalidateCache).
 *
 * Not for: the database commands, which go by rows alone.
 */

import type { IdlRow, MonitorSpec } from '../../ovsdb/idl/index.js';
import type { CommandContext } from './context.js';
import { CtlError } from './errors.js';

export interface Bridge {
  readonly name: string;
  /** Null for a VLAN bridge: it has no row of its own. */
  readonly row: IdlRow | null;
  readonly ports: Set<Port>;
  readonly parent: Bridge | null;
  readonly vlan: number;
  /** VLAN bridges by VLAN. */
  readonly children: Map<number, Bridge>;
}

export interface Port {
  readonly name: string;
  readonly row: IdlRow;
  readonly bridge: Bridge;
  readonly ifaces: Set<Iface>;
}

export interface Iface {
  readonly name: string;
  readonly row: IdlRow;
  readonly port: Port;
}

/** Declares the columns that the cache is made of. */
export function monitorConfig(spec: MonitorSpec): void {
  spec
    .columns('Open_vSwitch', 'bridges')
    .columns('Bridge', 'name', 'controller', 'fail_mode', 'ports')
    .columns('Port', 'name', 'fake_bridge', 'tag', 'interfaces')
    .columns('Interface', 'name', 'ofport', 'error');
}

export class ConfigCache {
  readonly bridges = new Map<string, Bridge>();
  readonly ports = new Map<string, Port>();
  readonly ifaces = new Map<string, Iface>();

  constructor(private readonly ctx: CommandContext) {
    const rows = this.uniqueBridgeRows();
    for (const row of rows) this.addBridgeRow(row);
    const bridgeNames = new Set<string>();
    for (const row of rows) {
      bridgeNames.add(ctx.name(row));
      this.addPortsOf(row, bridgeNames);
    }
  }

  addPort(parent: Bridge, row: IdlRow): Port {
    const tag = this.ctx.get<number | null>(row, 'tag');
    const bridge = (tag === null ? undefined : parent.children.get(tag)) ?? parent;
    const port: Port = { name: this.ctx.name(row), row, bridge, ifaces: new Set() };
    bridge.ports.add(port);
    this.ports.set(port.name, port);
    return port;
  }

  addIface(port: Port, row: IdlRow): void {
    const iface: Iface = { name: this.ctx.name(row), row, port };
    port.ifaces.add(iface);
    this.ifaces.set(iface.name, iface);
  }

  /** Forgets the interface and deletes its row; the port's reference is the caller's. */
  deleteIface(iface: Iface): void {
    iface.port.ifaces.delete(iface);
    this.ifaces.delete(iface.name);
    this.ctx.txn.delete(iface.row);
  }

  /** Takes the port out of its bridge and deletes it with its interfaces. */
  deletePort(port: Port): void {
    const real = port.bridge.parent ?? port.bridge;
    this.ctx.removeReference(real.row as IdlRow, 'ports', port.row);
    for (const iface of port.ifaces) this.deleteIface(iface);
    port.bridge.ports.delete(port);
    this.ports.delete(port.name);
    this.ctx.txn.delete(port.row);
  }

  /** Deletes the bridge with its VLAN bridges and ports. */
  deleteBridge(bridge: Bridge): void {
    const { ctx } = this;
    for (const child of bridge.children.values()) this.deleteBridge(child);
    for (const port of bridge.ports) this.deletePort(port);
    bridge.parent?.children.delete(bridge.vlan);
    this.bridges.delete(bridge.name);
    if (!bridge.row) return;
    for (const set of ctx.txn.rows('Flow_Sample_Collector_Set')) {
      if (ctx.get(set, 'bridge') === bridge.row) ctx.txn.delete(set);
    }
    ctx.txn.delete(bridge.row);
    ctx.removeReference(ctx.run.ovs, 'bridges', bridge.row);
  }

  private uniqueBridgeRows(): IdlRow[] {
    const byName = new Map<string, IdlRow>();
    for (const row of this.ctx.rows(this.ctx.run.ovs, 'bridges')) {
      const name = this.ctx.name(row);
      if (byName.has(name)) this.ctx.run.warn(`${name}: database contains duplicate bridge name`);
      else byName.set(name, row);
    }
    return [...byName.values()];
  }

  private addBridgeRow(row: IdlRow): void {
    const bridge = this.addBridge(this.ctx.name(row), row, null, 0);
    for (const port of this.ctx.rows(row, 'ports')) {
      const tag = this.ctx.get<number | null>(port, 'tag');
      const name = this.ctx.name(port);
      if (tag === null || !this.ctx.get<boolean>(port, 'fake_bridge')) continue;
      if (!this.bridges.has(name)) this.addBridge(name, null, bridge, tag);
    }
  }

  /** @param parent the bridge of which this is a VLAN bridge, which has no `row` */
  addBridge(name: string, row: IdlRow | null, parent: Bridge | null, vlan: number): Bridge {
    const bridge = { name, row, ports: new Set<Port>(), parent, vlan, children: new Map() };
    const conflict = parent?.children.get(vlan);
    if (conflict) {
      this.ctx.run.warn(
        `${parent?.name}: bridge has multiple VLAN bridges (${name} and ${conflict.name}) ` +
          `for VLAN ${vlan}, but only one is allowed`,
      );
    } else parent?.children.set(vlan, bridge);
    this.bridges.set(name, bridge);
    return bridge;
  }

  private addPortsOf(bridgeRow: IdlRow, bridgeNames: Set<string>): void {
    const { ctx } = this;
    const bridge = this.bridges.get(ctx.name(bridgeRow)) as Bridge;
    for (const row of ctx.rows(bridgeRow, 'ports')) {
      const name = ctx.name(row);
      const known = this.ports.get(name);
      if (known) {
        ctx.run.warn(
          known.row === row
            ? `${name}: port is in multiple bridges (${bridge.name} and ${known.bridge.name})`
            : `${name}: database contains duplicate port name`,
        );
        continue;
      }
      const fake = ctx.get<boolean>(row, 'fake_bridge') && ctx.get(row, 'tag') !== null;
      if (fake && bridgeNames.has(name)) continue;
      if (fake) bridgeNames.add(name);
      const port = this.addPort(bridge, row);
      for (const iface of ctx.rows(row, 'interfaces')) this.addUniqueIface(port, iface);
    }
  }

  private addUniqueIface(port: Port, row: IdlRow): void {
    const name = this.ctx.name(row);
    const known = this.ifaces.get(name);
    if (!known) {
      this.addIface(port, row);
      return;
    }
    this.ctx.run.warn(
      known.row === row
        ? `${name}: interface is in multiple ports (${known.port.name} and ${port.name})`
        : `${name}: database contains duplicate interface name`,
    );
  }
}

/** The cache, made if there is none. */
export function configOf(ctx: CommandContext): ConfigCache {
  ctx.run.cache ??= new ConfigCache(ctx);
  return ctx.run.cache;
}

/** What ties bridges, ports and interfaces must be unchanged at the commit. */
export function verifyPorts(ctx: CommandContext): void {
  if (ctx.verifiedPorts) return;
  ctx.txn.verify(ctx.run.ovs, 'bridges');
  for (const bridge of ctx.txn.rows('Bridge')) ctx.txn.verify(bridge, 'ports');
  for (const port of ctx.txn.rows('Port')) ctx.txn.verify(port, 'interfaces');
  ctx.verifiedPorts = true;
}

/** Throws CtlError, beginning with `message`, if `name` is taken by anything. */
export function checkConflicts(ctx: CommandContext, name: string, message: string): void {
  const { bridges, ports, ifaces } = configOf(ctx);
  verifyPorts(ctx);
  if (bridges.has(name)) {
    throw new CtlError(`${message} because a bridge named ${name} already exists`);
  }
  const port = ports.get(name);
  if (port) {
    const where = `on bridge ${port.bridge.name}`;
    throw new CtlError(`${message} because a port named ${name} already exists ${where}`);
  }
  const iface = ifaces.get(name);
  if (iface) {
    const where = `on bridge ${iface.port.bridge.name}`;
    throw new CtlError(`${message} because an interface named ${name} already exists ${where}`);
  }
}

/** The bridge, or null. */
export function findBridge(ctx: CommandContext, name: string): Bridge | null {
  const bridge = configOf(ctx).bridges.get(name) ?? null;
  ctx.txn.verify(ctx.run.ovs, 'bridges');
  return bridge;
}

/** The bridge, VLAN bridges included. Throws CtlError if there is none. */
export function getBridge(ctx: CommandContext, name: string): Bridge {
  const bridge = findBridge(ctx, name);
  if (!bridge) throw new CtlError(`no bridge named ${name}`);
  return bridge;
}

/** The row of a bridge that is no VLAN bridge. Throws CtlError. */
export function getRealBridgeRow(ctx: CommandContext, name: string): IdlRow {
  const bridge = getBridge(ctx, name);
  if (!bridge.row) throw new CtlError(`${name} is a fake bridge`);
  return bridge.row;
}

/** The row that holds the settings of a bridge: of a VLAN bridge that of its parent. */
export function settingsRow(bridge: Bridge): IdlRow {
  return (bridge.parent ?? bridge).row as IdlRow;
}

/** The port, or null. A bridge's own local port is none. */
export function findPort(ctx: CommandContext, name: string): Port | null {
  const port = configOf(ctx).ports.get(name);
  verifyPorts(ctx);
  return port && port.bridge.name !== name ? port : null;
}

export function getPort(ctx: CommandContext, name: string): Port {
  const port = findPort(ctx, name);
  if (!port) throw new CtlError(`no port named ${name}`);
  return port;
}

/** The interface, or null. That of a bridge's local port is none. */
export function findIface(ctx: CommandContext, name: string): Iface | null {
  const iface = configOf(ctx).ifaces.get(name);
  verifyPorts(ctx);
  return iface && iface.port.bridge.name !== name ? iface : null;
}

export function getIface(ctx: CommandContext, name: string): Iface {
  const iface = findIface(ctx, name);
  if (!iface) throw new CtlError(`no interface named ${name}`);
  return iface;
}
