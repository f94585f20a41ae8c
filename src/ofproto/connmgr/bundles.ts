/**
 * Bundles of one connection: messages that a commit executes together or not at all.
 *
 *     open --> add, add, ... --> [close] --> commit    all in order; one refused: all undone
 *                                       `--> discard
 *
 * A message is checked as far as it can be when it is added; whatever is refused then is not part
 * of the bundle. Between the first and the last message of a commit nothing else runs, so packets
 * meet the tables of before or those of after. Bundles without news for ten seconds are given up.
 *
 * Source: OpenFlow 1.4 section 7.3.9.
 */
import { type CodecOptions, decodeMessage } from '../../openflow/codec/index.js';
import { fail, type OfErrorName, OfpError } from '../../openflow/errors.js';
import type { FlowMod, OfMessage, PacketOut, PortMod } from '../../openflow/messages.js';
import {
  BUNDLABLE,
  type BundleAdd,
  type BundleControl,
  type BundleType,
} from '../../openflow/messages-bundle.js';
import { type GroupMod, OFPG } from '../../openflow/messages-groups.js';
import { checkFlowModTable, rulesOf } from '../flow-mod.js';
import { FrameLog } from './frame-log.js';
import type { Forwarded } from './notices.js';
import type { OfConn } from './ofconn.js';
import { TableJournal } from './table-journal.js';

/** Bundles that one connection may have open, and what all of them may hold. */
const BUNDLES_MAX = 64;
const BYTES_MAX = 256 * 1024 * 1024;
const MESSAGES_MAX = 1_000_000;
/** A bundle to which nothing was added for so long is given up, unless configured otherwise. */
export const BUNDLE_IDLE_MS = 10_000;

type Bundlable = FlowMod | GroupMod | PortMod | PacketOut;

interface Failure {
  frame: Uint8Array;
  xid: number;
  error: OfErrorName;
}

/** What a commit has done so far, and has yet to do. */
interface Run {
  undo: (() => void)[];
  packets: (() => void)[];
  forwarded: Forwarded[];
}

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
  frames: FrameLog;
}

export interface BundleHandlers {
  /** Carries out one message of a bundle, as if it had come alone. Throws OfpError. */
  execute(conn: OfConn, msg: Exclude<Bundlable, PacketOut>, xid: number): Forwarded | null;
  /** Finds out what becomes of a packet now; it goes when the result is called. Throws OfpError. */
  prepare(conn: OfConn, msg: PacketOut): () => void;
}

export class Bundles {
  private readonly bundles = new Map<number, Bundle>();
  private bytes = 0;
  private messages = 0;

  constructor(
    private readonly conn: OfConn,
    private readonly handlers: BundleHandlers,
  ) {}

  private get idleMs(): number {
    return this.conn.ofproto.connmgr.bundleIdleMs;
  }

  get size(): number {
    return this.bundles.size;
  }

  control(msg: BundleControl, xid: number, frame: Uint8Array): OfMessage {
    switch (msg.ctrl) {
      case 'open_request':
        this.open(msg.bundle, msg.flags, xid, frame);
        break;
      case 'close_request':
        this.close(msg);
        break;
      case 'commit_request':
        this.commit(msg);
        break;
      case 'discard_request':
        this.drop(this.bundles.get(msg.bundle) ?? fail('OFPBFC_BAD_ID'));
        break;
      default:
        fail('OFPBFC_BAD_TYPE');
    }
    const ctrl = msg.ctrl.replace('request', 'reply') as BundleType;
    return { type: 'bundle_control', bundle: msg.bundle, ctrl, flags: 0 };
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
    const bundle: Bundle = { ...opened, codec, frames: new FrameLog() };
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
    this.messages -= bundle.frames.size;
    this.bytes -= bundle.frames.bytes;
  }

  add(add: BundleAdd, xid: number, frame: Uint8Array): void {
    const known = this.bundles.get(add.bundle);
    if (known !== undefined) {
      this.refuseUnless(known, !known.closed, 'OFPBFC_BUNDLE_CLOSED');
      this.refuseUnless(known, known.flags === add.flags, 'OFPBFC_BAD_FLAGS');
    }
    // A bundle that was not opened is, by what is added to it.
    const bundle = known ?? this.open(add.bundle, add.flags, xid, frame);
    bundle.usedMs = this.conn.ofproto.clock.now();
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
    const full = this.messages >= MESSAGES_MAX || this.bytes + add.frame.length > BYTES_MAX;
    if (full) fail('OFPBFC_MSG_TOO_MANY');
    this.messages++;
    this.bytes += add.frame.length;
    bundle.frames.add(add.frame);
  }

  /** @throws OFPBFC_MSG_FAILED after the error for the message that was refused has been sent */
  private commit(msg: BundleControl): void {
    const bundle = this.bundles.get(msg.bundle) ?? fail('OFPBFC_BAD_ID');
    this.drop(bundle);
    if (bundle.flags !== msg.flags) fail('OFPBFC_BAD_FLAGS');
    if (bundle.frames.size === 0) return;
    const failed = this.executeAll(bundle);
    if (failed === null) return;
    this.conn.connection.sendError(failed.error, failed.xid, failed.frame);
    fail('OFPBFC_MSG_FAILED');
  }

  /** Executes messages in order, or none of them. @returns the first that was refused, or null */
  private executeAll({ frames, codec }: Bundle): Failure | null {
    const { connmgr, backer } = this.conn.ofproto;
    backer.pushStats();
    return connmgr.notices.during(null, () => {
      const run: Run = { undo: [], packets: [], forwarded: [] };
      const journal = new TableJournal(this.conn.ofproto);
      const events = connmgr.holdEvents();
      const uncount = this.conn.flowMods.save();
      let failed: Failure | null = null;
      try {
        for (const frame of frames.frames()) {
          failed = this.executeOne(frame, codec, journal, run);
          if (failed !== null) break;
        }
      } finally {
        journal.close();
      }
      if (failed !== null) {
        for (const step of run.undo.reverse()) step();
        journal.undo();
        connmgr.notices.discard();
        uncount();
        events.discard();
        return failed;
      }
      events.release();
      for (const done of run.forwarded) connmgr.notices.forward(this.conn, done);
      // Packets go once it is certain that everything else is in force.
      for (const send of run.packets) send();
      return null;
    });
  }

  private executeOne(
    frame: Uint8Array,
    codec: CodecOptions,
    journal: TableJournal,
    run: Run,
  ): Failure | null {
    const { xid, ...decoded } = decodeMessage(this.conn.version, frame, codec);
    // It was decoded when it was added, in the same way.
    if (decoded.error !== undefined) return { frame, xid, error: decoded.error };
    const msg = decoded.msg as Bundlable;
    const { ofproto } = this.conn;
    try {
      if (msg.type === 'packet_out') {
        run.packets.push(this.handlers.prepare(this.conn, msg));
        return null;
      }
      if (msg.type === 'flow_mod') {
        if (msg.command.startsWith('modify')) journal.keep(rulesOf(ofproto, anyOutput(msg)));
      } else if (msg.type === 'group_mod') run.undo.push(this.groupUndo(msg));
      else run.undo.push(this.portUndo(msg));
      const done = this.handlers.execute(this.conn, msg, xid);
      if (done !== null) run.forwarded.push(done);
      return null;
    } catch (error) {
      if (error instanceof OfpError) return { frame, xid, error: error.error };
      throw error;
    }
  }

  /** Puts the groups that a group-mod is about back as they are now. */
  private groupUndo(mod: GroupMod): () => void {
    const { groups } = this.conn.ofproto.connmgr;
    const before = groups.groupDesc(mod.group);
    const make = (command: GroupMod['command'], group: number): GroupMod => {
      return { ...mod, command, group, commandBucketId: OFPG.ANY, buckets: [] };
    };
    return () => {
      if (mod.group !== OFPG.ALL) groups.groupMod(make('delete', mod.group));
      for (const desc of before) groups.groupMod({ ...make('add', desc.group), ...desc });
    };
  }

  private portUndo(mod: PortMod): () => void {
    const { ofproto } = this.conn;
    const config = ofproto.portByNo(mod.portNo)?.config;
    return () => {
      if (config !== undefined) ofproto.portMod({ ...mod, config, mask: mod.mask });
    };
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

/** A modify looks at neither port nor group. */
function anyOutput(mod: FlowMod): FlowMod {
  return { ...mod, outPort: 0xffffffff, outGroup: OFPG.ANY };
}
