/**
 * Random schedules of link events between two bonds: what must hold holds in each of them.
 *
 * BOND_SCHEDULES sets how many schedules each kind of bond goes through (20 unless set), BOND_SEED
 * the first seed. A failure names the seed of its world.
 */
import { describe, expect, it } from 'vitest';
import type { Bond } from '../../src/ofproto/bond.js';
import { N_WIRES, World, type WorldOptions } from './bond-world.js';

const SCHEDULES = Number(process.env.BOND_SCHEDULES ?? 20);
const SEED = Number(process.env.BOND_SEED ?? 1);
const SCHEDULES_PER_WORLD = 20;
const EVENTS = 12;
const WIRE_DELAY_MAX_MS = 400;
/**
 * LACP, fast: three periods until expired, three until defaulted. A passive end falls silent then,
 * so that its peer, after one more period, waits as long until its own expires.
 */
const FAST_AGREEMENT_MS = 11_000;
/** A member that was given up speaks once in 30 s. */
const SLOW_PERIOD_MS = 32_000;
/** Three periods of a slow partner. */
const SLOW_PATIENCE_MS = 90_000;

type Kind = Omit<WorldOptions, 'seed'> & { agree: 'lacp' | 'primary' | 'no' };

const KINDS: Record<string, Kind> = {
  'active-backup': { bond: { primary: 'm0' }, lacp: null, agree: 'primary' },
  'active-backup with delays': {
    bond: { updelayMs: 300, downdelayMs: 200 },
    lacp: null,
    agree: 'no',
  },
  'active-backup to plain ports': { bond: {}, lacp: null, agree: 'no', plainPeer: true },
  'active-backup with LACP': { bond: {}, lacp: [{}, { active: false }], agree: 'lacp' },
  'balance-slb': { bond: { mode: 'balance-slb' }, lacp: null, agree: 'no' },
  'balance-slb to plain ports': {
    bond: { mode: 'balance-slb' },
    lacp: null,
    agree: 'no',
    plainPeer: true,
  },
  'balance-slb with LACP': { bond: { mode: 'balance-slb' }, lacp: [{}, {}], agree: 'lacp' },
  'balance-tcp': { bond: { mode: 'balance-tcp' }, lacp: [{ active: false }, {}], agree: 'lacp' },
  'balance-tcp by lb_output': {
    bond: { mode: 'balance-tcp', useLbOutput: true },
    lacp: [{}, {}],
    agree: 'lacp',
  },
  'balance-tcp, slow LACP': {
    bond: { mode: 'balance-tcp' },
    lacp: [{ fast: false }, { fast: false }],
    agree: 'lacp',
  },
  'balance-tcp that may fall back': {
    bond: { mode: 'balance-tcp', lacpFallbackAb: true },
    lacp: [{ fallbackAb: true }, { fallbackAb: true }],
    agree: 'lacp',
  },
};

/** One thing happens to a wire, or to nothing. */
function event(world: World): void {
  const index = world.int(N_WIRES);
  const wire = world.wires[index];
  switch (world.int(6)) {
    case 0:
    case 1:
      world.setWire(index, !wire.up);
      break;
    case 2:
      // One direction silently fails, or loses some.
      wire.lossTo[world.int(2)] = world.int(3) === 0 ? 1 : world.random() * 0.7;
      break;
    case 3:
      wire.delayMs = world.int(WIRE_DELAY_MAX_MS);
      break;
    case 4:
      wire.duplicates = world.random() * 0.5;
      break;
    default:
      wire.lossTo = [0, 0];
  }
}

function traffic(world: World): void {
  for (let i = 0; i < 6; i++) {
    world.send(world.int(2) as 0 | 1, world.int(40), world.int(4) === 0);
  }
}

function schedule(world: World, kind: Kind): void {
  for (let i = 0; i < EVENTS; i++) {
    event(world);
    traffic(world);
    // Of a broadcast from plain ports a copy comes by each wire: all of them before links change.
    world.advance((kind.plainPeer ? WIRE_DELAY_MAX_MS : 0) + 50 * (1 + world.int(40)));
  }
  const slow = kind.lacp?.some((lacp) => lacp.fast === false) ?? false;
  if (kind.agree === 'lacp') silence(world, slow);
  world.calm();
  world.advance((slow ? SLOW_PATIENCE_MS : 0) + FAST_AGREEMENT_MS + SLOW_PERIOD_MS);
  checkAgreement(world, kind);
  world.checkFates();
}

/** One direction of a wire fails without a sign: LACP must tell both ends. */
function silence(world: World, slow: boolean): void {
  world.calm();
  world.advance(FAST_AGREEMENT_MS + SLOW_PERIOD_MS);
  const silent = world.int(N_WIRES);
  world.wires[silent].lossTo[world.int(2)] = 1;
  world.advance(slow ? SLOW_PATIENCE_MS + FAST_AGREEMENT_MS : FAST_AGREEMENT_MS);
  const working = [0, 1, 2].filter((wire) => wire !== silent).join();
  for (const end of world.ends) {
    const enabled = end.enabled().join();
    if (enabled !== working) {
      world.broken.push(`switch ${end.index}: ${enabled} enabled while ${silent} is silent`);
    }
  }
}

function checkAgreement(world: World, kind: Kind): void {
  const [a, b] = world.ends;
  const all = [0, 1, 2].join();
  for (const end of world.ends) {
    if (end.bundle === null) continue;
    if (end.enabled().join() !== all) {
      world.broken.push(
        `switch ${end.index}: ${end.enabled().join() || 'none'} enabled at the end`,
      );
    }
    if (kind.agree === 'lacp' && end.bundle.lacpStatus !== 'negotiated') {
      world.broken.push(`switch ${end.index}: LACP is ${end.bundle.lacpStatus} at the end`);
    }
  }
  const onPrimary = (bond: Bond | null, name: string) => bond?.active?.link.name === name;
  if (kind.agree === 'primary' && !(onPrimary(a.bond, 's0m0') && onPrimary(b.bond, 's1m0'))) {
    world.broken.push('the primary is not active at the end');
  }
  if (kind.agree === 'no') return;
  // Whatever is sent now arrives, once.
  const sent = Array.from({ length: 20 }, (_, i) => world.send((i % 2) as 0 | 1, i, i % 4 === 0));
  world.settle();
  for (const id of sent) {
    const fate = world.fates.get(id);
    if (fate?.deliveredBy[fate.from === 0 ? 1 : 0] !== 1) {
      world.broken.push(`frame ${id} was not delivered once: ${JSON.stringify(fate)}`);
    }
  }
}

describe('two switches with a bond between them', () => {
  it.each(Object.entries(KINDS))(
    '%s',
    async (_, kind) => {
      for (let done = 0; done < SCHEDULES; done += SCHEDULES_PER_WORLD) {
        const seed = SEED + done;
        const world = new World({ ...kind, seed });
        for (let i = 0; i < SCHEDULES_PER_WORLD && world.broken.length === 0; i++) {
          schedule(world, kind);
        }
        expect(world.broken.slice(0, 5), `BOND_SEED=${seed}`).toEqual([]);
        await world.close();
      }
    },
    600_000,
  );
});
