/**
 * The configuration layer's centre: makes all bridges follow the database.
 *
 *     database change ──> reconfigure():  rows -> SwitchConfig -> difference -> bridges
 *     device change   ──> open again what came back, give up what went
 *     both            ──> dpif.sync() ──> StatusWriter: ofport, error, cur_cfg in one transaction
 *
 * `cur_cfg` is written only after every worker has the change in force: when ovs-vsctl returns, the
 * next packet sees the new configuration.
 */
import type { Clock } from '../common/clock.js';
import { NEVER } from '../common/clock.js';
import { errorMessage } from '../common/errors.js';
import { getLogger } from '../common/log.js';
import type { TlsFiles } from '../common/tls.js';
import { DROP_REASONS } from '../datapath/drop-reasons.js';
import type { Dpif } from '../datapath/index.js';
import { type Netdev, type NextHop, randomMac } from '../netdev/index.js';
import { Ofproto, type OfprotoBacker, type OfprotoRegistry } from '../ofproto/index.js';
import type { Changes, Idl } from '../ovsdb/idl/index.js';
import { AffectedBridges } from './affected-bridges.js';
import { Bridge, type BridgeHost } from './bridge.js';
import type { BridgeConfig, IfaceConfig, SwitchConfig } from './config.js';
import {
  type DatapathSettings,
  readConfig,
  readDatapathSettings,
  readUdpifSettings,
} from './read-config.js';
import { mapInt } from './row-values.js';
import { isConfigChange, StatusWriter } from './status.js';
import { Turns } from './turns.js';
import { UnusedSettings } from './unused-settings.js';

const log = getLogger('bridge');

/** other_config:stats-update-interval, milliseconds. */
const STATS_INTERVAL = { min: 5000, max: 0x7fffffff, fallback: 5000 };
/** other_config:bundle-idle-timeout, seconds; 0: the default. */
const BUNDLE_IDLE_SEC = { min: 0, max: 0x7fffffff, fallback: 0 };
/** Link changes are written this long after the first, so that a burst is one transaction. */
const LINK_STATUS_DELAY_MS = 20;

const INVALID_NAME = "a bridge's name may not be empty or have '/' in it";

export interface VswitchDeps {
  idl: Idl;
  clock: Clock;
  registry: OfprotoRegistry;
  /** Makes the datapath of a type; asked once for each. */
  openDpif(type: string, settings: DatapathSettings): Dpif;
  /** Opens a device for an interface. @throws TapswitchError */
  openDevice(iface: IfaceConfig, datapathType: string): Netdev;
  /** So many of the machine's interfaces will be opened next. */
  expectDevices(count: number): void;
  /** How the machine reaches an address, of bridges that have the machine behind them. */
  nextHop(ip: string): NextHop;
  /** Keys for controllers where the database names none: those of the command line. */
  tls?: TlsFiles;
  /** Directory for BRIDGE.mgmt and BRIDGE.snoop. */
  runDir: string;
  version: string;
  dbVersion(): string;
  /** Asks for a turn of run(). */
  wake(): void;
  /** The first configuration is in force and committed. */
  onReady(): void;
}

export class Vswitch implements BridgeHost {
  readonly bridges = new Map<string, Bridge>();
  private readonly backers = new Map<string, { backer: OfprotoBacker; dpif: Dpif }>();
  private readonly status: StatusWriter;
  private readonly unused = new UnusedSettings((message) => log.info(message));
  private configDirty = true;
  /** What is left to do for the configuration that was read last. */
  private readonly turns: Turns;
  private readonly affected = new AffectedBridges();
  private statisticsDueMs = NEVER;
  private linkStatusDueMs = NEVER;
  private statsIntervalMs = STATS_INTERVAL.fallback;
  private appliedCfg = 0;
  private datapathSettings: DatapathSettings = readDatapathSettings(new Map(), () => {});
  private opening: BridgeConfig | null = null;
  /** Why bridges that are wanted are not there, by name. */
  private readonly failures = new Map<string, string>();
  private isReady = false;
  private toldReady = false;
  private mtuDirty = false;
  private contended = false;
  private tls: TlsFiles = {};
  private closed = false;
  /** Warnings already given: a bad value is reported once, not at every change. */
  private warned = new Set<string>();
  /** Sockets of new bridges: whoever asked for a bridge may connect to it right after. */
  private listening: Promise<void>[] = [];

  constructor(private readonly deps: VswitchDeps) {
    this.turns = new Turns(deps.clock);
    this.status = new StatusWriter(
      deps.idl,
      () => ({
        bridges: this.bridges.values(),
        failures: this.failures,
        appliedCfg: this.appliedCfg,
        version: deps.version,
        dbVersion: deps.dbVersion(),
      }),
      () => this.committed(),
    );
    deps.idl.setLock('ovs_vswitchd');
  }

  /** Tells of a change in the replica. */
  databaseChanged(changes: Changes): void {
    this.unused.look(changes);
    this.affected.note(changes);
    for (const [table, change] of changes) {
      const modified = [...change.modified.values()];
      const matters =
        change.inserted.size > 0 ||
        change.deleted.size > 0 ||
        modified.some((columns) => isConfigChange(table, columns));
      if (matters) this.configDirty = true;
    }
    this.deps.wake();
  }

  /** A network interface appeared: whatever waits for it is tried again. */
  linkAppeared(name: string): void {
    for (const bridge of this.bridges.values()) {
      const iface = bridge.ifaces.get(name);
      // Without an error it is one that is being made right now.
      if (iface && !iface.device && iface.error !== null) this.configDirty = true;
    }
    if (this.configDirty) this.deps.wake();
  }

  /** A device that is in use vanished. */
  deviceGone(name: string): void {
    for (const bridge of this.bridges.values()) {
      if (!bridge.ifaces.get(name)?.device) continue;
      log.warn(`bridge ${bridge.name}: interface ${name} is gone`);
      bridge.deviceGone(name);
      this.configDirty = true;
    }
    this.deps.wake();
  }

  /** Link state or another observed property changed: the database should soon know. */
  deviceChanged(): void {
    this.mtuDirty = true;
    const soon = this.deps.clock.now() + LINK_STATUS_DELAY_MS;
    this.linkStatusDueMs = Math.min(this.linkStatusDueMs, soon);
    this.deps.wake();
  }

  run(now: number): void {
    if (this.closed || !this.checkLock()) return;
    if (this.configDirty) {
      this.configDirty = false;
      this.reconfigure();
    }
    if (!this.turns.done) {
      this.turns.run();
      if (!this.turns.done) {
        this.deps.wake();
        return;
      }
    }
    if (this.mtuDirty) {
      this.mtuDirty = false;
      for (const bridge of this.bridges.values()) bridge.applyMtu();
    }
    if (!this.isReady || now < Math.min(this.statisticsDueMs, this.linkStatusDueMs)) return;
    const statistics = now >= this.statisticsDueMs;
    if (statistics) this.statisticsDueMs = now + this.statsIntervalMs;
    this.linkStatusDueMs = NEVER;
    this.status.write({ statistics });
  }

  nextWake(): number {
    return this.isReady ? Math.min(this.statisticsDueMs, this.linkStatusDueMs) : NEVER;
  }

  openDevice(iface: IfaceConfig): Netdev {
    return this.deps.openDevice(iface, this.opening?.datapathType ?? 'netdev');
  }

  get runDir(): string {
    return this.deps.runDir;
  }

  ownerOf(deviceName: string): string | null {
    for (const bridge of this.bridges.values()) {
      if (bridge.ifaces.get(deviceName)?.device) return bridge.name;
    }
    return null;
  }

  /** Dropped packets of all datapaths by reason: counters for coverage/show. */
  dropTotals(): Map<string, number> {
    const totals = new Map(DROP_REASONS.map(({ name }) => [name, 0]));
    for (const { dpif } of this.backers.values()) {
      for (const [reason, count] of Object.entries(dpif.stats().drops)) {
        totals.set(reason, (totals.get(reason) ?? 0) + count);
      }
    }
    return totals;
  }

  /** Takes every bridge down and frees the datapaths. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    for (const bridge of this.bridges.values()) this.closeBridge(bridge);
    this.bridges.clear();
    for (const { backer, dpif } of this.backers.values()) {
      backer.close();
      await dpif.close();
    }
    this.backers.clear();
  }

  /** One daemon acts on a database at a time. */
  private checkLock(): boolean {
    const { idl } = this.deps;
    if (!idl.hasContents) return false;
    if (idl.lockContended && !this.contended) {
      log.err(
        'another ovs-vswitchd process is running, disabling this process ' +
          `(pid ${process.pid}) until it goes away`,
      );
    }
    this.contended = idl.lockContended;
    return idl.hasLock;
  }

  private reconfigure(): void {
    const warn = (message: string): void => this.warnOnce(message);
    const config = readConfig(this.deps.idl, warn, this.unchangedBridges());
    if (!config) {
      // A database in which nothing was set up yet: that is all there is to do.
      this.turns.begin([]);
      this.tellReady();
      return;
    }
    this.statsIntervalMs = mapInt(
      config.otherConfig,
      'stats-update-interval',
      STATS_INTERVAL,
      warn,
    );
    if (this.statisticsDueMs !== NEVER) {
      const latest = this.deps.clock.now() + this.statsIntervalMs;
      this.statisticsDueMs = Math.min(this.statisticsDueMs, latest);
    }
    const { otherConfig } = config;
    this.datapathSettings = readDatapathSettings(otherConfig, warn);
    this.deps.expectDevices(this.newInterfaces(config));
    this.turns.begin([
      ...this.removals(config),
      () => {
        for (const name of config.invalidNames) this.failures.set(name, INVALID_NAME);
        this.tls = config.tls ?? this.deps.tls ?? {};
        for (const { ofproto } of this.bridges.values()) ofproto.connmgr.setTls(this.tls);
      },
      ...config.bridges.map((bridge) => () => this.applyBridge(bridge)),
      () => this.bridgesApplied(config),
    ]);
  }

  /** How many of the machine's interfaces there are to open. */
  private newInterfaces({ bridges }: SwitchConfig): number {
    let count = 0;
    for (const { name, datapathType, ports } of bridges) {
      const opened = this.bridges.get(name)?.ifaces;
      for (const iface of datapathType === 'dummy' ? [] : ports.flatMap((port) => port.ifaces)) {
        const state = opened?.get(iface.name);
        // What could not be opened is most often not there.
        if (iface.type === 'system' && !state?.device && !state?.error) count += 1;
      }
    }
    return count;
  }

  /** All bridges are as they should be. */
  private bridgesApplied(config: SwitchConfig): void {
    this.deps.expectDevices(0);
    // What has come meanwhile is read next.
    if (!this.configDirty) this.affected.clear();
    // Agents of sFlow are numbered over all bridges.
    if (config.bridges.some(({ exports }) => exports.sflow)) this.affected.noteEverything();
    const warn = (message: string): void => this.warnOnce(message);
    const { otherConfig } = config;
    this.deps.registry.setUdpifSettings(readUdpifSettings(otherConfig, warn));
    const bundleIdleSec = mapInt(otherConfig, 'bundle-idle-timeout', BUNDLE_IDLE_SEC, warn);
    for (const { ofproto } of this.bridges.values()) {
      ofproto.connmgr.bundleIdleMs = bundleIdleSec * 1000;
      ofproto.connmgr.inBand.setManagers(config.managers);
    }
    const settings = this.datapathSettings;
    const { vlanLimit } = settings;
    this.deps.registry.vlanLimit = vlanLimit;
    for (const { dpif } of this.backers.values()) {
      dpif.configure(settings);
    }
    void this.finish(config.nextCfg);
  }

  /** Configurations of bridges that nothing has happened to since they were read. */
  private unchangedBridges(): (uuid: string) => BridgeConfig | null {
    const known = new Map<string, BridgeConfig>();
    for (const { config } of this.bridges.values()) {
      if (!this.affected.includes(config)) known.set(config.uuid, config);
    }
    return (uuid) => known.get(uuid) ?? null;
  }

  /** What takes bridges away, and ports from others. */
  private removals(config: SwitchConfig): (() => void)[] {
    const wanted = new Map(config.bridges.map((bridge) => [bridge.name, bridge]));
    for (const name of this.failures.keys()) if (!wanted.has(name)) this.failures.delete(name);
    const pieces: (() => void)[] = [];
    for (const bridge of this.bridges.values()) {
      const next = wanted.get(bridge.name);
      if (next && bridge.isSettled(next)) continue;
      const stays = next && next.datapathType === bridge.config.datapathType;
      pieces.push(() => {
        if (stays) bridge.removeUnwanted(next);
        else {
          this.closeBridge(bridge);
          this.bridges.delete(bridge.name);
        }
      });
    }
    return pieces;
  }

  private applyBridge(config: BridgeConfig): void {
    this.opening = config;
    try {
      const bridge = this.bridges.get(config.name) ?? this.openBridge(config);
      if (!bridge.isSettled(config)) bridge.apply(config);
      this.failures.delete(config.name);
    } catch (error) {
      const message = errorMessage(error);
      // Said once for each new failure: it is tried again at every reconfiguration.
      if (this.failures.get(config.name) !== message) {
        log.err(`failed to create bridge ${config.name}: ${message}`);
      }
      this.failures.set(config.name, message);
    } finally {
      this.opening = null;
    }
  }

  private openBridge(config: BridgeConfig): Bridge {
    const mac = randomMac();
    const ofproto = new Ofproto(this.backerFor(config.datapathType).backer, {
      name: config.name,
      datapathId: 0n,
      clock: this.deps.clock,
      hwAddr: mac,
    });
    ofproto.connmgr.setTls(this.tls);
    if (config.datapathType !== 'dummy') ofproto.connmgr.inBand.nextHop = this.deps.nextHop;
    const bridge = new Bridge(config, ofproto, this, mac);
    this.bridges.set(config.name, bridge);
    const listening = ofproto.listenMgmt(`${this.deps.runDir}/${config.name}.mgmt`);
    this.listening.push(
      listening.catch((error: unknown) => {
        log.err(`bridge ${config.name}: cannot listen for OpenFlow: ${errorMessage(error)}`);
      }),
    );
    return bridge;
  }

  private closeBridge(bridge: Bridge): void {
    bridge.close();
    bridge.ofproto.close();
  }

  private backerFor(type: string): { backer: OfprotoBacker; dpif: Dpif } {
    let entry = this.backers.get(type);
    if (!entry) {
      const dpif = this.deps.openDpif(type, this.datapathSettings);
      entry = { dpif, backer: this.deps.registry.openBacker(type, dpif) };
      this.backers.set(type, entry);
    }
    return entry;
  }

  /** Lets the workers take everything up, then tells the database. */
  private async finish(nextCfg: number): Promise<void> {
    try {
      await Promise.all(this.listening.splice(0));
      await Promise.all([...this.backers.values()].map(({ dpif }) => dpif.sync()));
    } catch (error) {
      log.err(`the datapath did not take up the configuration: ${errorMessage(error)}`);
    }
    if (this.closed) return;
    this.appliedCfg = nextCfg;
    this.linkStatusDueMs = NEVER;
    this.status.write({ statistics: false });
  }

  private committed(): void {
    if (this.statisticsDueMs === NEVER) {
      this.statisticsDueMs = this.deps.clock.now() + this.statsIntervalMs;
    }
    this.isReady = true;
    this.tellReady();
    this.deps.wake();
  }

  /** Whoever started the daemon may go on. */
  private tellReady(): void {
    if (this.toldReady) return;
    this.toldReady = true;
    this.deps.onReady();
  }

  private warnOnce(message: string): void {
    if (this.warned.has(message)) return;
    if (this.warned.size > 10_000) this.warned = new Set();
    this.warned.add(message);
    log.warn(message);
  }
}
