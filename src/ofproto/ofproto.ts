/**
 * One bridge as an OpenFlow switch: ports, bundles, MAC table, flow tables, connections.
 *
 *     portAdd / portDel      devices become OpenFlow ports
 *     bundleSet              ports become members of configured ports, with VLANs and bonds
 *     flowMod / flowStats    tables
 *     run(now)               links, bonds, MAC ageing, timeouts, connections
 *
 * Packets do not pass here: xlate/ reads this state to tell the datapath what to do with them, and
 * whatever changes that state calls `markRevalidate`.
 */
import type { Clock } from '../common/clock.js';
import { NEVER } from '../common/clock.js';
import { TapswitchError } from '../common/errors.js';
import { OFPP, type OfAction } from '../openflow/actions.js';
import { matchAny } from '../openflow/match.js';
import type { FlowMod, FlowStatsRequest, PortMod } from '../openflow/messages.js';
import type { IpfixStatsEntry } from '../openflow/messages-stats.js';
import type { OfprotoBacker } from './backer.js';
import type { Bond } from './bond.js';
import { Bundle } from './bundle.js';
import { bundleNextWake, bundleRun } from './bundle-run.js';
import { Connmgr } from './connmgr/connmgr.js';
import type { OfConn } from './connmgr/ofconn.js';
import { RuleTimeouts } from './expiry.js';
import { deleteRules, executeFlowMod, rulesOf } from './flow-mod.js';
import { flowTables, TBL_INTERNAL } from './flow-table.js';
import { BridgeGroups } from './group-service.js';
import { GroupTable } from './group-table.js';
import { LearnedCookies } from './learned-cookies.js';
import {
  forgetHosts,
  MAC_ENTRIES_DEFAULT,
  MAC_IDLE_SEC_DEFAULT,
  MacLearning,
  type MacSighting,
} from './mac-learning.js';
import { OfMeters } from './meters.js';
import { Mirrors } from './mirror.js';
import { checkedPort, OFPPC, OFPPS, OfPort } from './port.js';
import { NO_FLAGS, Rule } from './rule.js';
import { type BridgeExporters, ipfixEntries, NO_EXPORTERS } from './sampling.js';
import type {
  BundleSettings,
  ControllerSettings,
  ControllerStatus,
  FailMode,
  OfprotoDesc,
  PortDevice,
} from './settings.js';
import type { TableDraft } from './table-draft.js';
import { TableView } from './table-view.js';
import { TlvTable } from './tlv-table.js';

/** Highest OpenFlow number of an ordinary port (1.0 has 16 bits for it). */
const PORT_NO_MAX = 0xfeff;
/** Time between looks for entries that timed out, and for MACs to forget. */
const SECOND_MS = 1000;

export interface OfprotoOptions {
  name: string;
  datapathId: bigint;
  clock: Clock;
  /** The bridge's own MAC, 6 bytes. */
  hwAddr: Uint8Array;
  desc?: Partial<OfprotoDesc>;
}

export interface BondStatus {
  /** 6 bytes, null while no member is active. */
  activeMemberMac: Uint8Array | null;
}

export class Ofproto {
  readonly name: string;
  readonly clock: Clock;
  datapathId: bigint;
  readonly timeouts = new RuleTimeouts(this, (...over) => deleteRules(this, ...over));
  /** A bundle that is being committed: nobody else changes the tables. */
  draft: TableDraft | null = null;
  readonly view = new TableView();
  readonly tables = flowTables(this.timeouts, this.view);
  readonly macs: MacLearning<Bundle>;
  readonly connmgr: Connmgr;
  readonly groups = new GroupTable(this);
  readonly meters = new OfMeters(this);
  readonly mirrors = new Mirrors(this);
  readonly learnedCookies = new LearnedCookies(this.tables, (rules) => deleteRules(this, rules));
  readonly tlvTable = new TlvTable();
  /** NetFlow, sFlow and IPFIX; see setExporters. */
  exporters: BridgeExporters = NO_EXPORTERS;
  /** Names the bridge in cookies of sampled packets. */
  readonly sampleId: number;
  forwardBpdu = false;
  /** OFPC_FRAG_*: see setFragHandling. */
  fragHandling = 0;
  desc: OfprotoDesc;
  /** Stand in for an entry where a packet matches none. */
  readonly missRule: Rule;
  readonly noPacketInRule: Rule;
  readonly dropFragmentsRule: Rule;
  private readonly portsByNo = new Map<number, OfPort>();
  private readonly bundlesByKey = new Map<string, Bundle>();
  private lastPortNo = 0;
  private nextSecondMs = 0;
  private closed = false;
  hwAddr: Uint8Array;

  constructor(
    readonly backer: OfprotoBacker,
    options: OfprotoOptions,
  ) {
    this.name = options.name;
    this.clock = options.clock;
    this.datapathId = options.datapathId;
    this.hwAddr = options.hwAddr;
    this.desc = {
      mfrDesc: 'Nicira, Inc.',
      hwDesc: 'Open vSwitch',
      swDesc: '3.1.0',
      serialDesc: 'None',
      dpDesc: 'None',
      ...options.desc,
    };
    this.macs = new MacLearning<Bundle>(() => Math.floor(this.clock.now() / SECOND_MS));
    this.macs.onChange = (entry) => backer.macChanged(this, entry);
    this.missRule = this.internalRule([
      { type: 'controller', maxLen: 0xffff, controllerId: 0, reason: 0 },
    ]);
    this.noPacketInRule = this.internalRule([]);
    this.dropFragmentsRule = this.internalRule([]);
    this.connmgr = new Connmgr(this);
    this.connmgr.groups = new BridgeGroups(this);
    this.sampleId = backer.takeSampleId();
    backer.ofprotos.add(this);
    this.connmgr.applyFailMode();
  }

  private internalRule(actions: OfAction[]): Rule {
    return new Rule(
      {
        match: matchAny(),
        priority: 0,
        tableId: TBL_INTERNAL,
        cookie: 0n,
        idleTimeout: 0,
        hardTimeout: 0,
        importance: 0,
        flags: NO_FLAGS,
        actions,
      },
      this.clock.now(),
    );
  }

  // Ports.

  /**
   * Makes a device an OpenFlow port.
   * @param request the number it should have, when free (OFPP.LOCAL for the bridge's own port)
   * @returns its OpenFlow number
   * @throws TapswitchError E_PORT_EXISTS, E_NO_PORT_NUMBER, and what the datapath throws
   */
  portAdd(device: PortDevice, request?: number): number {
    if (this.portByName(device.name) !== null) {
      throw new TapswitchError('E_PORT_EXISTS', `${device.name} is a port of ${this.name} already`);
    }
    const ofPort = this.allocatePort(request);
    const odpPort = this.backer.addDevice(device);
    const port = new OfPort(this, device, ofPort, odpPort, this.clock.now());
    this.portsByNo.set(ofPort, port);
    this.backer.registerPort(port);
    this.connmgr.sendPortStatus(port, 'add');
    return ofPort;
  }

  private allocatePort(request: number | undefined): number {
    const usable = request === OFPP.LOCAL || (request && request >= 1 && request <= PORT_NO_MAX);
    if (request !== undefined && usable && !this.portsByNo.has(request)) return request;
    for (let i = 0; i < PORT_NO_MAX; i++) {
      this.lastPortNo = this.lastPortNo >= PORT_NO_MAX ? 1 : this.lastPortNo + 1;
      if (!this.portsByNo.has(this.lastPortNo)) return this.lastPortNo;
    }
    throw new TapswitchError('E_NO_PORT_NUMBER', `${this.name} has no free OpenFlow port number`);
  }

  /** Takes a port out. The device stays the caller's to close. Unknown numbers are ignored. */
  portDel(ofPort: number): void {
    const port = this.portsByNo.get(ofPort);
    if (port === undefined) return;
    if (port.bundle !== null) {
      if (port.bundle.ports.length === 1) forgetHosts(this, port.bundle);
      port.bundle.dropPort(port);
    }
    this.portsByNo.delete(ofPort);
    this.backer.removePort(port);
    this.connmgr.sendPortStatus(port, 'delete');
  }

  /** All ports by number, the local one last. */
  ports(): OfPort[] {
    return [...this.portsByNo.values()].sort((a, b) => a.ofPort - b.ofPort);
  }

  portByNo(ofPort: number): OfPort | null {
    return this.portsByNo.get(ofPort) ?? null;
  }

  portByName(name: string): OfPort | null {
    for (const port of this.portsByNo.values()) if (port.name === name) return port;
    return null;
  }

  /**
   * OpenFlow's port-mod.
   * @param source the connection that asked, if any
   * @throws OfpError
   */
  portMod(mod: PortMod, source: OfConn | null = null): void {
    const port = checkedPort(this, mod);
    const config = (port.config & ~mod.mask) | (mod.config & mod.mask);
    if (config === port.config) return;
    if (((config ^ port.config) & OFPPC.PORT_DOWN) !== 0) {
      port.device.setAdminUp((config & OFPPC.PORT_DOWN) === 0);
    }
    port.config = config;
    if ((config & OFPPC.PORT_DOWN) !== 0) port.state &= ~OFPPS.LIVE;
    this.markRevalidate();
    this.connmgr.sendPortStatus(port, 'modify', { source });
  }

  // Bundles.

  /** Makes, changes or (with null) removes the bundle of a configured port. */
  bundleSet(key: string, settings: BundleSettings | null): void {
    const known = this.bundlesByKey.get(key);
    this.markRevalidate();
    if (settings === null) {
      if (known === undefined) return;
      forgetHosts(this, known);
      known.clear();
      this.bundlesByKey.delete(key);
      this.mirrors.resolve();
      return;
    }
    const bundle = known ?? new Bundle(key, settings.name, this.clock);
    const ports = settings.members.flatMap((no) => this.portsByNo.get(no) ?? []);
    for (const port of ports) {
      if (port.bundle !== null && port.bundle !== bundle) port.bundle.dropPort(port);
    }
    this.bundlesByKey.set(key, bundle);
    if (bundle.configure(settings, ports) && known !== undefined) this.macs.flushBundle(bundle);
    this.mirrors.resolve();
    bundleRun(this, bundle);
  }

  bundles(): Iterable<Bundle> {
    return this.bundlesByKey.values();
  }

  bundleByKey(key: string): Bundle | null {
    return this.bundlesByKey.get(key) ?? null;
  }

  *bonds(): Generator<Bond> {
    for (const bundle of this.bundlesByKey.values()) if (bundle.bond !== null) yield bundle.bond;
  }

  /** What the configuration layer writes back for a bond, or null for any other port. */
  bondStatus(key: string): BondStatus | null {
    const bond = this.bundlesByKey.get(key)?.bond ?? null;
    return bond === null ? null : { activeMemberMac: bond.activeMemberMac() };
  }

  /** Whether LACP's information on a port's partner is at hand; null without LACP. */
  lacpCurrent(ofPort: number): boolean | null {
    const port = this.portByNo(ofPort);
    return port === null ? null : (port.bundle?.lacp?.isCurrent(port.device) ?? null);
  }

  /** Learns a MAC from a packet that NORMAL saw. @returns true when it is new there */
  learn(sighting: Omit<MacSighting<Bundle>, 'isBond'>): boolean {
    const { bundle } = sighting;
    if (this.bundlesByKey.get(bundle.key) !== bundle) return false;
    const news = this.macs.update({ ...sighting, isBond: bundle.bond !== null });
    if (news) this.backer.macChanged(this, sighting);
    return news;
  }

  // Settings.

  /** What the bridge's, or the flows', IPFIX exporters have counted; null: there are none. */
  ipfixStats(bridge: boolean): IpfixStatsEntry[] | null {
    return ipfixEntries(this.exporters.ipfix, bridge);
  }

  /** Who exports the bridge's traffic, also when only its settings changed. */
  setExporters(exporters: BridgeExporters): void {
    this.exporters = exporters;
    this.markRevalidate();
  }

  setMacTableConfig(idleSec = MAC_IDLE_SEC_DEFAULT, max = MAC_ENTRIES_DEFAULT): void {
    this.macs.setIdleTime(idleSec);
    this.macs.setMaxEntries(max);
  }

  setForwardBpdu(forward: boolean): void {
    if (forward === this.forwardBpdu) return;
    this.forwardBpdu = forward;
    this.markRevalidate();
  }

  /** VLANs in which nothing is learned and everything flooded. */
  setFloodVlans(vlans: ReadonlySet<number> | null): void {
    if (!this.macs.setFloodVlans(vlans)) return;
    this.macs.flush();
    this.markRevalidate();
  }

  setDatapathId(datapathId: bigint): void {
    if (datapathId === this.datapathId) return;
    this.datapathId = datapathId;
    this.connmgr.reconnectAll();
  }

  setDesc(desc: Partial<OfprotoDesc>): void {
    Object.assign(this.desc, desc);
  }

  setFailMode(mode: FailMode): void {
    this.connmgr.setFailMode(mode);
  }

  setControllers(controllers: readonly ControllerSettings[]): void {
    this.connmgr.setControllers(controllers);
  }

  controllerStatus(): ControllerStatus[] {
    return this.connmgr.controllerStatus();
  }

  /** Versions (wire numbers) that connections may speak; empty: the default. */
  setProtocols(versions: readonly number[]): void {
    this.connmgr.setProtocols(versions);
  }

  setSnoops(targets: readonly string[]): void {
    this.connmgr.setSnoops(targets);
  }

  /** Serves OpenFlow on a unix socket (BRIDGE.mgmt). */
  listenMgmt(path: string): Promise<void> {
    return this.connmgr.listenMgmt(path);
  }

  // Tables.

  /** 0: fragments are matched without ports; 1: dropped; 3: only later ones are without ports. */
  setFragHandling(mode: number): void {
    if (mode === this.fragHandling) return;
    this.fragHandling = mode;
    this.markRevalidate();
  }

  /** @throws OfpError */
  flowMod(mod: FlowMod): void {
    executeFlowMod(this, mod);
  }

  /**
   * Entries that a request covers, statistics up to date. They are found as they are asked for:
   * what changes meanwhile is among them or not.
   * @throws OfpError
   */
  flowStats(request: FlowStatsRequest): Generator<Rule> {
    this.backer.pushStats();
    return rulesOf(this, request);
  }

  /** Removes every entry that controllers may see, and puts the default one back if it is due. */
  flushFlows(): void {
    this.finishDraft();
    for (const table of this.tables) {
      if (table.hidden) continue;
      deleteRules(
        this,
        [...table.cls.rules()].filter((rule) => !rule.hidden),
      );
    }
    this.groups.clear();
    this.meters.clear();
    this.connmgr.applyFailMode();
  }

  /** A group is gone: entries that send packets to it go too. */
  deleteRulesWithGroup(group: number): void {
    deleteRules(
      this,
      this.rulesWith((rule) => rule.usesGroup(group)),
      'group_delete',
    );
  }

  /** A meter is gone: entries whose packets pass it go too. */
  deleteRulesWithMeter(meter: number): void {
    deleteRules(
      this,
      this.rulesWith((rule) => rule.usesMeter(meter)),
      'meter_delete',
    );
  }

  rulesWith(condition: (rule: Rule) => boolean): Rule[] {
    return this.tables.flatMap((table) => [...table.cls.rules()].filter(condition));
  }

  /** True when some connection wants packets that no entry matches. */
  wantsPacketInOnMiss(): boolean {
    return this.connmgr.wantsPacketInOnMiss();
  }

  /** Has a bundle that is being committed carried out at once, unless it is what runs now. */
  finishDraft(): void {
    if (this.draft !== null && !this.draft.running) this.draft.finish();
  }

  tablesChanged(): void {
    // What a bundle changes is met by nobody yet.
    if (this.draft?.running !== true) this.backer.tablesChanged();
  }

  markRevalidate(): void {
    this.backer.markRevalidate();
  }

  /** Notes when an entry can time out at the earliest. */
  ruleTimes(rule: Rule): void {
    this.timeouts.note(rule);
  }

  // Time.

  run(now: number): void {
    if (this.closed) return;
    this.exporters.run(now);
    for (const port of this.portsByNo.values()) this.portRun(port);
    for (const bundle of this.bundlesByKey.values()) bundleRun(this, bundle);
    this.timeouts.run(now);
    if (now >= this.nextSecondMs) {
      this.nextSecondMs = now + SECOND_MS;
      // Traffic that the datapath carries keeps its MACs young.
      if (this.macs.nextExpiry() * SECOND_MS <= now + SECOND_MS) this.backer.pushStats();
      this.macs.run();
    }
    this.connmgr.run(now);
  }

  private portRun(port: OfPort): void {
    const state = port.currentState();
    const down = port.device.adminUp() ? 0 : OFPPC.PORT_DOWN;
    if (state === port.state && (port.config & OFPPC.PORT_DOWN) === down) return;
    const liveOnly =
      (state ^ port.state) === OFPPS.LIVE && (port.config & OFPPC.PORT_DOWN) === down;
    port.state = state;
    port.config = (port.config & ~OFPPC.PORT_DOWN) | down;
    this.markRevalidate();
    this.connmgr.sendPortStatus(port, 'modify', { liveOnly });
  }

  nextWake(): number {
    let next = Math.min(this.connmgr.nextWake(), this.timeouts.nextMs(), this.exporters.nextWake());
    for (const bundle of this.bundles()) next = Math.min(next, bundleNextWake(bundle));
    const macSec = this.macs.nextExpiry();
    if (macSec !== NEVER) next = Math.min(next, Math.max(macSec * SECOND_MS, this.nextSecondMs));
    return next;
  }

  /** Ends connections and takes every port out. Devices stay the caller's. Idempotent. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.draft?.giveUp();
    this.connmgr.close();
    for (const key of [...this.bundlesByKey.keys()]) this.bundleSet(key, null);
    for (const port of this.ports()) this.portDel(port.ofPort);
    this.groups.clear();
    this.meters.clear();
    this.backer.controllerActions.dropOfproto(this);
    this.backer.frozenStates.dropOfproto(this);
    this.backer.ofprotos.delete(this);
    this.markRevalidate();
  }
}
