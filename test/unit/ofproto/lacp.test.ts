/** LACP between two ends with a stopped clock: negotiation, timeouts, selection, text, counters. */
import { describe, expect, it } from 'vitest';
import { stoppedClock } from '../../../src/common/clock.js';
import { Lacp } from '../../../src/ofproto/lacp.js';
import { composePdu, LACP_STATE, noInfo, parsePdu } from '../../../src/ofproto/lacp-pdu.js';
import { lacpShow, lacpShowStats } from '../../../src/ofproto/lacp-show.js';
import type { LacpSettings } from '../../../src/ofproto/settings.js';
import { FakeDevice } from './support/bridge.js';

const mac = (last: number): Uint8Array => Uint8Array.of(2, 0, 0, 0, 0, last);

/** A switch's end of an aggregate of two links. */
class End {
  readonly lacp: Lacp;
  readonly links = [new FakeDevice('p1', 'dummy', 1), new FakeDevice('p2', 'dummy', 2)];
  /** PDUs under way to the peer, by link. */
  out: [link: number, pdu: Uint8Array][] = [];

  constructor(clock: ReturnType<typeof stoppedClock>, id: number, set: Partial<LacpSettings> = {}) {
    const settings = {
      active: true,
      fast: false,
      systemId: mac(id),
      systemPriority: 65534,
      fallbackAb: false,
      ...set,
    };
    this.lacp = new Lacp(`bond${id}`, settings, clock);
    this.links.forEach((link, i) => {
      this.lacp.register(link, { portId: i + 1, portPriority: 65535, key: 0 });
    });
  }

  run(): void {
    this.lacp.run((link, pdu) => this.out.push([this.links.indexOf(link as FakeDevice), pdu]));
  }

  receive(link: number, pdu: Uint8Array, addressed = true): boolean {
    return this.lacp.receive(this.links[link], pdu, addressed);
  }

  member(link: number) {
    const member = this.lacp.members.get(this.links[link]);
    if (member === undefined) throw new Error('not a member');
    return member;
  }

  mayEnable(): boolean[] {
    return this.links.map((link) => this.lacp.mayEnable(link));
  }
}

function pair(a: Partial<LacpSettings> = {}, b: Partial<LacpSettings> = {}) {
  const clock = stoppedClock(1000);
  const ends = [new End(clock, 1, a), new End(clock, 2, b)] as const;
  let wired = [true, true];
  const settle = (): void => {
    for (let i = 0; i < 8; i++) {
      for (const end of ends) end.run();
      ends.forEach((end, e) => {
        for (const [link, pdu] of end.out.splice(0)) {
          if (wired[link]) ends[1 - e].receive(link, pdu);
        }
      });
    }
  };
  const advance = (ms: number): void => {
    for (let left = ms; left > 0; left -= 100) {
      clock.advance(Math.min(100, left));
      settle();
    }
  };
  const wire = (state: boolean[]): void => {
    wired = state;
  };
  settle();
  return { clock, a: ends[0], b: ends[1], settle, advance, wire };
}

describe('LACP', () => {
  it('negotiates between two active ends without waiting', () => {
    const { a, b } = pair();
    for (const end of [a, b]) {
      expect(end.lacp.status).toBe('negotiated');
      expect(end.mayEnable()).toEqual([true, true]);
    }
    expect(a.member(0).partner.sysId).toEqual(mac(2));
    expect(a.member(1).partner.portId).toBe(2);
  });

  it('negotiates when one end is passive, but never when both are', () => {
    const one = pair({ active: false });
    expect(one.a.lacp.status).toBe('negotiated');
    expect(one.b.mayEnable()).toEqual([true, true]);
    const none = pair({ active: false }, { active: false });
    none.advance(120_000);
    expect(none.a.lacp.status).toBe('configured');
    expect(none.a.member(0).counters.txPdus).toBe(0);
  });

  it('sends at the rate that the partner asks for', () => {
    const { a, b, advance } = pair({ fast: true }, { fast: false });
    const [fromA, fromB] = [a.member(0).counters.txPdus, b.member(0).counters.txPdus];
    advance(30_000);
    // a wants PDUs every second, b every 30 seconds.
    expect(b.member(0).counters.txPdus - fromB).toBe(30);
    expect(a.member(0).counters.txPdus - fromA).toBe(1);
  });

  it.each([
    ['fast', true, 3000],
    ['slow', false, 90_000],
  ])('gives a silent %s partner up: expired, then defaulted', (_, fast, patienceMs) => {
    const { a, advance, wire } = pair({ fast }, { fast });
    wire([false, true]);
    advance(patienceMs - 1000);
    expect(a.member(0).status).toBe('current');
    advance(1000);
    expect(a.member(0).status).toBe('expired');
    expect(a.mayEnable()).toEqual([false, true]);
    advance(3000);
    expect(a.member(0).status).toBe('defaulted');
    expect(a.member(0).attached).toBe(false);
    expect(a.lacp.status).toBe('negotiated');
    const { linkExpired, linkDefaulted } = a.member(0).counters;
    expect([linkExpired, linkDefaulted]).toEqual([1, 1]);
    wire([true, true]);
    advance(30_000);
    expect(a.mayEnable()).toEqual([true, true]);
  });

  it('is configured, not negotiated, when all partners are lost', () => {
    const { a, advance, wire } = pair({ fast: true }, { fast: true });
    wire([false, false]);
    advance(6000);
    expect(a.lacp.status).toBe('configured');
    expect(a.mayEnable()).toEqual([false, false]);
  });

  it('lets members without partner work under lacp-fallback-ab', () => {
    const { a, advance, wire } = pair({ fast: true, fallbackAb: true }, { fast: true });
    wire([false, false]);
    advance(6000);
    expect(a.lacp.status).toBe('configured');
    expect(a.mayEnable()).toEqual([true, true]);
    wire([true, false]);
    advance(30_000);
    expect(a.lacp.status).toBe('negotiated');
    expect(a.mayEnable()).toEqual([true, false]);
  });

  it('takes no member whose partner is another system or has another key', () => {
    const { a } = pair();
    const info = { ...noInfo(), sysPriority: 65535, portId: 9, state: LACP_STATE.SYNCHRONIZED };
    const actor = { ...info, sysId: mac(77) };
    a.receive(1, composePdu({ actor, partner: a.lacp.actorOf(a.member(1)) }));
    a.run();
    expect(a.member(0).attached).toBe(true);
    expect(a.member(1).attached).toBe(false);
    const otherKey = { ...a.member(0).partner, key: 4711, portId: 2 };
    a.receive(1, composePdu({ actor: otherKey, partner: a.lacp.actorOf(a.member(1)) }));
    a.run();
    expect(a.mayEnable()).toEqual([true, false]);
  });

  it('does not take itself for a partner', () => {
    const { a } = pair();
    a.receive(0, composePdu({ actor: a.lacp.actorOf(a.member(1)), partner: noInfo() }));
    a.run();
    expect(a.member(0).attached).toBe(false);
    expect(a.mayEnable()).toEqual([false, true]);
  });

  it('doubts the partner when the carrier changed, until it speaks again', () => {
    const { a, settle } = pair();
    a.links[0].setLink(false);
    a.run();
    expect(a.member(0).status).toBe('expired');
    expect(a.member(0).counters.carrierChanged).toBe(1);
    expect(a.mayEnable()).toEqual([false, true]);
    const sent = a.member(0).counters.txPdus;
    settle();
    expect(a.member(0).counters.txPdus).toBe(sent);
    a.links[0].setLink(true);
    settle();
    expect(a.mayEnable()).toEqual([true, true]);
  });

  it('goes on with the members that are left when one is taken out', () => {
    const { a, settle } = pair();
    a.lacp.unregister(a.links[0]);
    settle();
    expect(a.lacp.aggregationKey).toBe(1);
    expect(a.mayEnable()).toEqual([false, true]);
  });

  it('counts malformed, misaddressed and marker PDUs, and heeds none of them', () => {
    const { a } = pair();
    const before = { ...a.member(0).counters };
    const stranger = composePdu({ actor: { ...noInfo(), sysId: mac(66) }, partner: noInfo() });
    expect(a.receive(0, stranger, false)).toBe(false);
    expect(a.receive(0, stranger.subarray(0, 60))).toBe(false);
    expect(a.receive(0, new Uint8Array(110).fill(2, 0, 1))).toBe(false);
    const { rxPdus, rxBadPdus, rxMarkerPdus } = a.member(0).counters;
    expect([rxPdus - before.rxPdus, rxBadPdus, rxMarkerPdus]).toEqual([3, 2, 1]);
    expect(a.member(0).partner.sysId).toEqual(mac(2));
  });

  it("negotiates with a partner that takes the standard's steps one by one", () => {
    // As Linux bonding in mode 802.3ad does: key 15, port priority 255, fast, and PDUs that tell
    // 'defaulted' first, 'synchronized' next, 'collecting, distributing' at last.
    const clock = stoppedClock(1000);
    const end = new End(clock, 1);
    end.run();
    const linux = { sysPriority: 65535, sysId: mac(0xee), key: 15, portPriority: 255, portId: 1 };
    const hear = (state: number, partner = noInfo()): void => {
      end.receive(0, composePdu({ actor: { ...linux, state }, partner }));
      end.run();
    };
    hear(0x47);
    expect(end.mayEnable()).toEqual([false, false]);
    const answers = end.out.filter(([link]) => link === 0);
    const answer = parsePdu(answers[answers.length - 1][1]);
    if (answer.type !== 'lacp') throw new Error(answer.type);
    expect(answer.pdu.actor.state & LACP_STATE.SYNCHRONIZED).not.toBe(0);
    expect(answer.pdu.partner).toEqual({ ...linux, state: 0x47 });
    const told = answer.pdu.actor;
    hear(0x0f, told);
    expect(end.mayEnable()).toEqual([true, false]);
    const sent = end.member(0).counters.txPdus;
    hear(0x3f, told);
    expect(end.mayEnable()).toEqual([true, false]);
    // What the partner knows already is not sent again before its second is over.
    expect(end.member(0).counters.txPdus).toBe(sent);
    clock.advance(1000);
    end.run();
    expect(end.member(0).counters.txPdus).toBe(sent + 1);
  });

  it('tells its own numbers in its PDUs', () => {
    const clock = stoppedClock(1000);
    const end = new End(clock, 5, { systemPriority: 7, fast: true });
    end.lacp.register(end.links[0], { portId: 11, portPriority: 111, key: 3333 });
    end.run();
    const parsed = parsePdu(end.out[0][1]);
    if (parsed.type !== 'lacp') throw new Error(parsed.type);
    expect(parsed.pdu.actor).toMatchObject({
      sysPriority: 7,
      sysId: mac(5),
      key: 3333,
      portPriority: 111,
      portId: 11,
    });
  });

  it('prints what users of Open vSwitch 3.1 know', () => {
    const clock = stoppedClock(1000);
    const end = new End(clock, 1);
    end.lacp.unregister(end.links[1]);
    end.run();
    expect(lacpShow(end.lacp)).toBe(`---- bond1 ----
  status: active negotiated
  sys_id: 02:00:00:00:00:01
  sys_priority: 65534
  aggregation key: 1
  lacp_time: slow

member: p1: expired attached
  port_id: 1
  port_priority: 65535
  may_enable: false

  actor sys_id: 02:00:00:00:00:01
  actor sys_priority: 65534
  actor port_id: 1
  actor port_priority: 65535
  actor key: 1
  actor state: activity synchronized collecting distributing expired

  partner sys_id: 00:00:00:00:00:00
  partner sys_priority: 0
  partner port_id: 0
  partner port_priority: 0
  partner key: 0
  partner state: timeout
`);
    expect(lacpShowStats(end.lacp)).toBe(`---- bond1 statistics ----

member: p1:
  TX PDUs: 1
  RX PDUs: 0
  RX Bad PDUs: 0
  RX Marker Request PDUs: 0
  Link Expired: 0
  Link Defaulted: 0
  Carrier Status Changed: 0
`);
  });
});
