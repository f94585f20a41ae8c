/**
 * A datapath for tests of the OpenFlow layer: megaflows by mask and text of the key, no devices,
 * everything in force at once. It records what was sent where.
 */
import type {
  DpFlow,
  DpFlowStats,
  Dpif,
  DpNetdev,
  DpPort,
  DpPortStats,
  DpStats,
  FlowPut,
  FrameBytes,
  Upcall,
} from '../../../../src/datapath/dpif.js';
import type { OdpAction } from '../../../../src/datapath/odp-actions.js';
import { formatOdpActions } from '../../../../src/datapath/odp-format.js';
import { extractFlow } from '../../../../src/packet/extract.js';
import type { FlowWords } from '../../../../src/packet/flow-layout.js';

interface Flow extends DpFlow {
  stats: DpFlowStats;
}

export class FakeDpif implements Dpif {
  readonly name = 'dummy@ovs-dummy';
  readonly type = 'dummy';
  readonly bonds = null;
  readonly installed = new Set<Flow>();
  /** The same: by mask, then by masked key. */
  private readonly byMask = new Map<string, { mask: FlowWords; flows: Map<string, Flow> }>();
  private readonly portMap = new Map<number, DpNetdev>();
  private handler: (upcall: Upcall) => void = () => {};
  private nextId = 1;
  private missed = 0;
  private hit = 0;
  /** What was done with each packet since the last `take()`, as actions text. */
  private done: string[] = [];
  /** The frames that were executed, with their actions. */
  readonly executed: { data: Uint8Array; actions: readonly OdpAction[] }[] = [];

  constructor(private readonly now: () => number) {}

  portAdd(netdev: DpNetdev): number {
    let no = 1;
    while (this.portMap.has(no)) no += 1;
    this.portMap.set(no, netdev);
    return no;
  }

  configure(): void {}
  meterSet(): void {}
  meterDel(): void {}
  meterStats() {
    return { packets: 0, bytes: 0, bands: [] };
  }

  portDel(portNo: number): void {
    this.portMap.delete(portNo);
  }

  *ports(): Iterable<DpPort> {
    for (const [portNo, dev] of this.portMap) yield { portNo, name: dev.name, type: dev.type };
  }

  portStats(): DpPortStats {
    const zero = { rxPackets: 0, txPackets: 0, rxBytes: 0, txBytes: 0 };
    return { ...zero, rxDropped: 0, txDropped: 0, rxErrors: 0, txErrors: 0 };
  }

  flowPut(put: FlowPut): DpFlow {
    const stats = { packets: 0, bytes: 0, usedMs: 0, tcpFlags: 0 };
    const { key, mask, actions } = put;
    const flow: Flow = { id: this.nextId++, key: key.slice(), mask: mask.slice(), actions, stats };
    this.installed.add(flow);
    const id = flow.mask.join();
    const known = this.byMask.get(id) ?? { mask: flow.mask, flows: new Map<string, Flow>() };
    known.flows.set(masked(flow.key, flow.mask), flow);
    this.byMask.set(id, known);
    return flow;
  }

  flowPackets(flow: DpFlow): number {
    return (flow as Flow).stats.packets;
  }

  flowMatch(key: FlowWords): DpFlow | undefined {
    return this.match(key);
  }

  flowModify(flow: DpFlow, actions: readonly OdpAction[]): void {
    flow.actions = actions;
  }

  flowDel(flow: DpFlow): void {
    if (!this.installed.delete(flow as Flow)) return;
    const flows = this.byMask.get(flow.mask.join())?.flows;
    const text = masked(flow.key, flow.mask);
    if (flows?.get(text) === flow) flows.delete(text);
  }

  flowFlush(): void {
    this.installed.clear();
    this.byMask.clear();
  }

  flows(): Iterable<DpFlow> {
    return this.installed;
  }

  flowStats(flow: DpFlow): DpFlowStats {
    return (flow as Flow).stats;
  }

  /** Packets that were dropped without being executed, by reason. */
  readonly dropped: number[] = [];

  countDrop(reason: number): void {
    this.dropped.push(reason);
  }

  execute(frame: FrameBytes, key: FlowWords, actions: readonly OdpAction[]): void {
    this.executed.push({ data: frame.data, actions });
    this.done.push(formatOdpActions(actions));
    for (const action of actions) {
      if (action.type !== 'userspace') continue;
      this.handler({ type: 'action', frame, key, cookie: action.cookie, worker: 0 });
    }
  }

  onUpcall(handler: (upcall: Upcall) => void): void {
    this.handler = handler;
  }

  synced(): boolean {
    return true;
  }

  sync(): Promise<void> {
    return Promise.resolve();
  }

  stats(): DpStats {
    const flows = this.installed.size;
    const { hit, missed } = this;
    return { hit, missed, lost: 0, flows, maskHits: 0, masks: 1, drops: {} };
  }

  run(): void {}

  nextWake(): number {
    return Number.POSITIVE_INFINITY;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** The installed flow that the key matches, or undefined. */
  match(key: FlowWords): Flow | undefined {
    for (const { mask, flows } of this.byMask.values()) {
      const flow = flows.size === 0 ? undefined : flows.get(masked(key, mask));
      if (flow !== undefined) return flow;
    }
    return undefined;
  }

  /** A frame arrives on a datapath port. @returns what was done with it, as actions text */
  receive(port: number, data: Uint8Array): string {
    const key = extractFlow(data, port);
    const flow = this.match(key);
    this.take();
    if (flow !== undefined) {
      this.hit += 1;
      flow.stats.packets += 1;
      flow.stats.bytes += data.length;
      flow.stats.usedMs = this.now();
      this.execute({ data }, key, flow.actions);
    } else {
      this.missed += 1;
      this.handler({ type: 'miss', frame: { data }, key, worker: 0 });
    }
    return this.take().join(' | ') || 'drop';
  }

  /** What was executed since the last call. */
  take(): string[] {
    const done = this.done;
    this.done = [];
    return done;
  }
}

/** The words of a key under a mask, as text. */
function masked(key: FlowWords, mask: FlowWords): string {
  return key.map((word, i) => word & mask[i]).join();
}
