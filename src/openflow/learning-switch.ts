/**
 * A controller's side of one switch that learns where stations are, as ovs-testcontroller does.
 *
 *     packet-in (port, src, dst) --> src is at port
 *         dst known   --> flow dst -> its port, and the packet there
 *         dst unknown --> the packet out of every other port
 *
 * Flows match port, VLAN, source and destination; they go when idle. For trying things out: there
 * is no spanning tree, so loops storm. Not for: making connections (src/cli/controller).
 */
import { extractFlow } from '../packet/extract.js';
import { fieldGet, fieldSet, mustField } from '../packet/fields.js';
import { VLAN_CFI, W_VLAN0 } from '../packet/flow-layout.js';
import { OFPP, type OfAction } from './actions.js';
import { type Match, matchAny } from './match.js';
import type { FlowMod, OfMessage, PacketIn, PortDesc } from './messages.js';
import type { OfConnection } from './vconn.js';

export interface LearningSwitchOptions {
  /** 'learn': with flows; 'hub': every packet to every port; 'normal': the switch does it. */
  mode: 'learn' | 'hub' | 'normal';
  /** False: packets are forwarded one by one, no flows are set up. */
  setUpFlows: boolean;
  /** Seconds without a packet after which a flow goes; 0: never. */
  idleTimeoutSec: number;
  /** Queue for packets to known stations, or null. */
  queue: number | null;
  /** Queues for packets from ports, by their names. */
  portQueues: ReadonlyMap<string, number>;
  /** Flows that every switch gets at first. */
  flows: readonly FlowMod[];
  /** Nothing is sent on its own (for tests of switches). */
  mute: boolean;
}

export const LEARNING_DEFAULTS: LearningSwitchOptions = {
  ...{ mode: 'learn', setUpFlows: true, idleTimeoutSec: 60, queue: null, flows: [], mute: false },
  portQueues: new Map(),
};

/** Stations that are remembered; the one longest ago makes room. */
const STATIONS_MAX = 16_384;
const WHOLE_PACKET = 0xffff;
const OF13 = 4;
const NO_BUFFER = 0xffffffff;
const ETH_HEADER = 14;

const FLOW: FlowMod = {
  ...{ type: 'flow_mod', command: 'add', table: 0, match: matchAny(), priority: 0 },
  ...{ cookie: 0n, cookieMask: 0n, newCookie: 0n, idleTimeout: 0, hardTimeout: 0, importance: 0 },
  ...{ bufferId: NO_BUFFER, outPort: OFPP.NONE, outGroup: 0xffffffff, actions: [] },
  flags: {
    ...{ sendFlowRem: false, checkOverlap: false, resetCounts: false },
    ...{ noPktCounts: false, noByteCounts: false },
  },
};

const output = (port: number): OfAction => ({ type: 'output', port, maxLen: 0 });

function exact(match: Match, name: string, from: ReturnType<typeof extractFlow>): void {
  const field = mustField(name);
  fieldSet(match.flow, match.mask, field, fieldGet(from, field));
}

export class LearningSwitch {
  /** Port by VLAN and address, the latest last. */
  private readonly stations = new Map<string, number>();
  /** Queues for packets by the port they came from. */
  private readonly queues = new Map<number, number>();

  constructor(
    private readonly connection: OfConnection,
    private readonly options: LearningSwitchOptions = LEARNING_DEFAULTS,
  ) {}

  get nStations(): number {
    return this.stations.size;
  }

  /** To be called once the version is agreed. */
  start(): void {
    const { options, connection } = this;
    if (options.mute) return;
    this.send({ type: 'features_request' });
    // The features' list of ports ends with 1.2.
    if (connection.version >= OF13 && options.portQueues.size > 0) {
      this.send({ type: 'port_desc_request', port: OFPP.NONE });
    }
    this.send({ type: 'set_config', fragHandling: 0, missSendLen: WHOLE_PACKET });
    for (const flow of options.flows) this.send(flow);
    if (options.mode === 'normal') this.send({ ...FLOW, actions: [output(OFPP.NORMAL)] });
    else if (connection.version >= OF13) {
      // Since 1.3 packets without an entry are dropped unless one says otherwise.
      const up: OfAction = { ...output(OFPP.CONTROLLER), maxLen: WHOLE_PACKET } as OfAction;
      this.send({ ...FLOW, actions: [up] });
    }
  }

  /** Takes a message of the switch; those that do not matter are passed over. */
  handle(msg: OfMessage): void {
    if (msg.type === 'packet_in' && !this.options.mute) this.packetIn(msg);
    else if (msg.type === 'features_reply') this.setQueues(msg.ports);
    else if (msg.type === 'port_desc_reply') this.setQueues(msg.entries);
  }

  private setQueues(ports: readonly PortDesc[]): void {
    for (const { name, portNo } of ports) {
      const queue = this.options.portQueues.get(name);
      if (queue !== undefined) this.queues.set(portNo, queue);
    }
  }

  private send(msg: OfMessage): void {
    this.connection.send(msg);
  }

  private packetIn(msg: PacketIn): void {
    if (msg.data.length < ETH_HEADER) return;
    const flow = extractFlow(msg.data);
    const vlan = (flow[W_VLAN0] & VLAN_CFI) === 0 ? 0 : flow[W_VLAN0] & 0xfff;
    const address = (name: string): string =>
      `${vlan}/${Buffer.from(fieldGet(flow, mustField(name))).toString('hex')}`;
    const multicast = (msg.data[0] & 1) !== 0;
    if ((msg.data[6] & 1) === 0) this.learn(address('eth_src'), msg.inPort);
    const known = multicast ? undefined : this.stations.get(address('eth_dst'));
    if (known === msg.inPort) {
      this.drop(msg, flow);
      return;
    }
    const flood = known === undefined || this.options.mode === 'hub';
    const actions = flood ? [output(OFPP.FLOOD)] : this.toPort(known, msg.inPort);
    const setUp = this.options.setUpFlows && (this.options.mode === 'hub' || !flood);
    if (setUp) this.addFlow(msg, flow, actions);
    const { bufferId, inPort, data } = msg;
    const whole = bufferId === NO_BUFFER ? data : new Uint8Array(0);
    this.send({ type: 'packet_out', bufferId, inPort, actions, data: whole });
  }

  /** A packet for a station on the side it came from goes nowhere. */
  private drop(msg: PacketIn, flow: ReturnType<typeof extractFlow>): void {
    if (this.options.setUpFlows) this.addFlow(msg, flow, []);
  }

  private toPort(port: number, from: number): OfAction[] {
    const queue = this.queues.get(from) ?? this.options.queue;
    return queue === null ? [output(port)] : [{ type: 'set_queue', queue }, output(port)];
  }

  private learn(station: string, port: number): void {
    this.stations.delete(station);
    this.stations.set(station, port);
    if (this.stations.size <= STATIONS_MAX) return;
    const [oldest] = this.stations.keys();
    this.stations.delete(oldest);
  }

  private addFlow(msg: PacketIn, from: ReturnType<typeof extractFlow>, actions: OfAction[]): void {
    const match = matchAny();
    exact(match, 'eth_src', from);
    exact(match, 'eth_dst', from);
    exact(match, 'vlan_tci', from);
    const port = Uint8Array.of(msg.inPort >>> 24, msg.inPort >>> 16, msg.inPort >>> 8, msg.inPort);
    fieldSet(match.flow, match.mask, mustField('in_port_oxm'), port);
    const idleTimeout = this.options.idleTimeoutSec;
    this.send({ ...FLOW, match, priority: 1, idleTimeout, actions });
  }
}
