/** Flow-mods on a bridge's tables: what is added, changed, deleted, refused and left alone. */
import { beforeEach, describe, expect, it } from 'vitest';
import { checkActions } from '../../../src/ofproto/action-check.js';
import type { Ofproto } from '../../../src/ofproto/ofproto.js';
import { NO_FLAGS, Rule } from '../../../src/ofproto/rule.js';
import { OFPP, type OfAction } from '../../../src/openflow/actions.js';
import { type Match, matchAny } from '../../../src/openflow/match.js';
import type { FlowMod } from '../../../src/openflow/messages.js';
import { matchFieldText } from '../../../src/openflow/syntax/match-parse.js';
import { TestSwitch } from './support/bridge.js';

const output = (port: number): OfAction => ({ type: 'output', port, maxLen: 0 });

function match(text: string): Match {
  const result = matchAny();
  for (const part of text.split(',').filter((p) => p !== '')) {
    const [name, value] = part.split('=');
    matchFieldText(result, name, value, null);
  }
  return result;
}

describe('flow-mod', () => {
  let sw: TestSwitch;
  let br: Ofproto;

  beforeEach(() => {
    sw = new TestSwitch();
    br = sw.bridge('br0');
    br.setFailMode('secure');
  });

  function mod(text: string, fields: Partial<FlowMod> = {}): void {
    br.flowMod({
      type: 'flow_mod',
      command: 'add',
      table: 0,
      match: match(text),
      priority: 10,
      cookie: 0n,
      cookieMask: 0n,
      newCookie: 0n,
      idleTimeout: 0,
      hardTimeout: 0,
      importance: 0,
      bufferId: 0xffffffff,
      outPort: OFPP.NONE,
      outGroup: 0xffffffff,
      flags: NO_FLAGS,
      actions: [output(1)],
      ...fields,
    });
  }

  /** 'priority cookie outputs' of every entry, sorted. */
  function dump(): string[] {
    const lines: string[] = [];
    for (const table of br.tables) {
      for (const rule of table.cls.rules()) {
        const ports = rule.actions.map((a) => (a.type === 'output' ? a.port : a.type));
        lines.push(`${table.id}: ${rule.priority} ${rule.cookie} ${ports.join()}`);
      }
    }
    return lines.sort();
  }

  it('replaces an entry with the same match and priority, counting on unless told to reset', () => {
    mod('in_port=1');
    const [rule] = br.tables[0].cls.rules();
    rule.credit({ packets: 5, bytes: 500, usedMs: 0 });
    mod('in_port=1', { actions: [output(2)] });
    mod('in_port=1', { priority: 11 });
    expect(dump()).toEqual(['0: 10 0 2', '0: 11 0 1']);
    const counts = () => [...br.tables[0].cls.rules()].map((r) => r.packets).sort();
    expect(counts()).toEqual([0, 5]);
    mod('in_port=1', { flags: { ...NO_FLAGS, resetCounts: true } });
    expect(counts()).toEqual([0, 0]);
  });

  it('modifies what it covers and keeps counts, unless told to reset them', () => {
    mod('in_port=1,dl_vlan=5');
    mod('in_port=2,dl_vlan=5', { priority: 4 });
    for (const rule of br.tables[0].cls.rules()) rule.credit({ packets: 1, bytes: 9, usedMs: 0 });
    mod('dl_vlan=5', { command: 'modify', actions: [output(7)], newCookie: null });
    expect(dump()).toEqual(['0: 10 0 7', '0: 4 0 7']);
    expect([...br.tables[0].cls.rules()].map((r) => r.packets)).toEqual([1, 1]);
    const flags = { ...NO_FLAGS, resetCounts: true };
    mod('dl_vlan=5', { command: 'modify', actions: [output(7)], flags });
    expect([...br.tables[0].cls.rules()].map((r) => r.packets)).toEqual([0, 0]);
  });

  it('adds what an OpenFlow 1.0 modify does not find, and only that', () => {
    mod('in_port=1', { command: 'modify_strict', newCookie: 3n });
    expect(dump()).toEqual(['0: 10 3 1']);
    mod('in_port=2', { command: 'modify', newCookie: null });
    mod('in_port=2', { command: 'modify', cookie: 9n, cookieMask: 0xffn, newCookie: 1n });
    expect(dump()).toEqual(['0: 10 3 1']);
  });

  it('deletes by cookie, output and table', () => {
    mod('in_port=1', { newCookie: 0x11n });
    mod('in_port=2', { newCookie: 0x21n, actions: [output(2)] });
    mod('in_port=3', { newCookie: 0x12n, table: 3, actions: [output(2)] });
    mod('', { command: 'delete', table: 255, cookie: 0x10n, cookieMask: 0xf0n, outPort: 2 });
    expect(dump()).toEqual(['0: 10 17 1', '0: 10 33 2']);
    mod('', { command: 'delete', table: 3 });
    mod('in_port=2', { command: 'delete_strict', priority: 9 });
    mod('in_port=2', { command: 'delete_strict' });
    expect(dump()).toEqual(['0: 10 17 1']);
  });

  it('leaves the switch its own entries', () => {
    const hidden = new Rule(
      { ...br.noPacketInRule, match: matchAny(), priority: 0xf0f0f0, tableId: 0 },
      0,
    );
    br.tables[0].cls.insert(hidden);
    mod('', { command: 'delete', table: 255 });
    br.flushFlows();
    expect([...br.tables[0].cls.rules()]).toEqual([hidden]);
  });

  it('refuses a full table, an overlap, and tables that are not there', () => {
    br.tables[2].maxFlows = 1;
    mod('in_port=1', { table: 2 });
    mod('in_port=1', { table: 2, actions: [] });
    expect(() => mod('in_port=2', { table: 2 })).toThrow('OFPFMFC_TABLE_FULL');
    const flags = { ...NO_FLAGS, checkOverlap: true };
    mod('in_port=1', { priority: 5 });
    expect(() => mod('dl_vlan=1', { priority: 5, flags })).toThrow('OFPFMFC_OVERLAP');
    // An equal entry is replaced.
    mod('in_port=1', { priority: 5, flags });
    mod('in_port=2', { priority: 5, flags });
    expect(() => mod('', { table: 254 })).toThrow('OFPBRC_EPERM');
  });

  it('refuses actions that would not be executed', () => {
    const refuse = (action: OfAction): string => {
      try {
        checkActions([{ type: 'clone', actions: [action] }], { table: 4, ofproto: br });
        return 'accepted';
      } catch (error) {
        return (error as Error).message.split(':')[0];
      }
    };
    expect(refuse({ type: 'group', group: 1 })).toBe('OFPBAC_BAD_OUT_GROUP');
    expect(refuse({ type: 'meter', meter: 1 })).toBe('OFPMMFC_INVALID_METER');
    expect(refuse({ type: 'ct_clear' })).toBe('OFPBAC_BAD_TYPE');
    expect(refuse({ type: 'push_mpls', ethType: 0x8847 })).toBe('accepted');
    expect(refuse({ type: 'goto_table', table: 4 })).toBe('OFPBIC_BAD_TABLE_ID');
    expect(refuse({ type: 'output', port: 0xfffffff7, maxLen: 0 })).toBe('OFPBAC_BAD_OUT_PORT');
    expect(refuse({ type: 'exit' })).toBe('accepted');
    mod('in_port=1');
    const bad = { command: 'modify', actions: [{ type: 'ct_clear' }] } as const;
    expect(() => mod('', { ...bad, actions: [...bad.actions] })).toThrow('OFPBAC_BAD_TYPE');
    expect(dump()).toEqual(['0: 10 0 1']);
  });
});
