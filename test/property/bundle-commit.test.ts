/**
 * A bundle that is committed over many turns gives what its messages give one after the other, or
 * nothing at all; and until then packets and requests meet the tables as they were.
 *
 * BUNDLE_RUNS in the environment makes it longer.
 */
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BundleCommit, kindOf } from '../../src/ofproto/connmgr/bundle-commit.js';
import { BundleLog } from '../../src/ofproto/connmgr/bundle-log.js';
import { FlowModReport } from '../../src/ofproto/connmgr/flow-mod-report.js';
import { executeBundled, prepareBundled } from '../../src/ofproto/connmgr/handlers.js';
import type { OfConn } from '../../src/ofproto/connmgr/ofconn.js';
import { flowEntry } from '../../src/ofproto/connmgr/stats-handlers.js';
import type { Ofproto } from '../../src/ofproto/ofproto.js';
import { OFPPC } from '../../src/ofproto/port.js';
import type { Rule } from '../../src/ofproto/rule.js';
import { decodeMessage, encodeMessage } from '../../src/openflow/codec/index.js';
import { OfpError } from '../../src/openflow/errors.js';
import type { FlowMod, OfMessage } from '../../src/openflow/messages.js';
import { OFPG } from '../../src/openflow/messages-groups.js';
import { formatFlowStats } from '../../src/openflow/syntax/flow-format.js';
import { parseFlow } from '../../src/openflow/syntax/flow-parse.js';
import { parseGroupMod } from '../../src/openflow/syntax/group-parse.js';
import { NO_NAMES } from '../../src/openflow/syntax/names.js';
import { newFlow, W_DL_TYPE, W_IN_PORT, W_NW_DST } from '../../src/packet/flow-layout.js';
import { TestSwitch } from '../unit/ofproto/support/bridge.js';

const RUNS = Number(process.env.BUNDLE_RUNS ?? 60);
const OF14 = 5;
const TABLES = 2;

/** Some matches cover others, and few enough that messages are about the same entries. */
const arbMatch = fc.constantFrom(
  ...['', 'in_port=1', 'in_port=2', 'ip', 'ip,nw_dst=10.0.0.0/8', 'ip,nw_dst=10.0.0.1'],
  ...['in_port=1,ip,nw_dst=10.0.0.0/8', 'ip,in_port=2'],
);
const arbActions = fc.constantFrom(
  ...['drop', 'output:1', 'output:2', 'group:7', 'resubmit(,1)'],
  'learn(table=1,priority=3,cookie=0x77,delete_learned,in_port=1)',
);
const arbSettings = fc.record({
  table: fc.nat(TABLES - 1),
  priority: fc.integer({ min: 1, max: 3 }),
  cookie: fc.constantFrom(0, 1, 0x77),
  timeouts: fc.constantFrom('', 'idle_timeout=9,', 'hard_timeout=5,', 'send_flow_rem,'),
  match: arbMatch,
  actions: arbActions,
});
const arbAdd = fc
  .record({ settings: arbSettings, overlap: fc.boolean(), reset: fc.boolean() })
  .map(({ settings, overlap, reset }) => {
    const { table, priority, cookie, timeouts, match, actions } = settings;
    const check = overlap && cookie === 1 ? 'check_overlap,' : '';
    const flags = `${check}${reset ? 'reset_counts,' : ''}`;
    const what = `table=${table},priority=${priority},cookie=${cookie},${timeouts}${flags}${match}`;
    return { command: 'add' as const, text: `${what},actions=${actions}` };
  });
const arbModify = fc
  .record({ settings: arbSettings, strict: fc.boolean(), byCookie: fc.boolean() })
  .map(({ settings: { table, priority, cookie, match, actions }, strict, byCookie }) => {
    const chosen = strict ? `priority=${priority},` : '';
    const text = `table=${table},${chosen}cookie=${cookie}${byCookie ? '/-1' : ''},${match}`;
    const command = strict ? ('modify_strict' as const) : ('modify' as const);
    return { command, text: `${text},actions=${actions}` };
  });
const arbDelete = fc
  .record({ settings: arbSettings, strict: fc.boolean(), which: fc.nat(3) })
  .map(({ settings: { table, priority, cookie, match }, strict, which }) => {
    const where = which === 0 && !strict ? '' : `table=${table},`;
    const by = which === 1 ? `cookie=${cookie}/-1,` : which === 2 ? 'out_port=2,' : '';
    const chosen = strict ? `priority=${priority},` : '';
    const command = strict ? ('delete_strict' as const) : ('delete' as const);
    return { command, text: `${where}${chosen}${by}${match}` };
  });
interface Mod {
  command: FlowMod['command'];
  text: string;
}

const flowMod = ({ command, text }: Mod): FlowMod => parseFlow(text, command, NO_NAMES).flow;

type GroupCommand = 'add' | 'modify' | 'add_or_mod' | 'delete';

const groupMod = (command: GroupCommand, port: number): OfMessage => {
  const buckets = command === 'delete' ? '' : `,type=all,bucket=output:${port}`;
  return parseGroupMod(`group_id=7${buckets}`, command, NO_NAMES).msg;
};

/** Of the port that was made first. */
const portMod = (config: number): OfMessage => {
  const hwAddr = Uint8Array.of(0xaa, 0x55, 0, 0, 0, 1);
  return { type: 'port_mod', portNo: 1, hwAddr, config, mask: OFPPC.NO_FWD, advertise: 0 };
};

const arbGroupMod = fc
  .record({
    command: fc.constantFrom<GroupCommand[]>('modify', 'add_or_mod', 'delete'),
    port: fc.integer({ min: 1, max: 2 }),
  })
  .map(({ command, port }) => groupMod(command, port));
const arbMessage: fc.Arbitrary<OfMessage> = fc.oneof(
  { weight: 8, arbitrary: arbAdd.map(flowMod) },
  { weight: 2, arbitrary: arbModify.map(flowMod) },
  { weight: 2, arbitrary: arbDelete.map(flowMod) },
  { weight: 1, arbitrary: arbGroupMod },
  { weight: 1, arbitrary: fc.constantFrom(0, OFPPC.NO_FWD).map(portMod) },
);

const REFUSED: Mod = { command: 'add', text: 'priority=1,actions=group:99' };

/** A bridge, what controllers would be told of entries that went, and a connection to it. */
class Subject {
  readonly sw = new TestSwitch();
  readonly br: Ofproto;
  readonly told: string[] = [];
  readonly conn: OfConn;
  private xid = 1;

  constructor(limit: number | null) {
    this.br = this.sw.bridge('br0');
    for (const name of ['p1', 'p2']) this.sw.port(this.br, name);
    this.br.setFailMode('secure');
    this.br.connmgr.sendFlowRemoved = (rule, why) => {
      this.told.push(`${this.describe(rule)} ${why}`);
    };
    if (limit !== null) {
      this.br.tables[0].maxFlows = limit;
      this.br.tables[0].openflowEvicts = true;
    }
    const flowMods = new FlowModReport('test', this.sw.clock);
    const conn = { ofproto: this.br, version: OF14, flowMods, wants: () => false };
    this.conn = conn as unknown as OfConn;
  }

  private describe(rule: Rule): string {
    return formatFlowStats(flowEntry(rule, this.sw.clock.now()), NO_NAMES, true);
  }

  private frame(msg: OfMessage): Uint8Array {
    return encodeMessage(OF14, msg, this.xid++);
  }

  /** Carries messages out one by one, until one is refused. */
  each(msgs: readonly OfMessage[]): boolean {
    try {
      for (const msg of msgs) {
        const { msg: decoded } = decodeMessage(OF14, this.frame(msg));
        if (decoded?.type === 'port_mod') prepareBundled(this.conn, decoded)();
        else executeBundled(this.conn, decoded as FlowMod, 1);
      }
      return true;
    } catch (error) {
      if (error instanceof OfpError) return false;
      throw error;
    }
  }

  commit(msgs: readonly OfMessage[], stepsPerTurn: number) {
    const log = new BundleLog();
    let kind = { groups: false };
    for (const msg of msgs) {
      const frame = this.frame(msg);
      // Some entries are made at once, others when the bundle is committed.
      log.add(frame, decodeMessage(OF14, frame).msg as FlowMod, this.xid % 4 > 0);
      kind = kindOf(msg as FlowMod, kind);
    }
    const handlers = { execute: executeBundled, prepare: prepareBundled };
    const bundle = { log, codec: {}, kind };
    return new BundleCommit(this.conn, handlers, bundle, stepsPerTurn).run();
  }

  rules(): Rule[] {
    return this.br.tables.slice(0, TABLES).flatMap((table) => [...table.cls.rules()]);
  }

  /** All that there is, in no particular order: what a bundle changes moves to the end. */
  state(): string[] {
    const groups = this.br.groups.select(OFPG.ALL).map(({ id, buckets, createdMs }) => {
      const actions = buckets.map((bucket) => JSON.stringify(bucket.actions));
      return `group ${id} ${createdMs} ${actions.join()}`;
    });
    const ports = this.br.ports().map((port) => `port ${port.ofPort} ${port.config}`);
    return this.rules()
      .map((rule) => `${this.describe(rule)} ${rule.usedMs} ${rule.removed}`)
      .concat(groups, ports)
      .sort();
  }

  /** What packets meet, what requests find, and how much there is. */
  seen(): string[] {
    const lines = this.state();
    for (const { cls } of this.br.tables.slice(0, TABLES)) {
      lines.push(`${cls.size}`);
      for (const port of [1, 2, 3]) {
        for (const address of [0x0a000001, 0x0a000002, 0x0b000001]) {
          const flow = newFlow();
          flow[W_IN_PORT] = port;
          flow[W_DL_TYPE] = 0x0800 << 16;
          flow[W_NW_DST] = address;
          const rule = cls.lookup(flow, newFlow());
          // Among entries of the same priority it may be any.
          lines.push(`${rule?.priority}`);
          if (rule !== null) expect(cls.find(rule.match, rule.priority)).toBe(rule);
        }
      }
    }
    return lines;
  }

  close(): void {
    this.sw.backer.close();
  }
}

const arbCase = fc.record({
  before: fc.array(arbAdd, { maxLength: 12 }),
  bundle: fc.array(arbMessage, { minLength: 1, maxLength: 14 }),
  refusedAt: fc.option(fc.nat(14)),
  stepsPerTurn: fc.integer({ min: 1, max: 4 }),
  limit: fc.option(fc.integer({ min: 4, max: 8 })),
});

describe('a bundle that is committed over many turns', () => {
  it('leaves what entries count meanwhile to those that take their places', async () => {
    const subject = new Subject(null);
    subject.each(
      ['in_port=1', 'in_port=2'].map((text) =>
        flowMod({ command: 'add', text: `${text},actions=drop` }),
      ),
    );
    const [first, second] = subject.rules();
    const credit = { packets: 3, bytes: 180, usedMs: 1500 };
    for (const rule of [first, second]) rule.credit(credit);
    const pending = subject.commit(
      [
        flowMod({ command: 'add', text: 'in_port=1,actions=output:1' }),
        flowMod({ command: 'add', text: 'in_port=1,actions=output:2' }),
        flowMod({ command: 'modify', text: 'in_port=2,actions=output:1' }),
        ...Array.from({ length: 10 }, () => flowMod({ command: 'delete', text: 'table=1' })),
      ],
      4,
    );
    expect(subject.rules()).toEqual([first, second]);
    for (const rule of [first, second]) rule.credit(credit);
    expect(await pending).toBe(null);
    // Packets that were forwarded by what is installed are counted later.
    for (const rule of [first, second]) rule.credit(credit);
    expect(subject.rules().map(({ packets, bytes }) => [packets, bytes])).toEqual([
      [9, 540],
      [9, 540],
    ]);
    subject.close();
  });

  it(
    'changes what its messages change one by one, all at once, or nothing',
    async () => {
      let turns = 0;
      await fc.assert(
        fc.asyncProperty(arbCase, async ({ before, bundle, refusedAt, stepsPerTurn, limit }) => {
          const [one, all] = [new Subject(limit), new Subject(limit)];
          const setUp = [groupMod('add', 1), ...before.map(flowMod)];
          for (const subject of [one, all]) for (const msg of setUp) subject.each([msg]);
          for (const subject of [one, all]) subject.told.splice(0);
          one.sw.clock.advance(1000);
          all.sw.clock.advance(1000);
          const mods = structuredClone(bundle);
          if (refusedAt !== null) mods.splice(refusedAt, 0, flowMod(REFUSED));
          const [was, seen] = [all.state(), all.seen()];
          const ok = one.each(mods);
          const pending = all.commit(mods, stepsPerTurn);
          let over = !(pending instanceof Promise);
          if (pending instanceof Promise)
            void pending.finally(() => {
              over = true;
            });
          // Once it is in force there is clearing up yet, which nobody sees.
          while (!over && all.br.view.shows === 2) {
            expect(all.seen()).toEqual(seen);
            turns += 1;
            await setImmediate();
          }
          const failure = await pending;
          expect(failure === null).toBe(ok);
          expect(all.state()).toEqual(ok ? one.state() : was);
          expect(all.told.sort()).toEqual(ok ? one.told.sort() : []);
          expect(all.br.draft).toBe(null);
          // It is the same switch in what it does next, too; of equals any may be evicted.
          if (!ok && limit !== null) return;
          const next = ok ? one : new Subject(limit);
          if (!ok) {
            for (const msg of setUp) next.each([msg]);
            next.sw.clock.advance(1000);
          }
          for (const subject of [next, all]) {
            for (const msg of structuredClone(bundle)) subject.each([msg]);
            subject.sw.advance(20_000);
          }
          expect(all.state()).toEqual(next.state());
          expect(all.seen().slice(all.state().length)).toEqual(
            next.seen().slice(next.state().length),
          );
          for (const subject of new Set([one, all, next])) subject.close();
        }),
        { numRuns: RUNS },
      );
      // It was over many turns indeed.
      expect(turns).toBeGreaterThan(RUNS);
    },
    60_000 + RUNS * 100,
  );
});
