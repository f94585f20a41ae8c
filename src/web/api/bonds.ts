/**
 * Bonds: members and why each is used or not, buckets, LACP, and what happened lately.
 */
import { type Static, Type } from '@sinclair/typebox';
import { Nullable, OneOf } from './common.js';

export const BondLacp = Type.Object({
  status: Type.String(),
  attached: Type.Boolean(),
  /** State bits in words: 'activity aggregation synchronized...'. */
  actor: Type.String(),
  partner: Type.String(),
  partnerSystem: Type.String(),
});
export type BondLacp = Static<typeof BondLacp>;

export const BondMember = Type.Object({
  name: Type.String(),
  enabled: Type.Boolean(),
  active: Type.Boolean(),
  carrier: Nullable(Type.Boolean()),
  /** Why it carries traffic or does not, in words; '' where the subject does not say. */
  why: Type.String(),
  /** Buckets (of 256) that lead to it. */
  buckets: Type.Integer(),
  /** Bytes of those buckets since about the last rebalance. */
  load: Type.Number(),
  /** Bits per second, null until two samples have been taken. */
  txBps: Nullable(Type.Number()),
  rxBps: Nullable(Type.Number()),
  lacp: Nullable(BondLacp),
});
export type BondMember = Static<typeof BondMember>;

export const BondEvent = Type.Object({
  seq: Type.Integer(),
  /** Milliseconds since 1970. */
  at: Type.Number(),
  /** Null for what happened to the bond as a whole. */
  member: Nullable(Type.String()),
  text: Type.String(),
});
export type BondEvent = Static<typeof BondEvent>;

export const Bond = Type.Object({
  bridge: Type.String(),
  name: Type.String(),
  mode: OneOf('active-backup', 'balance-slb', 'balance-tcp'),
  lacp: OneOf('off', 'configured', 'negotiated'),
  active: Nullable(Type.String()),
  /** Milliseconds until buckets may move; null where they never do. */
  rebalanceMs: Nullable(Type.Number()),
  members: Type.Array(BondMember),
  /** The newest last. */
  events: Type.Array(BondEvent),
});
export type Bond = Static<typeof Bond>;
export const Bonds = Type.Array(Bond);
export type Bonds = Static<typeof Bonds>;
