/**
 * The switch that the model is compared with: one bridge on the datapath of dummy devices, told and
 * asked in the model's terms.
 */
import { stoppedClock } from '../../../src/common/clock.js';
import { DpifDummy } from '../../../src/datapath/dpif-dummy.js';
import type { DummyNetdev } from '../../../src/netdev/dummy-netdev.js';
import type { ControllerActionState } from '../../../src/ofproto/controller-actions.js';
import { Ofproto } from '../../../src/ofproto/ofproto.js';
import { OFPPC } from '../../../src/ofproto/port.js';
import { OfprotoRegistry } from '../../../src/ofproto/registry.js';
import { NO_FLAGS } from '../../../src/ofproto/rule.js';
import { OFPP } from '../../../src/openflow/actions.js';
import { OfpError } from '../../../src/openflow/errors.js';
import { type Match, matchAny } from '../../../src/openflow/match.js';
import { BUCKET, NO_GROUP_PROPS, OFPG } from '../../../src/openflow/messages-groups.js';
import { fieldSet, mustField } from '../../../src/packet/fields.js';
import { W_METADATA } from '../../../src/packet/flow-layout.js';
import { dummyNetdevs } from '../dummy-netdevs.js';
import { fieldBits } from './fields.js';
import type { ModelGroup, SentFrame } from './interpreter.js';
import type { FieldMatch, ModelEntry, ModelFlowMod } from './tables.js';

export interface SwitchOptions {
  /** Off: installed flows match one packet's headers exactly. */
  megaflows?: boolean;
  flowLimit?: number;
}

const N_PORTS = 4;
const ANY_MATCH = matchAny();

function toBytes(value: bigint, bytes: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, i) =>
    Number((value >> BigInt(8 * (bytes - 1 - i))) & 255n),
  );
}

/** The model's match in the form of flow-mods. */
function toMatch(parts: readonly FieldMatch[]): Match {
  const match = matchAny();
  for (const { field: name, value, mask } of parts) {
    const field = mustField(name);
    const exact = mask === (1n << BigInt(fieldBits(name))) - 1n;
    const maskBytes = exact ? undefined : toBytes(mask, field.nBytes);
    fieldSet(match.flow, match.mask, field, toBytes(value, field.nBytes), maskBytes);
  }
  return match;
}

export class ModelledSwitch {
  readonly clock = stoppedClock(1000);
  private readonly dpif = new DpifDummy({ clock: this.clock, maxPorts: 16, flowLimit: 1024 });
  private readonly registry = new OfprotoRegistry({ clock: this.clock });
  private readonly backer = this.registry.openBacker('dummy', this.dpif);
  private readonly bridge: Ofproto;
  private readonly devices = new Map<number, DummyNetdev>();
  private sent: SentFrame[] = [];
  /** By cookie, which is the entry's alone: a copy of the entry's hits for this switch. */
  private readonly hits = new Map<bigint, number>();

  constructor(
    readonly name: string,
    options: SwitchOptions,
  ) {
    this.backer.udpif.megaflows = options.megaflows ?? true;
    if (options.flowLimit !== undefined) this.backer.settings.flowLimit = options.flowLimit;
    this.bridge = new Ofproto(this.backer, {
      ...{ name: 'br0', datapathId: 1n, clock: this.clock, hwAddr: new Uint8Array(6) },
    });
    this.bridge.connmgr.sendPacketIn = (state, data) => this.packetIn(state, data);
    this.bridge.flushFlows();
    const everything = { ...OF_MOD, command: 'delete' as const, match: ANY_MATCH, table: 255 };
    this.bridge.flowMod(everything);
    this.openPorts();
    this.settle();
  }

  private openPorts(): void {
    const netdevs = dummyNetdevs(this.clock);
    for (const no of [...Array.from({ length: N_PORTS }, (_, i) => i + 1), OFPP.LOCAL]) {
      const name = no === OFPP.LOCAL ? 'br0' : `p${no}`;
      const device = netdevs.open(name, 'dummy', {}) as DummyNetdev;
      device.onTransmit((data) => this.sent.push({ to: no, note: '', bytes: data.slice() }));
      this.devices.set(no, device);
      this.bridge.portAdd(device, no);
    }
  }

  private packetIn(state: ControllerActionState, data: Uint8Array): void {
    const words = state.flow;
    const metadata = (BigInt(words[W_METADATA] >>> 0) << 32n) + BigInt(words[W_METADATA + 1] >>> 0);
    const reason = state.miss === 'explicit' ? 0 : state.reason;
    const note = `table ${state.tableId} reason ${reason} metadata ${metadata}`;
    this.sent.push({ to: 'controller', note, bytes: data.slice() });
  }

  settle(): void {
    for (let i = 0; i < 4; i++) this.registry.run(this.clock.now());
  }

  /** A frame arrives. @returns what was sent */
  send(port: number, frame: Uint8Array): SentFrame[] {
    this.sent = [];
    this.devices.get(port)?.receive(frame);
    return this.sent;
  }

  flowMod(mod: ModelFlowMod): 'ok' | 'overlap' | 'no group' {
    const { command, table, priority, actions, cookie, outPort, checkOverlap } = mod;
    const adds = command === 'add';
    try {
      this.bridge.flowMod({
        ...OF_MOD,
        ...{ command, table, priority, actions: [...actions], match: toMatch(mod.match) },
        newCookie: adds ? cookie : null,
        outPort: outPort === null || !command.startsWith('delete') ? OFPP.NONE : outPort,
        // The model's entries count from zero.
        flags: { ...NO_FLAGS, checkOverlap: adds && checkOverlap, resetCounts: adds },
      });
      return 'ok';
    } catch (error) {
      if (!(error instanceof OfpError)) throw error;
      if (error.message.includes('OVERLAP')) return 'overlap';
      if (error.message.includes('BAD_OUT_GROUP')) return 'no group';
      throw error;
    }
  }

  group(id: number, group: ModelGroup | null): void {
    const known = this.bridge.groups.get(id) !== null;
    if (group === null && !known) return;
    const buckets = (group?.buckets ?? []).map((bucket, i) => ({
      ...{ id: i, weight: group?.type === 'select' ? bucket.weight : 0, watchGroup: OFPG.ANY },
      watchPort: bucket.watchPort ?? OFPP.NONE,
      actions: [...bucket.actions],
    }));
    this.bridge.groups.execute({
      ...{ type: 'group_mod', group: id, commandBucketId: BUCKET.ALL, props: NO_GROUP_PROPS },
      command: group === null ? 'delete' : known ? 'modify' : 'add',
      groupType: group?.type ?? 'all',
      buckets,
    });
  }

  link(port: number, up: boolean): void {
    this.devices.get(port)?.setCarrier(up);
  }

  configurePort(port: number, set: Record<'noReceive' | 'noForward' | 'noFlood', boolean>): void {
    let config = 0;
    if (set.noReceive) config |= OFPPC.NO_RECV;
    if (set.noForward) config |= OFPPC.NO_FWD;
    if (set.noFlood) config |= OFPPC.NO_FLOOD;
    const mask = OFPPC.NO_RECV | OFPPC.NO_FWD | OFPPC.NO_FLOOD;
    const hwAddr = this.devices.get(port)?.etherAddr() ?? new Uint8Array(6);
    this.bridge.portMod({ type: 'port_mod', portNo: port, hwAddr, config, mask, advertise: 0 });
  }

  countHits(hits: readonly ModelEntry[]): void {
    for (const { cookie } of hits) this.hits.set(cookie, (this.hits.get(cookie) ?? 0) + 1);
  }

  hitsOf(entry: ModelEntry): number {
    return this.hits.get(entry.cookie) ?? 0;
  }

  entries(): { table: number; priority: number; cookie: bigint; packets: number }[] {
    this.backer.pushStats();
    const rules = this.bridge.rulesWith((rule) => !rule.hidden);
    return rules.map((r) => ({
      ...{ table: r.tableId, priority: r.priority, cookie: r.cookie, packets: r.packets },
    }));
  }
}

/** A flow-mod that says nothing in particular. */
const OF_MOD = {
  type: 'flow_mod' as const,
  table: 0,
  priority: 0,
  cookie: 0n,
  cookieMask: 0n,
  newCookie: null,
  idleTimeout: 0,
  hardTimeout: 0,
  importance: 0,
  bufferId: 0xffffffff,
  outPort: OFPP.NONE,
  outGroup: OFPG.ANY,
  flags: NO_FLAGS,
  actions: [],
};
