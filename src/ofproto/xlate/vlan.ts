/**
 * VLANs on the way through NORMAL: tags as received, tags inside the bridge, tags as sent.
 *
 *     frame's tags --inputTranslate--> the bridge's view: outer tag = the packet's VLAN
 *                  <-outputTranslate--
 *
 * Not for: tags that OpenFlow actions push or pop (actions.ts), or emitting anything (commit.ts).
 * Port modes: ovs-vswitchd.conf.db(5), Port table, 'VLAN Configuration'.
 */
import {
  ETH_TYPE_VLAN_8021Q,
  type FlowWords,
  VLAN_CFI,
  VLAN_PCP_MASK,
  VLAN_VID_MASK,
  W_VLAN0,
  W_VLAN1,
} from '../../packet/flow-layout.js';
import type { VlanMode } from '../settings.js';

/** One tag; vid, pcp and tpid 0 where there is none. pcp is in place (bits 13..15). */
export interface Tag {
  tpid: number;
  vid: number;
  pcp: number;
  /** Where in the packet it stood: 0 outer, 1 inner; null: it is not the packet's. */
  from: 0 | 1 | null;
  /** A customer's own tag: it passes as it is, even with VID and priority 0. */
  keep?: boolean;
}

/** Outer and inner tag. */
export type Tags = [Tag, Tag];

const noTag = (): Tag => ({ tpid: 0, vid: 0, pcp: 0, from: null });
const copyTags = (tags: Tags): Tags => [{ ...tags[0] }, { ...tags[1] }];

export function extractTags(flow: FlowWords): Tags {
  const tags: Tags = [
    { ...noTag(), from: 0 },
    { ...noTag(), from: 1 },
  ];
  for (const [i, tag] of tags.entries()) {
    const word = flow[W_VLAN0 + i];
    if ((word & VLAN_CFI) === 0) break;
    tag.tpid = word >>> 16;
    tag.vid = word & VLAN_VID_MASK;
    tag.pcp = word & VLAN_PCP_MASK;
    tag.keep = i > 0;
  }
  return tags;
}

/** True when the tags are those that the packet came with, each in its place. */
export function tagsAsReceived(tags: Tags): boolean {
  return tags[0].from === 0 && tags[1].from === 1;
}

/** Writes tags into a flow; one whose VID and priority are 0 is left out unless wanted. */
export function putTags(flow: FlowWords, tags: Tags, always: boolean): void {
  let level = 0;
  for (const { tpid, vid, pcp, keep } of tags) {
    const tci = vid | pcp;
    const wanted = tpid !== 0 && (always || keep === true);
    if (tci === 0 && !wanted) continue;
    flow[W_VLAN0 + level] = ((tpid || ETH_TYPE_VLAN_8021Q) << 16) | tci | VLAN_CFI;
    level += 1;
  }
  flow.fill(0, W_VLAN0 + level, W_VLAN0 + 2);
}

/** What a bundle does with tags. */
interface VlanBundle {
  readonly name: string;
  readonly vlanMode: VlanMode;
  readonly vlan: number;
  readonly qinqEthType: number;
  trunksVlan(vid: number): boolean;
  allowsCvlan(vid: number): boolean;
}

/** Why a packet with this outer VID (0: untagged) may not come in by the bundle, or null. */
export function inputVidProblem(bundle: VlanBundle, vid: number): string | null {
  switch (bundle.vlanMode) {
    case 'access':
      if (vid === 0) return null;
      return (
        `dropping VLAN ${vid} tagged packet received on port ${bundle.name} configured as ` +
        `VLAN ${bundle.vlan} access port`
      );
    case 'native-tagged':
    case 'native-untagged':
    case 'trunk':
      if (vid === 0 && bundle.vlanMode !== 'trunk') return null;
      if (bundle.trunksVlan(vid)) return null;
      return (
        `dropping VLAN ${vid} packet received on port ${bundle.name} not configured for ` +
        `trunking VLAN ${vid}`
      );
    case 'dot1q-tunnel':
      if (bundle.allowsCvlan(vid)) return null;
      return (
        `dropping VLAN ${vid} packet received on dot1q-tunnel port ${bundle.name} that ` +
        'excludes this VLAN'
      );
  }
}

/** The bridge's view of a packet that came in by `bundle`. */
export function inputTranslate(bundle: VlanBundle, tags: Tags): Tags {
  const native = (): Tag => ({
    tpid: tags[0].tpid || ETH_TYPE_VLAN_8021Q,
    vid: bundle.vlan,
    pcp: tags[0].pcp,
    from: null,
  });
  switch (bundle.vlanMode) {
    case 'access':
      return [native(), noTag()];
    case 'trunk':
      return copyTags(tags);
    case 'native-tagged':
    case 'native-untagged':
      return tags[0].vid === 0 ? [native(), { ...tags[1] }] : copyTags(tags);
    case 'dot1q-tunnel':
      return [
        { tpid: bundle.qinqEthType, vid: bundle.vlan, pcp: 0, from: null },
        { ...tags[0], keep: true },
      ];
  }
}

/** The tags that a packet leaves `bundle` with. */
export function outputTranslate(bundle: VlanBundle, tags: Tags): Tags {
  const popped = (): Tags => [{ ...tags[1] }, noTag()];
  switch (bundle.vlanMode) {
    case 'access':
      return [noTag(), noTag()];
    case 'trunk':
    case 'native-tagged':
      return copyTags(tags);
    case 'native-untagged':
      return tags[0].vid === bundle.vlan ? popped() : copyTags(tags);
    case 'dot1q-tunnel':
      return popped();
  }
}

/** Whether floods in the packet's VLAN reach `bundle`. */
export function includesVlan(bundle: VlanBundle, tags: Tags): boolean {
  switch (bundle.vlanMode) {
    case 'access':
      return tags[0].vid === bundle.vlan && tags[1].vid === 0;
    case 'trunk':
    case 'native-tagged':
    case 'native-untagged':
      return bundle.trunksVlan(tags[0].vid);
    case 'dot1q-tunnel':
      return tags[0].vid === bundle.vlan && bundle.allowsCvlan(tags[1].vid);
  }
}

/** Marks what the choices above read of the tags of `flow`, beyond the outer VID. */
export function unwildcardInnerTag(flow: FlowWords, wc: FlowWords): void {
  if ((flow[W_VLAN0] & VLAN_CFI) !== 0) wc[W_VLAN1] |= VLAN_VID_MASK | VLAN_CFI;
}
