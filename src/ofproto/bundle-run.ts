/**
 * A bundle's turn: its LACP, its bond's links and load, and learning packets.
 *
 * After a failover the peer switch would go on sending to the old member: one broadcast frame from
 * each MAC that lives behind this switch (a RARP, as a host sends after it moved) tells it better.
 */
import { NEVER } from '../common/clock.js';
import { getLogger } from '../common/log.js';
import { OFPP } from '../openflow/actions.js';
import { extractFlow } from '../packet/extract.js';
import {
  ETH_TYPE_LACP,
  ETH_TYPE_RARP,
  ETH_TYPE_VLAN_8021Q,
  newFlow,
} from '../packet/flow-layout.js';
import type { Bond, BondLink, BondMember } from './bond.js';
import { bondRebalance } from './bond-rebalance.js';
import { BondRecirc } from './bond-recirc.js';
import { memberWhy } from './bond-status.js';
import type { Bundle } from './bundle.js';
import { type MacNumber, macToBytes, setDlSrc } from './flow-access.js';
import { MAC_SLOW_PROTOCOLS } from './lacp-pdu.js';
import type { Ofproto } from './ofproto.js';
import type { OfPort } from './port.js';
import { translate } from './xlate/translate.js';
import { includesVlan, outputTranslate, type Tags } from './xlate/vlan.js';

const log = getLogger('ofproto_dpif');

const ETH_HEADER_BYTES = 14;
const RARP_BYTES = 42;

/** Lets a bundle's LACP and bond do what is due. Call it often: it looks at the links. */
export function bundleRun(ofproto: Ofproto, bundle: Bundle): void {
  const { bond, lacp } = bundle;
  lacp?.run((link, pdu) => sendPdu(ofproto, bundle, link, pdu));
  if (bond === null) return;
  for (const port of bundle.ports) bond.setMayEnable(port.device, mayEnable(bundle, port));
  bond.run(bundle.lacpStatus);
  const recirc = bondRecirc(ofproto, bundle, bond);
  if (bond.isBalanced && ofproto.clock.now() >= bond.nextRebalanceMs) {
    accountBond(ofproto, bundle);
    const before = (bond.buckets ?? []).map(({ member }) => member);
    if (bondRebalance(bond, ofproto.clock.now())) bundle.bondEvents?.moved(before, bond);
  }
  recirc?.update();
  const heard = [...(lacp?.members.values() ?? [])].some(({ status }) => status === 'current');
  const why = (member: BondMember) => memberWhy(bundle, bond, member, ofproto.clock.now());
  bundle.bondEvents?.look(bond, why, heard);
  if (bond.takeRevalidate()) ofproto.markRevalidate();
  if (bond.takeLearning()) sendLearningPackets(ofproto, bundle);
}

function mayEnable(bundle: Bundle, port: OfPort): boolean {
  const member = bundle.bond?.members.get(port.device);
  const up = member === undefined ? port.device.carrier() : bundle.bond?.linkUp(member) === true;
  return up && (bundle.lacp?.mayEnable(port.device) ?? true);
}

/** Clock milliseconds at which a bundle has something to do. */
export function bundleNextWake(bundle: Bundle): number {
  return Math.min(bundle.bond?.nextWake() ?? NEVER, bundle.lacp?.nextWake() ?? NEVER);
}

/** Balancing bonds have a recirculation number from the first turn on. */
function bondRecirc(ofproto: Ofproto, bundle: Bundle, bond: Bond): BondRecirc | null {
  if (bond.mode === 'active-backup') {
    bundle.bondRecirc?.close();
    bundle.bondRecirc = null;
  } else {
    bundle.bondRecirc ??= new BondRecirc(ofproto, bond, (link) => bundle.portOf(link));
  }
  return bundle.bondRecirc;
}

/** Brings the load of a bond's buckets up to date. */
export function accountBond(ofproto: Ofproto, bundle: Bundle): void {
  ofproto.backer.pushStats();
  bundle.bondRecirc?.account();
}

function sendPdu(ofproto: Ofproto, bundle: Bundle, link: BondLink, pdu: Uint8Array): void {
  const port = bundle.portOf(link);
  if (port === null) return;
  const frame = new Uint8Array(ETH_HEADER_BYTES + pdu.length);
  frame.set(MAC_SLOW_PROTOCOLS);
  frame.set(link.etherAddr(), 6);
  new DataView(frame.buffer).setUint16(12, ETH_TYPE_LACP);
  frame.set(pdu, ETH_HEADER_BYTES);
  sendFrame(ofproto, port, frame);
}

/** Sends a frame of the switch's own by one port, through a patch cable too. */
function sendFrame(ofproto: Ofproto, port: OfPort, data: Uint8Array): void {
  const flow = extractFlow(data, OFPP.NONE);
  const out = translate({
    ofproto,
    flow,
    actions: [{ type: 'output', port: port.ofPort, maxLen: 0 }],
    sideEffects: true,
    hasPacket: true,
    packet: data,
  });
  if (out.actions.length > 0) ofproto.backer.dpif.execute({ data }, extractFlow(data), out.actions);
}

function sendLearningPackets(ofproto: Ofproto, bundle: Bundle): void {
  let sent = 0;
  for (const entry of ofproto.macs.entries()) {
    if (entry.bundle === bundle) continue;
    const tags: Tags = [
      { tpid: ETH_TYPE_VLAN_8021Q, vid: entry.vlan, pcp: 0, from: null },
      { tpid: 0, vid: 0, pcp: 0, from: null },
    ];
    if (includesVlan(bundle, tags)) sent += sendLearning(ofproto, bundle, entry.mac, tags) ? 1 : 0;
  }
  log.dbg(`bond ${bundle.name}: sent ${sent} gratuitous learning packets`);
  if (sent > 0)
    bundle.bondEvents?.note(`told the peer of ${sent} address${sent === 1 ? '' : 'es'}`);
}

function sendLearning(ofproto: Ofproto, bundle: Bundle, mac: MacNumber, tags: Tags): boolean {
  const { vid } = outputTranslate(bundle, tags)[0];
  const flow = newFlow();
  setDlSrc(flow, mac);
  const member = bundle.bond?.chooseOutput(flow, null, vid) ?? null;
  const port = member === null ? null : bundle.portOf(member.link);
  if (port === null) return false;
  sendFrame(ofproto, port, composeRarp(mac, vid));
  return true;
}

/**
 * A broadcast 'reverse ARP request' from `mac` (RFC 903).
 * @param vid VLAN id of its tag; 0: no tag
 */
export function composeRarp(mac: MacNumber, vid = 0): Uint8Array {
  const tagBytes = vid === 0 ? 0 : 4;
  const frame = new Uint8Array(RARP_BYTES + tagBytes);
  const view = new DataView(frame.buffer);
  const bytes = macToBytes(mac);
  frame.fill(0xff, 0, 6);
  frame.set(bytes, 6);
  if (vid !== 0) {
    view.setUint16(12, ETH_TYPE_VLAN_8021Q);
    view.setUint16(14, vid);
  }
  view.setUint16(12 + tagBytes, ETH_TYPE_RARP);
  view.setUint16(14 + tagBytes, 1); // Ethernet
  view.setUint16(16 + tagBytes, 0x0800); // IPv4
  view.setUint8(18 + tagBytes, 6);
  view.setUint8(19 + tagBytes, 4);
  view.setUint16(20 + tagBytes, 3); // request reverse
  frame.set(bytes, 22 + tagBytes);
  frame.set(bytes, 32 + tagBytes);
  return frame;
}
