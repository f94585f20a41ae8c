/**
 * Commits a bundle: its messages are carried out in order, all of them or none.
 *
 *     frame, frame, ... --> draft of the tables      as many turns of the main loop as it takes
 *                             | all carried out       `-- one refused: undone
 *                             v
 *                           publish: in force for packets and requests alike, all at once
 *                             v
 *                           what was replaced is taken out, then the answer
 *
 * Others are served between the turns; who would change the tables waits (waiting.ts). Groups have
 * a draft of their own (group-table.ts); ports are looked at in their turn, and changed when all
 * else is in force.
 *
 * Not for: collecting the messages (bundles.ts).
 */
import { setImmediate } from 'node:timers/promises';
import { type CodecOptions, decodeMessage } from '../../openflow/codec/index.js';
import { type OfErrorName, OfpError } from '../../openflow/errors.js';
import { giveMatch } from '../../openflow/match.js';
import type { FlowMod, PacketOut, PortMod } from '../../openflow/messages.js';
import type { GroupMod } from '../../openflow/messages-groups.js';
import { normalizeMatch } from '../../openflow/normalize.js';
import { addRule, draftFlowMod } from '../flow-mod.js';
import type { Ofproto } from '../ofproto.js';
import type { Rule } from '../rule.js';
import { TableDraft } from '../table-draft.js';
import type { BundleLog, BundleReader } from './bundle-log.js';
import type { HeldEvents } from './connmgr.js';
import type { Forwarded } from './notices.js';
import type { OfConn } from './ofconn.js';

/** Steps of one turn, at most and in time: a step is a message, or 16 entries. */
const STEPS_PER_TURN = 1000;
const TURN_MS = 10;
/** The clock is looked at so often. */
const STEPS_PER_LOOK = 8;

export type Bundlable = FlowMod | GroupMod | PortMod | PacketOut;

/** The message that was refused. */
export interface Failure {
  frame: Uint8Array;
  xid: number;
  error: OfErrorName;
}

export interface BundleHandlers {
  /** Carries out one message of a bundle, as if it had come alone. Throws OfpError. */
  execute(conn: OfConn, msg: FlowMod | GroupMod, xid: number): Forwarded | null;
  /**
   * Finds out what becomes of a packet, or a port, now; that happens when the result is called.
   * Throws OfpError.
   */
  prepare(conn: OfConn, msg: PacketOut | PortMod): () => void;
}

/** What is known of a bundle's messages before they are carried out. */
export interface BundleKind {
  /** It changes groups. */
  groups: boolean;
}

export function kindOf(msg: Bundlable, kind: BundleKind): BundleKind {
  return msg.type === 'group_mod' ? { groups: true } : kind;
}

export class BundleCommit {
  private readonly ofproto: Ofproto;
  private readonly draft: TableDraft;
  private readonly steps: Iterator<void, Failure | null>;
  private over = false;
  /** When the turn began. */
  private turnMs = 0;
  private failure: Failure | null = null;
  /** Events of what may yet be undone; null once it stays. */
  private held: HeldEvents | null = [];
  private readonly ports: (() => void)[] = [];
  private readonly packets: (() => void)[] = [];
  private readonly forwarded: Forwarded[] = [];

  /** No other draft of the bridge's tables is open. */
  constructor(
    private readonly conn: OfConn,
    private readonly handlers: BundleHandlers,
    private readonly bundle: { log: BundleLog; codec: CodecOptions; kind: BundleKind },
    private readonly stepsPerTurn = STEPS_PER_TURN,
  ) {
    this.ofproto = conn.ofproto;
    this.draft = new TableDraft(this.ofproto, () => this.finish());
    this.draft.groupsChange = bundle.kind.groups;
    this.steps = this.all();
  }

  /** @returns what was refused, or null; at once where one turn is enough */
  run(): Failure | null | Promise<Failure | null> {
    return this.turn() ? this.failure : this.rest();
  }

  private async rest(): Promise<Failure | null> {
    do await setImmediate();
    while (this.ofproto.draft === this.draft && !this.turn());
    return this.failure;
  }

  private finish(): void {
    while (!this.turn());
  }

  /** @returns true when it is over */
  private turn(): boolean {
    if (this.over) return true;
    const { clock, connmgr } = this.ofproto;
    this.turnMs = clock.now();
    const untilMs = this.turnMs + TURN_MS;
    return this.draft.inside(() => {
      connmgr.hold(this.held);
      try {
        for (let n = 0; n < this.stepsPerTurn && !this.over; n++) {
          const { done, value } = this.steps.next();
          this.over = done === true;
          if (done === true) this.failure = value;
          else if (n % STEPS_PER_LOOK === 0 && clock.now() >= untilMs) break;
        }
        return this.over;
      } catch (error) {
        this.over = true;
        if (this.ofproto.draft === this.draft) this.draft.end();
        throw error;
      } finally {
        connmgr.hold(null);
      }
    });
  }

  private *all(): Generator<void, Failure | null> {
    const { ofproto, conn, draft } = this;
    const { notices } = ofproto.connmgr;
    notices.gather();
    const uncount = conn.flowMods.save();
    let happened = false;
    try {
      for (const at = this.bundle.log.reader(); at.next(); ) {
        const failed = at.addition ? this.add(at, at.addition) : yield* this.one(at.frame);
        if (failed !== null) {
          uncount();
          return failed;
        }
        yield;
      }
      happened = true;
    } finally {
      if (!happened) {
        notices.letGo('forget');
        yield* draft.undo();
      }
    }
    this.publish();
    yield* draft.settle();
    return null;
  }

  private publish(): void {
    const { connmgr } = this.ofproto;
    this.draft.publish();
    for (const change of this.ports) change();
    connmgr.hold(null);
    connmgr.releaseEvents(this.held ?? []);
    this.held = null;
    for (const done of this.forwarded) connmgr.notices.forward(this.conn, done);
    // Packets go once it is certain that everything else is in force.
    for (const send of this.packets) send();
    connmgr.notices.letGo('tell');
  }

  /** An entry that was made when its message came. */
  private add(at: BundleReader, rule: Rule): Failure | null {
    const { conn, ofproto } = this;
    rule.hold(at.takeMatch());
    rule.begin(this.turnMs);
    try {
      const origin = { conn, xid: at.xid };
      ofproto.connmgr.notices.during(origin, () => addRule(ofproto, rule));
    } catch (error) {
      return this.refused(error, at.frame, at.xid);
    }
    if (conn.flowMods.count('add', this.turnMs)) ofproto.backer.wake();
    return null;
  }

  private refused(error: unknown, frame: Uint8Array, xid: number): Failure {
    if (error instanceof OfpError) return { frame, xid, error: error.error };
    throw error;
  }

  private *one(frame: Uint8Array): Generator<void, Failure | null> {
    const { version } = this.conn;
    const decoded = decodeMessage(version, frame, this.bundle.codec);
    const { xid } = decoded;
    // It was decoded when it was added, in the same way.
    if (decoded.error !== undefined) return { frame, xid, error: decoded.error };
    try {
      yield* this.execute(decoded.msg as Bundlable, xid);
      return null;
    } catch (error) {
      return this.refused(error, frame, xid);
    }
  }

  private *execute(msg: Bundlable, xid: number): Generator<void> {
    const { conn, handlers } = this;
    if (msg.type === 'packet_out') {
      this.packets.push(handlers.prepare(conn, msg));
      return;
    }
    if (msg.type === 'flow_mod' && (msg.command === 'delete' || msg.command === 'modify')) {
      yield* this.flowMod(msg, xid);
      return;
    }
    if (msg.type === 'port_mod') {
      this.ports.push(handlers.prepare(conn, msg));
      return;
    }
    const done = handlers.execute(conn, msg, xid);
    if (done !== null) this.forwarded.push(done);
    if (msg.type === 'flow_mod') giveMatch(msg.match);
  }

  /** One that may be about many entries. */
  private *flowMod(msg: FlowMod, xid: number): Generator<void> {
    const { conn, ofproto } = this;
    const { notices } = ofproto.connmgr;
    normalizeMatch(msg.match);
    const steps = draftFlowMod(ofproto, msg);
    while (notices.during({ conn, xid }, () => steps.next().done) !== true) yield;
    if (conn.flowMods.count(msg.command)) ofproto.backer.wake();
  }
}
