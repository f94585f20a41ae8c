/**
 * A bundle's turn: its bond's links, load and learning packets.
 *
 * After a failover the peer switch would go on sending to the old member: one broadcast frame from
 * each MAC that lives behind this switch (a RARP, as a host sends after it moved) tells it better.
 */
import { getLogger } from '../common/log.js';
import type { OdpAction } from '../datapath/odp-actions.js';
import { extractFlow } from '../packet/extract.js';
import { ETH_TYPE_RARP, ETH_TYPE_VLAN_8021Q, newFlow } from '../packet/flow-layout.js';
import { bondRebalance } from './bond-rebalance.js';
import type { Bundle } from './bundle.js';
import { type MacNumber, macToBytes, setDlSrc } from './flow-access.js';
import type { Ofproto } from './ofproto.js';
import { includesVlan, outputTranslate, type Tags } from './xlate/vlan.js';

const log = getLogger('ofproto_dpif');

const RARP_BYTES = 42;

export function bundleRun(ofproto: Ofproto, bundle: Bundle): void {
  const { bond } = bundle;
  if (bond === null) return;
  for (const port of bundle.ports) bond.setMayEnable(port.device, port.device.carrier());
  bond.run(bundle.lacpStatus);
  if (bond.isBalanced && ofproto.clock.now() >= bond.nextRebalanceMs) {
    ofproto.backer.pushStats();
    bondRebalance(bond, ofproto.clock.now());
  }
  if (bond.takeRevalidate()) ofproto.markRevalidate();
  if (bond.takeLearning()) sendLearningPackets(ofproto, bundle);
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
}

function sendLearning(ofproto: Ofproto, bundle: Bundle, mac: MacNumber, tags: Tags): boolean {
  const { vid } = outputTranslate(bundle, tags)[0];
  const flow = newFlow();
  setDlSrc(flow, mac);
  const member = bundle.bond?.chooseOutput(flow, null, vid) ?? null;
  const port = member === null ? null : bundle.portOf(member.link);
  if (port === null || port.odpPort === null) return false;
  const data = composeRarp(mac);
  const actions: OdpAction[] = [{ type: 'output', port: port.odpPort }];
  if (vid !== 0) {
    actions.unshift({ type: 'push_vlan', tpid: ETH_TYPE_VLAN_8021Q, tci: vid | 0x1000 });
  }
  ofproto.backer.dpif.execute({ data }, extractFlow(data), actions);
  return true;
}

/** A broadcast 'reverse ARP request' from `mac`: RFC 903. */
export function composeRarp(mac: MacNumber): Uint8Array {
  const frame = new Uint8Array(RARP_BYTES);
  const view = new DataView(frame.buffer);
  const bytes = macToBytes(mac);
  frame.fill(0xff, 0, 6);
  frame.set(bytes, 6);
  view.setUint16(12, ETH_TYPE_RARP);
  view.setUint16(14, 1); // Ethernet
  view.setUint16(16, 0x0800); // IPv4
  view.setUint8(18, 6);
  view.setUint8(19, 4);
  view.setUint16(20, 3); // request reverse
  frame.set(bytes, 22);
  frame.set(bytes, 32);
  return frame;
}
