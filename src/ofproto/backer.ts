/**
 * A datapath and what all bridges on it share: port numbers, upcalls, installed flows.
 *
 *     Ofproto br1 --.                       .-- datapath port 1 <-> br1 port 1
 *     Ofproto br2 ---+-- OfprotoBacker -- Dpif  datapath port 2 <-> br2 port 1
 *                    `-- patch ports: no datapath port, found by name
 *
 * Not for: one bridge's state (ofproto.ts).
 */
import type { Clock } from '../common/clock.js';
import { getLogger } from '../common/log.js';
import { type RateLimitedLogger, rateLimited } from '../common/log-rate-limit.js';
import type { Dpif, Upcall } from '../datapath/dpif.js';
import { finishedFrame } from '../datapath/finished-frame.js';
import { METERS_MAX } from '../datapath/meter-table.js';
import type { SampleCookie, UserspaceCookie } from '../datapath/odp-actions.js';
import { W_IN_PORT } from '../packet/flow-layout.js';
import { ControllerActions } from './controller-actions.js';
import { DpSupport } from './dp-support.js';
import type { MacNumber } from './flow-access.js';
import { macKey } from './mac-learning.js';
import type { Ofproto } from './ofproto.js';
import type { OfPort } from './port.js';
import { RecircIds } from './recirc-ids.js';
import { Revalidator } from './revalidate.js';
import { deliverSample } from './sampling.js';
import { defaultUdpifSettings, type PortDevice, type UdpifSettings } from './settings.js';
import { Udpif } from './udpif.js';
import { FrozenStates } from './xlate/freeze.js';

type ControllerCookie = Extract<UserspaceCookie, { type: 'controller' }>;

export interface BackerHooks {
  /** Asks the main loop for a turn. */
  wake?(): void;
  onClose?(): void;
}

export class OfprotoBacker {
  readonly ofprotos = new Set<Ofproto>();
  readonly recircIds = new RecircIds();
  readonly controllerActions: ControllerActions;
  readonly frozenStates: FrozenStates;
  /** What packets cause, so limited: problems with them, and what surprises users. */
  readonly packetWarnings: RateLimitedLogger;
  readonly packetNotes: RateLimitedLogger;
  /** Whole traces: rarer still. */
  readonly failedTranslations: RateLimitedLogger;
  readonly udpif: Udpif;
  readonly revalidator: Revalidator;
  readonly support: DpSupport;
  settings: UdpifSettings = defaultUdpifSettings();
  /** What controllers have put into bundles that they have not committed. */
  readonly bundled = { messages: 0, bytes: 0, entries: 0 };
  private readonly meterIds = new Set<number>();
  private lastSampleId = 0;
  private readonly byOdp = new Map<number, OfPort>();
  private readonly patchByName = new Map<string, OfPort>();

  constructor(
    readonly type: string,
    readonly dpif: Dpif,
    readonly clock: Clock,
    private readonly hooks: BackerHooks = {},
  ) {
    const log = getLogger('ofproto_dpif_xlate');
    this.packetWarnings = rateLimited(log, clock);
    this.packetNotes = rateLimited(log, clock);
    this.failedTranslations = rateLimited(getLogger('ofproto_dpif_upcall'), clock, {
      burst: 1,
      perMinute: 1,
    });
    this.udpif = new Udpif(this);
    this.revalidator = new Revalidator(this, this.udpif);
    this.controllerActions = new ControllerActions(this.recircIds, clock);
    this.frozenStates = new FrozenStates(this.recircIds, clock);
    this.support = new DpSupport(dpif.type !== 'dummy', dpif.bonds !== null);
    dpif.onUpcall((upcall) => this.udpif.upcall(upcall));
  }

  /** Installed flows may be wrong now: look at them again soon. */
  markRevalidate(): void {
    this.revalidator.mark();
    this.wake();
  }

  /** Entries changed: as above, but no turn is needed where no flow is installed. */
  tablesChanged(): void {
    this.revalidator.mark();
    if (this.revalidator.pending) this.wake();
  }

  /** An address was learned, has moved or was forgotten: flows that looked it up may be wrong. */
  macChanged(ofproto: Ofproto, { mac, vlan }: { mac: MacNumber; vlan: number }): void {
    const dependents = this.udpif.macDependents.of(ofproto, macKey(mac, vlan));
    if (this.revalidator.markFlows(dependents)) this.wake();
  }

  /** Something may be due earlier than `nextWake` said last. */
  wake(): void {
    this.hooks.wake?.();
  }

  get revalidationPending(): boolean {
    return this.revalidator.pending;
  }

  /** A number for a new bridge. */
  takeSampleId(): number {
    this.lastSampleId += 1;
    return this.lastSampleId;
  }

  /** A packet that the datapath sampled. */
  sampled(cookie: SampleCookie, upcall: Upcall): void {
    for (const ofproto of this.ofprotos) {
      if (ofproto.sampleId !== cookie.bridge) continue;
      deliverSample(ofproto.exporters, { frame: upcall.frame.data, key: upcall.key }, cookie);
    }
  }

  /** The datapath's number for a new meter, or null when there are too many. */
  takeMeterId(): number | null {
    for (let id = 0; id < METERS_MAX; id++) {
      if (this.meterIds.has(id)) continue;
      this.meterIds.add(id);
      return id;
    }
    return null;
  }

  /** A meter is gone: its number may be given again. */
  freeMeterId(id: number): void {
    this.dpif.meterDel(id);
    this.meterIds.delete(id);
  }

  /** True when a barrier has nothing to wait for. */
  get settled(): boolean {
    return !this.revalidator.pending && this.dpif.synced();
  }

  /** Resolves when all changes so far are in force for the next packet in every worker. */
  async barrier(): Promise<void> {
    await this.revalidator.settled();
    await this.dpif.sync();
  }

  /** Adds a device to the datapath, or to the patch ports. @returns its datapath port or null */
  addDevice(device: PortDevice): number | null {
    return device.type === 'patch' ? null : this.dpif.portAdd(device);
  }

  registerPort(port: OfPort): void {
    if (port.odpPort !== null) this.byOdp.set(port.odpPort, port);
    else this.patchByName.set(port.name, port);
    this.markRevalidate();
  }

  removePort(port: OfPort): void {
    if (port.odpPort !== null) {
      this.byOdp.delete(port.odpPort);
      this.dpif.portDel(port.odpPort);
    } else if (this.patchByName.get(port.name) === port) this.patchByName.delete(port.name);
    this.markRevalidate();
  }

  /** Gives a port another number in the datapath. @throws TapswitchError when it is not free */
  changeOdpPort(port: OfPort, wanted: number): void {
    if (port.odpPort === null) return;
    this.byOdp.delete(port.odpPort);
    this.dpif.portDel(port.odpPort);
    port.odpPort = this.dpif.portAdd(port.device, wanted);
    this.registerPort(port);
  }

  portByOdp(odpPort: number): OfPort | null {
    return this.byOdp.get(odpPort) ?? null;
  }

  patchPort(name: string): OfPort | null {
    return this.patchByName.get(name) ?? null;
  }

  /** A packet that a controller action sent up. */
  packetIn(cookie: ControllerCookie, upcall: Upcall): void {
    const state = this.controllerActions.get(cookie.id);
    if (state === null || cookie.dontSend) return;
    state.ofproto.connmgr.sendPacketIn(state, finishedFrame(upcall.frame));
  }

  /** The OpenFlow port behind a datapath key, for commands that show one bridge's flows. */
  ofprotoOfKey(key: Int32Array): Ofproto | null {
    return this.portByOdp(key[W_IN_PORT])?.ofproto ?? null;
  }

  /** Statistics of rules and MACs are exact up to this moment afterwards. */
  pushStats(): void {
    this.udpif.pushAllStats();
  }

  run(now: number): void {
    this.dpif.run(now);
    this.controllerActions.run(now);
    this.frozenStates.run(now);
    for (const ofproto of this.ofprotos) ofproto.run(now);
    this.revalidator.run(now);
  }

  nextWake(): number {
    let next = Math.min(this.dpif.nextWake(), this.revalidator.nextWake());
    next = Math.min(next, this.controllerActions.nextWake(), this.frozenStates.nextWake());
    for (const ofproto of this.ofprotos) next = Math.min(next, ofproto.nextWake());
    return next;
  }

  /** Lets all flows and bridges go. The Dpif stays the caller's to close. */
  close(): void {
    this.udpif.removeAll();
    for (const ofproto of [...this.ofprotos]) ofproto.close();
    this.hooks.onClose?.();
  }
}
