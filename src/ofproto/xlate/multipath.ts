/** multipath and bundle: choosing one of several links or ports by a hash of the packet. */
import { OFPP, type OfAction } from '../../openflow/actions.js';
import { bigintToBytes } from '../../packet/fields-subfield.js';
import { hashAdd, hashFinish } from '../hash.js';
import { OFPPS } from '../port.js';
import type { XlateContext } from './context.js';
import { hashFields, unwildcardFields } from './hash-fields.js';
import { outputAction } from './output.js';
import { loadSubfield, reportSubfield } from './set-field.js';

type Multipath = Extract<OfAction, { type: 'multipath' }>['multipath'];
type BundleAction = Extract<OfAction, { type: 'bundle' }>['bundle'];

/** Hashes of hashes that iter_hash tries before it takes what it has. */
const ITERATIONS_MAX = 1024;
/** What bundle_load writes when no member is up: OpenFlow 1.0's OFPP_NONE. */
const NO_PORT = 0xffff;

function hashTwo(a: number, b: number): number {
  return hashFinish(hashAdd(hashAdd(0, a), b), 8);
}

export function executeMultipath(ctx: XlateContext, multipath: Multipath): void {
  const { fields, basis, dst } = multipath;
  const hash = hashFields(ctx.flow, fields, basis);
  unwildcardFields(ctx.flow, ctx.wc, fields);
  loadSubfield(ctx, dst, bigintToBytes(BigInt(chooseLink(multipath, hash)), 8));
  reportSubfield(ctx, dst);
}

function chooseLink({ algorithm, maxLink, arg }: Multipath, hash: number): number {
  const links = maxLink + 1;
  switch (algorithm) {
    case 'modulo_n':
      return hash % links;
    case 'hash_threshold':
      return links === 1 ? 0 : Math.floor(hash / (Math.floor(0xffffffff / links) + 1));
    case 'hrw':
      return highest(links, (link) => hashTwo(link, hash));
    case 'iter_hash': {
      let range = 1;
      while (range < links) range *= 2;
      let link = hash % range;
      for (let i = 0, h = hash; link >= links && i < ITERATIONS_MAX; i++) {
        h = hashTwo(h, arg);
        link = h % range;
      }
      return link % links;
    }
  }
}

function highest(count: number, score: (index: number) => number): number {
  let best = 0;
  for (let i = 1; i < count; i++) if (score(i) > score(best)) best = i;
  return best;
}

export function executeBundle(ctx: XlateContext, bundle: BundleAction): void {
  const port = chooseMember(ctx, bundle);
  if (bundle.dst === undefined) {
    if (port !== null) outputAction(ctx, port, 0, false);
    return;
  }
  const number = port === null ? NO_PORT : port & 0xffff;
  loadSubfield(ctx, bundle.dst, bigintToBytes(BigInt(number), 2));
  reportSubfield(ctx, bundle.dst);
}

function chooseMember(ctx: XlateContext, bundle: BundleAction): number | null {
  const live = bundle.members.filter((port) => isEnabled(ctx, port));
  if (bundle.algorithm === 'active_backup') return live[0] ?? null;
  unwildcardFields(ctx.flow, ctx.wc, bundle.fields);
  if (live.length === 0) return null;
  const hash = hashFields(ctx.flow, bundle.fields, bundle.basis);
  return live[highest(live.length, (i) => hashTwo(bundle.members.indexOf(live[i]), hash))];
}

function isEnabled(ctx: XlateContext, ofPort: number): boolean {
  if (ofPort === OFPP.CONTROLLER) return false;
  if (ofPort >= OFPP.MAX && ofPort !== OFPP.LOCAL) return true;
  const port = ctx.port(ofPort);
  return port !== null && (port.currentState() & OFPPS.LIVE) !== 0;
}
