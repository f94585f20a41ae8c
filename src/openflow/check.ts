/**
 * Checks a flow's actions against its match: whether what they set exists in packets that match,
 * and in which flow formats the answer allows them (OpenFlow 1.0 lets a switch ignore what does not
 * apply; 1.1 and later call it an error).
 */
import { fieldPrereqsOk, mustField } from '../packet/fields.js';
import * as L from '../packet/flow-layout.js';
import { OFPP, type OfAction, type SubField } from './actions.js';
import type { OfErrorName } from './errors.js';
import { type Match, matchClone } from './match.js';
import { P_ANY, P_OF10_ANY } from './protocols.js';

export interface CheckResult {
  /** Formats in which the actions are allowed with this match. */
  usable: number;
  /** Set when they are wrong in every format. */
  error?: OfErrorName;
}

/** A packet type that nothing requires. */
const UNKNOWN_PACKET_TYPE = 0xffff;

const MISMATCH = 'OFPBAC_MATCH_INCONSISTENT';

/** Reserved ports that packets can be sent to. */
const OUTPUTS: readonly number[] = [
  ...[OFPP.IN_PORT, OFPP.TABLE, OFPP.NORMAL, OFPP.FLOOD, OFPP.ALL, OFPP.CONTROLLER, OFPP.LOCAL],
];

const badOutput = (port: number): boolean => port >= 0xff00 && !OUTPUTS.includes(port);

class Checker {
  usable = P_ANY;

  /** @param match is changed as the actions change packets. */
  constructor(
    private readonly match: Match,
    private readonly table: number,
  ) {}

  private get dlType(): number {
    return this.match.flow[L.W_DL_TYPE] >>> 16;
  }

  private get proto(): number {
    return this.match.flow[L.W_NW] >>> 24;
  }

  private get isIp(): boolean {
    return this.dlType === L.ETH_TYPE_IP || this.dlType === L.ETH_TYPE_IPV6;
  }

  private get isMpls(): boolean {
    return this.dlType === L.ETH_TYPE_MPLS || this.dlType === L.ETH_TYPE_MPLS_MCAST;
  }

  private get hasVlan(): boolean {
    return (this.match.flow[L.W_VLAN0] & L.VLAN_CFI) !== 0;
  }

  private get hasTransport(): boolean {
    const later = (this.match.flow[L.W_DL_TYPE] & (L.NW_FRAG_LATER << 8)) !== 0;
    return this.isIp && !later && [6, 17, 132].includes(this.proto);
  }

  /** The original tuple of a connection is known in packets that match. */
  private get ctValid(): boolean {
    return fieldPrereqsOk(mustField('ct_nw_proto'), this.match.flow, this.match.mask);
  }

  /** Only OpenFlow 1.0 lets this pass unless `ok`. */
  private need(ok: boolean): void {
    if (!ok) this.usable &= P_OF10_ANY;
  }

  private setDlType(type: number): void {
    const { flow } = this.match;
    flow[L.W_DL_TYPE] = (flow[L.W_DL_TYPE] & 0xffff) | (type << 16);
  }

  list(actions: readonly OfAction[]): OfErrorName | undefined {
    for (const a of actions) {
      const error = this.one(a);
      if (error !== undefined) return error;
    }
    return undefined;
  }

  private run(sub: SubField, write: boolean): OfErrorName | undefined {
    const field = mustField(sub.field);
    if (!fieldPrereqsOk(field, this.match.flow, this.match.mask)) return MISMATCH;
    return write && !field.writable ? 'OFPBAC_BAD_SET_ARGUMENT' : undefined;
  }

  private old(field: string, form: string): void {
    const { flow } = this.match;
    if (field === 'dl_vlan' || field === 'dl_vlan_pcp') {
      this.need(this.hasVlan || form !== 'set');
      flow[L.W_VLAN0] |= L.VLAN_CFI;
    } else if (field === 'ip_src' || field === 'ip_dst') {
      this.need(this.dlType === L.ETH_TYPE_IP);
    } else if (field === 'tcp_src' || field === 'tcp_dst') this.need(this.hasTransport);
    else if (field.startsWith('nw_')) this.need(this.isIp);
    else if (field.startsWith('mpls')) this.need(this.isMpls);
  }

  private setField(a: Extract<OfAction, { type: 'set_field' }>): OfErrorName | undefined {
    if (a.form === 'mod' || a.form === 'set') {
      this.old(a.field, a.form);
      return undefined;
    }
    const field = mustField(a.field);
    if (!fieldPrereqsOk(field, this.match.flow)) return MISMATCH;
    if (a.field === 'vlan_vid' && !this.hasVlan) return MISMATCH;
    if (a.field === 'vlan_tci') {
      const { flow } = this.match;
      flow[L.W_VLAN0] = (flow[L.W_VLAN0] & ~0xffff) | (a.value[0] << 8) | a.value[1];
    }
    return undefined;
  }

  private ct(a: Extract<OfAction, { type: 'ct' }>): OfErrorName | undefined {
    const invalid = ((this.match.flow[L.W_CT_STATE] >>> 16) & 0x10) !== 0;
    const wrong =
      !this.isIp ||
      (invalid && (a.flags & 1) !== 0) ||
      (a.alg === 21 && this.proto !== 6) ||
      (a.alg === 69 && this.proto !== 17);
    if (wrong) return MISMATCH;
    if (typeof a.zone !== 'number') return this.run(a.zone, false);
    return this.nested(a.actions, true);
  }

  private nested(actions: readonly OfAction[], counts: boolean): OfErrorName | undefined {
    const inner = new Checker(matchClone(this.match), this.table);
    const error = inner.list(actions);
    if (counts) this.usable &= inner.usable;
    return error;
  }

  private learn(a: Extract<OfAction, { type: 'learn' }>): OfErrorName | undefined {
    const learned: Match = { flow: L.newFlow(), mask: L.newFlow() };
    const target = new Checker(learned, this.table);
    for (const { src, dst } of a.learn.specs) {
      const error = 'field' in src ? this.run(src, false) : undefined;
      if (error !== undefined) return error;
      if (dst.type === 'load' && !mustField(dst.sub.field).writable) {
        return 'OFPBAC_BAD_SET_ARGUMENT';
      }
      if (dst.type === 'match') target.noteMatch(dst.sub, src);
    }
    return undefined;
  }

  /** What a learned flow will match on, as far as requirements of later fields go. */
  private noteMatch(sub: SubField, src: SubField | { immediate: Uint8Array }): void {
    if (!('immediate' in src) || sub.field !== 'eth_type') return;
    this.setDlType((src.immediate[0] << 8) | src.immediate[1]);
  }

  private one(a: OfAction): OfErrorName | undefined {
    switch (a.type) {
      case 'output':
      case 'output_trunc':
      case 'enqueue':
        return badOutput(a.port) ? 'OFPBAC_BAD_OUT_PORT' : undefined;
      case 'set_field':
        return this.setField(a);
      case 'output_reg':
        return this.run(a.src, false);
      case 'move':
        return this.run(a.src, false) ?? this.run(a.dst, true);
      case 'stack_push':
        return this.run(a.sub, false);
      case 'stack_pop':
        return this.run(a.sub, true);
      case 'multipath':
        return this.run(a.multipath.dst, true);
      case 'bundle':
        return a.bundle.dst === undefined ? undefined : this.run(a.bundle.dst, true);
      case 'learn':
        return this.learn(a);
      case 'ct':
        return this.ct(a);
      case 'nat':
        return this.isIp ? undefined : MISMATCH;
      case 'resubmit':
        return a.ct === true && !this.ctValid ? MISMATCH : undefined;
      case 'clone':
        return this.nested(a.actions, true);
      case 'write_actions':
        return this.nested(a.actions, false);
      case 'meter':
        return a.meter === 0 || a.meter > 0xffff0000 ? 'OFPMMFC_INVALID_METER' : undefined;
      case 'delete_field':
        return mustField(a.field).option === undefined ? 'OFPBAC_BAD_ARGUMENT' : undefined;
      case 'goto_table':
        return this.table !== 255 && a.table <= this.table ? 'OFPBIC_BAD_TABLE_ID' : undefined;
      default:
        this.header(a);
        return undefined;
    }
  }

  /** What Ethernet carries is known; what another header carries is not, until it is gone. */
  private decap(): void {
    const { flow } = this.match;
    const known = flow[L.W_PACKET_TYPE] === 0;
    flow[L.W_PACKET_TYPE] = known ? (1 << 16) | this.dlType : UNKNOWN_PACKET_TYPE;
    if (!known) this.setDlType(0xffff);
  }

  /** Actions that change which headers a packet has. */
  private header(a: OfAction): void {
    const { flow } = this.match;
    switch (a.type) {
      case 'strip_vlan':
        this.need(this.hasVlan);
        flow[L.W_VLAN0] = flow[L.W_VLAN1];
        flow[L.W_VLAN1] = 0;
        return;
      case 'push_vlan':
        flow[L.W_VLAN1] = flow[L.W_VLAN0];
        flow[L.W_VLAN0] = (a.ethType << 16) | L.VLAN_CFI;
        return;
      case 'push_mpls':
        this.setDlType(a.ethType);
        flow[L.W_NW] &= 0x00ffffff;
        return;
      case 'pop_mpls':
        this.need(this.isMpls);
        this.setDlType(a.ethType);
        return;
      case 'set_mpls_ttl':
      case 'dec_mpls_ttl':
        this.need(this.isMpls);
        return;
      case 'dec_ttl':
        this.need(this.isIp);
        return;
      case 'fin_timeout':
        this.need(this.proto === 6);
        return;
      case 'encap':
        flow[L.W_PACKET_TYPE] = a.packetType;
        if (a.packetType >>> 16 === 1) this.setDlType(a.packetType & 0xffff);
        if (!this.isIp) flow[L.W_NW] &= 0x00ffffff;
        return;
      case 'decap':
        this.decap();
        return;
      case 'dec_nsh_ttl':
        this.need(this.dlType === L.ETH_TYPE_NSH);
        return;
      default:
    }
  }
}

/** True when the original tuple that the match asks for is of the other IP version. */
export function ctAddressesMismatch(match: Match): boolean {
  const { flow, mask } = match;
  const dlType = flow[L.W_DL_TYPE] >>> 16;
  const v4 = mask[L.W_CT_NW_SRC] !== 0 || mask[L.W_CT_NW_DST] !== 0;
  if (v4 && dlType !== L.ETH_TYPE_IP) return true;
  for (let i = 0; i < 8; i++) {
    if (mask[L.W_CT_IPV6_SRC + i] !== 0 && dlType !== L.ETH_TYPE_IPV6) return true;
  }
  return false;
}

/** Actions that leave what is known of the packet as it is. */
const KEEP_PACKETS: ReadonlySet<OfAction['type']> = new Set([
  'output',
  'controller',
  'group',
  'meter',
  'goto_table',
  'resubmit',
]);

const ALWAYS: CheckResult = { usable: P_ANY };

/** Outputs to ports of the switch, which every packet has. */
function areOutputs(actions: readonly OfAction[]): boolean {
  for (const action of actions) {
    if (action.type !== 'output' || action.port >= 0xff00) return false;
  }
  return true;
}

/**
 * Checks actions against a match.
 * @param table of the flow; 255 when it is not known.
 */
export function checkActions(actions: readonly OfAction[], match: Match, table = 255): CheckResult {
  if (areOutputs(actions)) return ALWAYS;
  // Most flows only send packets on: for these the match need not be copied.
  const keeps = actions.every((a) => KEEP_PACKETS.has(a.type));
  const checker = new Checker(keeps ? match : matchClone(match), table);
  const error = checker.list(actions);
  return error === undefined ? { usable: checker.usable } : { usable: checker.usable, error };
}
