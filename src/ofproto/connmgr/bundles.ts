/**
 * Bundles of one connection: messages that a commit executes together or not at all.
 *
 *     open --> add, add, ... --> [close] --> commit    all in order; one refused: all undone
 *                                       `--> discard
 *
 * A message is checked as far as it can be when it is added; whatever is refused then is not part
 * of the bundle. Packets and requests meet the tables of before or those of after a commit
 * (bundle-commit.ts). Bundles without news for ten seconds are given up.
 *
 * Source: OpenFlow 1.4 section 7.3.9.
 */
import { type CodecOptions, decodeMessage } from '../../openflow/codec/index.js';
import { fail, type OfErrorName } from '../../openflow/errors.js';
import { giveMatch } from '../../openflow/match.js';
import type { OfMessage } from '../../openflow/messages.js';
import {
  BUNDLABLE,
  type BundleAdd,
  type BundleControl,
  type BundleType,
} from '../../openflow/messages-bundle.js';
import { checkFlowModTable } from '../flow-mod.js';
import {
  type Bundlable,
  BundleCommit,
  type BundleHandlers,
  type BundleKind,
  type Failure,
  kindOf,
} from './bundle-commit.js';
import { BundleLog } from './bundle-log.js';
import type { OfConn } from './ofconn.js';

/** Bundles that one connection may have open, and what all of them may hold. */
const BUNDLES_MAX = 64;
const BYTES_MAX = 256 * 1024 * 1024;
const MESSAGES_MAX = 1_000_000;
/** What bundles of all connections may hold: this many times as much. */
const ALL_MAX = 2;
/** Each connection may have as much, whatever others hold. */
const BYTES_SURE = 1024 * 1024;
const MESSAGES_SURE = 5000;
/** Entries that are made before a commit asks for them, in bundles of all connections. */
const ENTRIES_ALL_MAX = 256 * 1024;
/** A bundle to which nothing was added for so long is given up, unless configured otherwise. */
export const BUNDLE_IDLE_MS = 10_000;

interface Bundle {
  id: number;
  flags: number;
  closed: boolean;
  /** Of the message that opened it, for the error that says that it was given up. */
  openFrame: Uint8Array;
  openXid: number;
  usedMs: number;
  /** How its messages are to be read: as when it was opened. */
  codec: CodecOptions;
  log: BundleLog;
  kind: BundleKind;
}

export class Bundles {
  private readonly bundles = new Map<number, Bundle>();
  private bytes = 0;
  private messages = 0;

  constructor(
    private readonly conn: OfConn,
    private readonly handlers: BundleHandlers,
  ) {}

  /** Steps of a commit before others have their turn; undefined: the usual number. */
  stepsPerTurn: number | undefined;

  private get idleMs(): number {
    return this.conn.ofproto.connmgr.bundleIdleMs;
  }

  get size(): number {
    return this.bundles.size;
  }

  /** @returns the answer; a commit may take many turns of the main loop */
  control(msg: BundleControl, xid: number, frame: Uint8Array): OfMessage | Promise<OfMessage> {
    switch (msg.ctrl) {
      case 'open_request':
        this.open(msg.bundle, msg.flags, xid, frame);
        break;
      case 'close_request':
        this.close(msg);
        break;
      case 'commit_request':
        return this.commit(msg);
      case 'discard_request':
        this.drop(this.bundles.get(msg.bundle) ?? fail('OFPBFC_BAD_ID'));
        break;
      default:
        fail('OFPBFC_BAD_TYPE');
    }
    return replyTo(msg);
  }

  private open(id: number, flags: number, xid: number, frame: Uint8Array): Bundle {
    const known = this.bundles.get(id);
    if (known !== undefined) {
      this.drop(known);
      fail('OFPBFC_BAD_ID');
    }
    if (this.bundles.size >= BUNDLES_MAX) fail('OFPBFC_OUT_OF_BUNDLES');
    const usedMs = this.conn.ofproto.clock.now();
    const opened = { id, flags, closed: false, openFrame: frame.slice(), openXid: xid, usedMs };
    const codec = { ...this.conn.connection.codec };
    const kind = { groups: false };
    const bundle: Bundle = { ...opened, codec, log: new BundleLog(), kind };
    this.bundles.set(id, bundle);
    return bundle;
  }

  private close(msg: BundleControl): void {
    const bundle = this.bundles.get(msg.bundle) ?? fail('OFPBFC_BAD_ID');
    this.refuseUnless(bundle, !bundle.closed, 'OFPBFC_BUNDLE_CLOSED');
    this.refuseUnless(bundle, bundle.flags === msg.flags, 'OFPBFC_BAD_FLAGS');
    bundle.closed = true;
  }

  /** What a bundle is asked wrongly ends it. */
  private refuseUnless(bundle: Bundle, ok: boolean, error: OfErrorName): void {
    if (ok) return;
    this.drop(bundle);
    fail(error);
  }

  private drop(bundle: Bundle): void {
    this.bundles.delete(bundle.id);
    this.hold(-bundle.log.size, -bundle.log.bytes, -bundle.log.entries);
  }

  /** Drops all: the connection has ended. */
  clear(): void {
    for (const bundle of [...this.bundles.values()]) this.drop(bundle);
  }

  private hold(messages: number, bytes: number, entries: number): void {
    const { bundled } = this.conn.ofproto.backer;
    this.messages += messages;
    this.bytes += bytes;
    bundled.messages += messages;
    bundled.bytes += bytes;
    bundled.entries += entries;
  }

  private hasRoom(bytes: number): boolean {
    const own = this.bytes + bytes;
    if (this.messages >= MESSAGES_MAX || own > BYTES_MAX) return false;
    if (this.messages < MESSAGES_SURE && own <= BYTES_SURE) return true;
    const { bundled } = this.conn.ofproto.backer;
    return (
      bundled.messages < ALL_MAX * MESSAGES_MAX && bundled.bytes + bytes <= ALL_MAX * BYTES_MAX
    );
  }

  add(add: BundleAdd, xid: number, frame: Uint8Array): void {
    const known = this.bundles.get(add.bundle);
    if (known !== undefined) {
      this.refuseUnless(known, !known.closed, 'OFPBFC_BUNDLE_CLOSED');
      this.refuseUnless(known, known.flags === add.flags, 'OFPBFC_BAD_FLAGS');
    }
    // A bundle that was not opened is, by what is added to it.
    const bundle = known ?? this.open(add.bundle, add.flags, xid, frame);
    bundle.usedMs = this.conn.lastReceivedMs;
    const decoded = decodeMessage(this.conn.version, add.frame, bundle.codec);
    if (decoded.error !== undefined) {
      fail(
        /^OFPBRC_BAD_(TYPE|LEN|VERSION|SUBTYPE|VENDOR)$/.test(decoded.error)
          ? 'OFPBFC_MSG_UNSUP'
          : decoded.error,
      );
    }
    const { msg } = decoded;
    if (!BUNDLABLE.has(msg.type)) fail('OFPBFC_MSG_UNSUP');
    // What is refused here is no part of the bundle.
    if (msg.type === 'flow_mod') checkFlowModTable(msg);
    if (!this.hasRoom(add.frame.length)) fail('OFPBFC_MSG_TOO_MANY');
    const { log } = bundle;
    const before = log.entries;
    const { bundled } = this.conn.ofproto.backer;
    log.add(add.frame, msg as Bundlable, bundled.entries < ENTRIES_ALL_MAX);
    this.hold(1, add.frame.length, log.entries - before);
    bundle.kind = kindOf(msg as Bundlable, bundle.kind);
    if (msg.type === 'flow_mod') giveMatch(msg.match);
  }

  /** @throws OFPBFC_MSG_FAILED after the error for the message that was refused has been sent */
  private commit(msg: BundleControl): OfMessage | Promise<OfMessage> {
    const bundle = this.bundles.get(msg.bundle) ?? fail('OFPBFC_BAD_ID');
    this.drop(bundle);
    if (bundle.flags !== msg.flags) fail('OFPBFC_BAD_FLAGS');
    const done = (failed: Failure | null): OfMessage => {
      if (failed === null) return replyTo(msg);
      this.conn.connection.sendError(failed.error, failed.xid, failed.frame);
      return fail('OFPBFC_MSG_FAILED');
    };
    if (bundle.log.size === 0) return done(null);
    const commit = new BundleCommit(this.conn, this.handlers, bundle, this.stepsPerTurn);
    const failed = commit.run();
    return failed instanceof Promise ? failed.then(done) : done(failed);
  }

  /** Gives bundles up that nobody adds to; the peer is told. */
  run(now: number): void {
    for (const bundle of [...this.bundles.values()]) {
      if (now < bundle.usedMs + this.idleMs) continue;
      this.drop(bundle);
      this.conn.connection.sendError('OFPBFC_TIMEOUT', bundle.openXid, bundle.openFrame);
    }
  }

  /** Clock milliseconds at which the next one is to be given up, or Infinity. */
  nextWake(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { usedMs } of this.bundles.values()) next = Math.min(next, usedMs + this.idleMs);
    return next;
  }
}

function replyTo(msg: BundleControl): OfMessage {
  const ctrl = `${msg.ctrl}`.replace('request', 'reply') as BundleType;
  return { type: 'bundle_control', bundle: msg.bundle, ctrl, flags: 0 };
}
