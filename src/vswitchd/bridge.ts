/**
 * A running bridge: makes what runs equal to what its configuration asks for.
 *
 *     apply(config):  close interfaces that are no longer wanted  (free their names and numbers)
 *                     open the ones that are missing              (failures become Interface.error)
 *                     set up ports as bundles, the local port's MAC, tables, controllers
 *
 * An interface that cannot be opened costs nothing but itself: its error is kept for the database
 * and the next `apply` tries again. Not for: reading rows (read-config.ts) or writing them
 * (status.ts).
 */
import { isDeepStrictEqual } from 'node:util';
import { errorMessage, TapswitchError } from '../common/errors.js';
import { getLogger } from '../common/log.js';
import { BridgeExport } from '../export/index.js';
import type { Netdev } from '../netdev/index.js';
import { lacpMemberDefaults } from '../ofproto/bundle.js';
import type { Ofproto } from '../ofproto/index.js';
import type { LacpMemberSettings } from '../ofproto/settings.js';
import { configureTables } from '../ofproto/table-config.js';
import { pickBridgeMac } from './bridge-mac.js';
import type { BridgeConfig, IfaceConfig, PortConfig } from './config.js';
import { allowedControllers } from './controller-targets.js';
import { shapingOf } from './read-qos.js';

const log = getLogger('bridge');

/** OpenFlow number of the local port in requests to the OpenFlow layer. */
const OFPP_LOCAL = 0xfffffffe;
/** Of a bridge that has nothing but internal ports. */
const DEFAULT_MTU = 1500;

export interface IfaceState {
  config: IfaceConfig;
  device: Netdev | null;
  /** OpenFlow port number; -1 when the interface could not be opened. */
  ofport: number;
  /** Why it could not be opened, for Interface.error. */
  error: string | null;
  /** Why a setting could not be made, as the log was told. */
  settingError: string | null;
}

/** What a bridge needs of the daemon around it. */
/** Of ports without queues that mark packets. */
const NO_DSCP: ReadonlyMap<number, number> = new Map();

export interface BridgeHost {
  openDevice(iface: IfaceConfig): Netdev;
  /** The bridge that has a device of that name open, or null. */
  ownerOf(deviceName: string): string | null;
  /** Directory of the sockets. */
  readonly runDir: string;
}

export class Bridge {
  readonly ifaces = new Map<string, IfaceState>();
  /** Ports as last applied, by name. */
  readonly ports = new Map<string, PortConfig>();
  private readonly exporters: BridgeExport;
  /** The local port's and datapath's MAC, as last chosen. */
  mac: Uint8Array;
  /** What apply() has carried out. */
  private applied: BridgeConfig | null = null;

  constructor(
    public config: BridgeConfig,
    readonly ofproto: Ofproto,
    private readonly host: BridgeHost,
    /** Used while no port offers a MAC. */
    private readonly defaultMac: Uint8Array,
  ) {
    this.mac = defaultMac;
    this.exporters = new BridgeExport(ofproto, ofproto.clock);
  }

  get name(): string {
    return this.config.name;
  }

  /** Closes what `config` no longer wants. Run for all bridges before any opens: names move. */
  removeUnwanted(config: BridgeConfig): void {
    const wanted = new Map<string, IfaceConfig>();
    for (const port of config.ports) for (const iface of port.ifaces) wanted.set(iface.name, iface);
    const wantedPorts = new Map(config.ports.map((port) => [port.name, port]));
    for (const [name] of this.ports) {
      if (wantedPorts.has(name)) continue;
      this.ofproto.bundleSet(name, null);
      this.ports.delete(name);
    }
    const numbers = requestedNumbers(config);
    for (const iface of [...this.ifaces.values()]) {
      const next = wanted.get(iface.config.name);
      const keep = next && !mustReopen(iface, next) && !mustRenumber(iface, numbers);
      if (keep && !this.wasTakenOut(iface)) {
        if (!sameOptions(iface.config, next)) iface.device?.setOptions?.(optionsOf(next));
        iface.config = next;
        setQueues(iface.device, next);
      } else this.closeIface(iface);
    }
  }

  /** Whether apply() of a configuration would change nothing. */
  isSettled(config: BridgeConfig): boolean {
    if (this.applied !== config) return false;
    for (const iface of this.ifaces.values()) {
      if (iface.device === null || this.wasTakenOut(iface)) return false;
    }
    return sameBytes(this.mac, pickBridgeMac(config, this.ifaces, this.defaultMac));
  }

  /** The port is no longer there though its device is (dpctl/del-if): it is to be opened anew. */
  private wasTakenOut({ device, ofport }: IfaceState): boolean {
    return device !== null && this.ofproto.portByNo(ofport)?.device !== device;
  }

  /** Opens what is missing and pushes every setting. */
  apply(config: BridgeConfig): void {
    this.config = config;
    this.applied = null;
    // Who asks for a number comes before who takes any.
    const ifaces = config.ports.flatMap((port) => port.ifaces);
    for (const iface of ifaces) if (iface.ofportRequest !== null) this.ensureIface(iface);
    for (const iface of ifaces) if (iface.ofportRequest === null) this.ensureIface(iface);
    this.applyMac();
    this.applyMtu();
    for (const port of config.ports) this.applyPort(port);
    this.ofproto.mirrors.configure(config.mirrors);
    this.exporters.configure(config.exports);
    this.applySettings();
    this.applied = config;
  }

  /** A device vanished: give its port up; the rest goes on. */
  deviceGone(name: string): void {
    const iface = this.ifaces.get(name);
    if (!iface?.device) return;
    this.closeIface(iface);
    const error = `could not open network device ${name} (No such device)`;
    this.ifaces.set(name, {
      config: iface.config,
      device: null,
      ofport: -1,
      error,
      settingError: null,
    });
    for (const port of this.ports.values()) {
      if (port.ifaces.some((i) => i.name === name)) this.applyPort(port);
    }
  }

  close(): void {
    this.ofproto.backer.pushStats();
    this.exporters.close();
    for (const name of this.ports.keys()) this.ofproto.bundleSet(name, null);
    this.ports.clear();
    for (const iface of [...this.ifaces.values()]) this.closeIface(iface);
  }

  private ensureIface(config: IfaceConfig): void {
    const existing = this.ifaces.get(config.name);
    if (existing?.device) return;
    const iface: IfaceState = {
      config,
      device: null,
      ofport: -1,
      error: null,
      settingError: null,
    };
    this.ifaces.set(config.name, iface);
    let device: Netdev | null = null;
    try {
      const owner = this.host.ownerOf(config.name);
      if (owner) {
        throw new TapswitchError('E_PORT_EXISTS', `${config.name} is already in bridge ${owner}`);
      }
      device = this.host.openDevice(config);
      setQueues(device, config);
      const local = config.name === this.name;
      iface.ofport = this.ofproto.portAdd(
        device,
        local ? OFPP_LOCAL : (config.ofportRequest ?? undefined),
      );
      iface.device = device;
      log.info(
        `bridge ${this.name}: added interface ${config.name} on port ${shown(iface.ofport)}`,
      );
    } catch (error) {
      device?.close();
      iface.error = errorMessage(error);
      // Said once for each new failure: apply() tries again at every reconfiguration.
      if (existing?.error !== iface.error) log.warn(iface.error);
    }
  }

  private closeIface(iface: IfaceState): void {
    const { name } = iface.config;
    this.ifaces.delete(name);
    if (!iface.device) return;
    log.info(`bridge ${this.name}: deleted interface ${name} on port ${shown(iface.ofport)}`);
    this.ofproto.portDel(iface.ofport);
    iface.device.close();
  }

  private applyPort(port: PortConfig): void {
    const members = port.ifaces
      .map((config) => this.ifaces.get(config.name)?.ofport ?? -1)
      .filter((ofport) => ofport !== -1);
    this.ports.set(port.name, port);
    for (const { name, qos } of port.ifaces) {
      const ofPort = this.ofproto.portByNo(this.ifaces.get(name)?.ofport ?? -1);
      if (ofPort !== null) ofPort.queueDscp = qos?.dscp ?? NO_DSCP;
    }
    const { lacp } = port.settings;
    const settings = {
      ...port.settings,
      members,
      lacp: lacp && { ...lacp, systemId: lacp.systemId ?? this.mac },
      lacpMembers: this.lacpMembers(port),
    };
    this.ofproto.bundleSet(port.name, members.length === 0 ? null : settings);
  }

  private lacpMembers(port: PortConfig): Map<number, LacpMemberSettings> {
    const members = new Map<number, LacpMemberSettings>();
    for (const { name, lacp } of port.ifaces) {
      const ofport = this.ifaces.get(name)?.ofport ?? -1;
      if (ofport === -1) continue;
      const defaults = lacpMemberDefaults(ofport);
      members.set(ofport, {
        portId: lacp.portId ?? defaults.portId,
        portPriority: lacp.portPriority ?? defaults.portPriority,
        key: lacp.key,
      });
    }
    return members;
  }

  /** The local port carries the bridge's MAC; the datapath id follows from it. */
  private applyMac(): void {
    this.mac = pickBridgeMac(this.config, this.ifaces, this.defaultMac);
    const local = this.ifaces.get(this.name)?.device;
    if (local && !sameBytes(local.etherAddr(), this.mac)) {
      try {
        local.setEtherAddr(this.mac);
      } catch (error) {
        log.err(
          `bridge ${this.name}: failed to set bridge Ethernet address: ${errorMessage(error)}`,
        );
      }
    }
    this.applyDatapathId(this.config.datapathId ?? macToNumber(this.mac));
    for (const iface of this.ifaces.values()) applyIfaceSettings(iface, this.name);
  }

  private applyDatapathId(datapathId: bigint): void {
    if (datapathId === this.ofproto.datapathId) return;
    const text = datapathId.toString(16).padStart(16, '0');
    log.info(`bridge ${this.name}: using datapath ID ${text}`);
    this.ofproto.setDatapathId(datapathId);
  }

  /**
   * Internal ports without a wanted MTU follow the smallest of the other ports, as in Open
   * vSwitch: what the host sends through the bridge then fits wherever it goes.
   */
  applyMtu(): void {
    let smallest = DEFAULT_MTU;
    let any = false;
    for (const { device, config } of this.ifaces.values()) {
      const mtu = isHostSide(config) ? 0 : (device?.mtu() ?? 0);
      if (mtu === 0) continue;
      smallest = any ? Math.min(smallest, mtu) : mtu;
      any = true;
    }
    for (const { device, config } of this.ifaces.values()) {
      if (!device || !isHostSide(config) || config.type === 'patch') continue;
      if (config.mtuRequest === null && device.mtu() !== smallest) setMtu(device, smallest);
    }
  }

  private applySettings(): void {
    const { config, ofproto } = this;
    ofproto.setMacTableConfig(config.macAgingSec, config.macTableSize);
    ofproto.setForwardBpdu(config.forwardBpdu);
    ofproto.setFloodVlans(config.floodVlans);
    configureTables(ofproto, config.flowTables);
    ofproto.setProtocols(config.protocols);
    ofproto.setFailMode(config.failMode);
    ofproto.connmgr.inBand.configure(config.inBand);
    const { controllers, name } = config;
    ofproto.setControllers(allowedControllers(name, controllers, this.host.runDir));
  }
}

/** Ports whose other end is the host or another bridge, not a wire. */
function isHostSide(config: IfaceConfig): boolean {
  return config.type === 'internal' || config.type === 'tap' || config.type === 'patch';
}

function setMtu(device: Netdev, mtu: number): void {
  try {
    device.setMtu(mtu);
  } catch (error) {
    log.warn(`interface ${device.name}: ${errorMessage(error)}`);
  }
}

/** MTU and MAC that the Interface row asks for. Failures are warnings: the port works without. */
function applyIfaceSettings(iface: IfaceState, bridgeName: string): void {
  const { device, config } = iface;
  if (!device) return;
  try {
    if (config.mtuRequest !== null && device.mtu() !== config.mtuRequest) {
      device.setMtu(config.mtuRequest);
    }
    const settable = config.type === 'internal' && config.name !== bridgeName;
    if (settable && config.mac && !sameBytes(device.etherAddr(), config.mac)) {
      device.setEtherAddr(config.mac);
    }
    iface.settingError = null;
  } catch (error) {
    const message = errorMessage(error);
    // Said once for each new failure: it is tried again at every reconfiguration.
    if (iface.settingError !== message) log.warn(`interface ${config.name}: ${message}`);
    iface.settingError = message;
  }
}

/** Which interface gets each number that is asked for: the first one by name. */
function requestedNumbers(config: BridgeConfig): Map<number, string> {
  const numbers = new Map<number, string>();
  for (const { ofportRequest, name } of config.ports.flatMap((port) => port.ifaces)) {
    if (ofportRequest !== null && !numbers.has(ofportRequest)) numbers.set(ofportRequest, name);
  }
  return numbers;
}

/** Whether an interface has a number that is another's, or not the one that is to be its own. */
function mustRenumber({ config, ofport }: IfaceState, numbers: Map<number, string>): boolean {
  const { name } = config;
  const owner = numbers.get(ofport);
  if (owner !== undefined) return owner !== name;
  for (const wanting of numbers.values()) if (wanting === name) return true;
  return false;
}

/** Whether going to the other configuration needs another device. */
function mustReopen({ config: from, device }: IfaceState, to: IfaceConfig): boolean {
  if (from.type !== to.type) return true;
  if (sameOptions(from, to)) return false;
  return device?.setOptions === undefined || !acceptsOptions(to);
}

/** A patch port whose new options are wrong is opened anew, so that its error is seen. */
function acceptsOptions(config: IfaceConfig): boolean {
  const peer = config.options.get('peer');
  return config.type !== 'patch' || (!!peer && peer !== config.name && config.options.size === 1);
}

function sameOptions(from: IfaceConfig, to: IfaceConfig): boolean {
  const keys = new Set([...from.options.keys(), ...to.options.keys()]);
  // The number of queues changes while the device is open.
  keys.delete('n_rxq');
  return [...keys].every((key) => from.options.get(key) === to.options.get(key));
}

/** The same object as long as nothing changes: the datapath compares by identity. */
function setQueues(device: Netdev | null, { queues, qos }: IfaceConfig): void {
  if (!device) return;
  const settings = qos ? { ...queues, shaping: shapingOf(qos, device) } : queues;
  if (!isDeepStrictEqual(device.queueSettings, settings)) device.queueSettings = settings;
}

function optionsOf(config: IfaceConfig): Record<string, string> {
  return Object.fromEntries(config.options);
}

function shown(ofport: number): number {
  return ofport === OFPP_LOCAL ? 65534 : ofport;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

function macToNumber(mac: Uint8Array): bigint {
  return mac.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
}
