/**
 * Random schedules of link events between two bonds: what must hold holds in each of them.
 *
 * BOND_SCHEDULES sets how many schedules each kind of bond goes through (20 unless set), BOND_SEED
 * the first seed. A failure names the seed of its world.
 */
import { describe, expect, it } from 'vitest';
import { N_WIRES, World, type WorldOptions } from './bond-world.js';

const SCHEDULES = Number(process.env.BOND_SCHEDULES ?? 20);
const SEED = Number(process.env.BOND_SEED ?? 1);
const SCHEDULES_PER_WORLD = 20;
const EVENTS = 12;
/** LACP, fast: three periods until expired, three until defaulted, one to speak again. */
const FAST_AGREEMENT_MS = 8000;
/** A member that was given up speaks once in 30 s. */
const SLOW_AGREEMENT_MS = 32_000;

type Kind = Omit<WorldOptions, 'seed'> & { agree: 'lacp' | 'primary' | 'no' };

const KINDS: Record<string, Kind> = {
  'active-backup': { bond: { primary: 'm0' }, lacp: null, agree: 'primary' },
  'active-backup with delays': {
    bond: { updelayMs: 300, downdelayMs: 200 },
    lacp: null,
    agree: 'no',
  },
  'active-backup with LACP': { bond: {}, lacp: [{}, { active: false }], agree: 'lacp' },
  'balance-slb': { bond: { mode: 'balance-slb' }, lacp: null, agree: 'no' },
  'balance-slb with LACP': { bond: { mode: 'balance-slb' }, lacp: [{}, {}], agree: 'lacp' },
  'balance-tcp': { bond: { mode: 'balance-tcp' }, lacp: [{ active: false }, {}], agree: 'lacp' },
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
      wire.delayMs = world.int(400);
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
    world.advance(50 * (1 + world.int(40)));
  }
  world.calm();
  const slow = kind.lacp?.some((lacp) => lacp.fast === false);
  world.advance(slow ? 90_000 + SLOW_AGREEMENT_MS : FAST_AGREEMENT_MS + SLOW_AGREEMENT_MS);
  checkAgreement(world, kind);
  world.checkFates();
}

function checkAgreement(world: World, kind: Kind): void {
  const [a, b] = world.ends;
  const all = [0, 1, 2].join();
  for (const end of world.ends) {
    if (end.enabled().join() !== all) {
      world.broken.push(
        `switch ${end.index}: ${end.enabled().join() || 'none'} enabled at the end`,
      );
    }
    if (kind.agree === 'lacp' && end.bundle.lacpStatus !== 'negotiated') {
      world.broken.push(`switch ${end.index}: LACP is ${end.bundle.lacpStatus} at the end`);
    }
  }
  if (
    kind.agree === 'primary' &&
    (a.bond.active !== a.bond.memberByName('s0m0') || b.bond.active !== b.bond.memberByName('s1m0'))
  ) {
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
