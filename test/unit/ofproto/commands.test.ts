/** The control socket's commands: text as users of Open vSwitch know it. */
import { beforeEach, describe, expect, it } from 'vitest';
import { ofprotoCommands } from '../../../src/ofproto/index.js';
import type { Ofproto } from '../../../src/ofproto/ofproto.js';
import { NO_FLAGS } from '../../../src/ofproto/rule.js';
import { defaultBondSettings, defaultBundleSettings } from '../../../src/ofproto/settings.js';
import { OFPP } from '../../../src/openflow/actions.js';
import { matchAny } from '../../../src/openflow/match.js';
import { W_IN_PORT } from '../../../src/packet/flow-layout.js';
import { frame, TestSwitch } from './support/bridge.js';

const H1 = '50:54:00:00:00:01';
const H2 = '50:54:00:00:00:02';

describe('control socket commands', () => {
  let sw: TestSwitch;
  let br: Ofproto;

  beforeEach(() => {
    sw = new TestSwitch();
    br = sw.bridge('br1');
    const members = [sw.device(br, 'vetha'), sw.device(br, 'vethx')];
    br.bundleSet('bond1', {
      ...defaultBundleSettings('bond1', members),
      bond: defaultBondSettings(),
    });
    sw.port(br, 'vethn');
    sw.settle();
  });

  function run(name: string, ...args: string[]): string {
    const command = ofprotoCommands(sw.registry).find((c) => c.name === name);
    if (command === undefined) throw new Error(`no command ${name}`);
    expect(args.length).toBeGreaterThanOrEqual(command.minArgs);
    expect(args.length).toBeLessThanOrEqual(command.maxArgs);
    const text = command.run(args);
    sw.settle();
    return String(text);
  }

  it('traces a flood through NORMAL', () => {
    expect(run('ofproto/trace', 'br1', `in_port=3,dl_src=${H1},dl_dst=${H2}`)).toBe(
      `Flow: in_port=3,vlan_tci=0x0000,dl_src=${H1},dl_dst=${H2},dl_type=0x0000

bridge("br1")
-------------
 0. priority 0
    NORMAL
     -> no learned MAC for destination, flooding

Final flow: unchanged
Megaflow: recirc_id=0,eth,in_port=3,dl_src=${H1},dl_dst=${H2},dl_type=0x0000
Datapath actions: 1
`,
    );
    expect([...br.macs.entries()]).toEqual([]);
  });

  it('says why a packet on an inactive member is dropped', () => {
    const flow = `in_port=2,arp,dl_src=${H1},dl_dst=ff:ff:ff:ff:ff:ff`;
    const text = run('ofproto/trace', 'br1', flow);
    expect(text).toContain('     -> bonding refused admissibility, dropping\n');
    expect(text).toContain('Datapath actions: drop\n');
  });

  it('says why nothing matched, and takes datapath flows and names', () => {
    br.flushFlows();
    br.setFailMode('secure');
    sw.settle();
    const text = run('ofproto/trace', 'in_port(vethn),eth(src=50:54:00:00:00:01),eth_type(0x0800)');
    expect(text).toContain(' 0. No match.\n    drop\n');
    expect(text).toContain('Megaflow: recirc_id=0,eth,ip,in_port=3,nw_frag=no\n');
    const named = run('ofproto/trace', 'br1', 'in_port=vethn,ip', '--names');
    expect(named).toMatch(/^Flow: ip,in_port=vethn,/);
  });

  it('learns from a traced packet, not from a traced flow', () => {
    const packet = Buffer.from(frame({ src: H1, dst: H2 })).toString('hex');
    run('ofproto/trace', 'br1', 'in_port=3', packet);
    expect(run('fdb/show', 'br1')).toBe(
      ` port  VLAN  MAC                Age\n    3     0  ${H1}    0\n`,
    );
  });

  it('nests tables in a trace', () => {
    const match = matchAny();
    match.flow[W_IN_PORT] = 3;
    match.mask[W_IN_PORT] = -1;
    const base = {
      type: 'flow_mod' as const,
      command: 'add' as const,
      cookieMask: 0n,
      newCookie: 0x1234n,
      cookie: 0x1234n,
      idleTimeout: 0,
      hardTimeout: 0,
      importance: 0,
      bufferId: 0xffffffff,
      outPort: OFPP.NONE,
      outGroup: 0xffffffff,
      flags: NO_FLAGS,
    };
    br.flowMod({
      ...base,
      table: 0,
      match,
      priority: 100,
      actions: [
        { type: 'resubmit', table: 5 },
        { type: 'output', port: 2, maxLen: 0 },
      ],
    });
    br.flowMod({ ...base, table: 5, match: matchAny(), priority: 32768, actions: [] });
    expect(run('ofproto/trace', 'br1', 'in_port=3,ip')).toContain(`
 0. in_port=3, priority 100, cookie 0x1234
    resubmit(,5)
     5. priority 32768, cookie 0x1234
            drop
    output:2
`);
  });

  it('refuses a trace that names no bridge or no flow', () => {
    expect(() => run('ofproto/trace', 'nope', 'in_port=1')).toThrow('nope: unknown bridge');
    expect(() => run('ofproto/trace', 'in_port=1')).toThrow('(or the bridge name was omitted)');
    expect(() => run('ofproto/trace', 'br1', 'in_port=1,foo=2')).toThrow('unknown field foo');
    expect(() => run('ofproto/trace', 'br1', 'x', '-frob')).toThrow('-frob: unknown option');
  });

  it('shows datapath and flows', () => {
    sw.send(3, frame({ src: H1, dst: H2 }));
    sw.dpif.receive(3, frame({ src: H1, dst: H2 }));
    sw.clock.advance(120);
    expect(run('dpctl/show')).toBe(`dummy@ovs-dummy:
  lookups: hit:1 missed:1 lost:0
  flows: 1
  port 0: ovs-dummy (dummy-internal)
  port 1: vetha (dummy)
  port 2: vethx (dummy)
  port 3: vethn (dummy)
`);
    const line =
      `recirc_id(0),in_port(3),packet_type(ns=0,id=0),eth(src=${H1},dst=${H2}),` +
      'eth_type(0x1234), packets:1, bytes:60, used:0.120s, actions:1\n';
    expect(run('dpctl/dump-flows')).toBe(`flow-dump from the main thread:\n${line}`);
    expect(run('dpif/dump-flows', 'br1')).toBe(line);
    expect(run('dpif/dump-flows', '--names', 'br1')).toContain('in_port(vethn)');
    expect(run('dpif/show')).toBe(`dummy@ovs-dummy: hit:1 missed:1
  br1:
    vetha 1/1: (dummy)
    vethn 3/3: (dummy)
    vethx 2/2: (dummy)
`);
    expect(run('upcall/show')).toContain('(current 1)');
  });

  it('shows the counters of each port where asked to', () => {
    const counters = {
      rx_packets: 2,
      rx_bytes: 1023,
      tx_packets: 3,
      tx_bytes: 1536,
      rx_over_err: 0,
    };
    Object.assign(sw.devices.get('vetha') as object, { statistics: () => counters });
    const shown = `  port 1: vetha (dummy)
    RX packets:2 errors:? dropped:? overruns:0 frame:?
    TX packets:3 errors:? dropped:? aborted:? carrier:?
    collisions:?
    RX bytes:1023  TX bytes:1536 (1.5 KiB)
  port 2: vethx (dummy)
    RX packets:? errors:?`;
    expect(run('dpctl/show', '-s')).toContain(shown);
    expect(run('dpctl/show', '--statistics', 'ovs-dummy')).toContain(shown);
    counters.tx_bytes = 3 * 1024 ** 5;
    expect(run('dpctl/show', '-s')).toContain('TX bytes:3377699720527872 (3072.0 TiB)\n');
  });

  it('refuses options of dpctl that there are not', () => {
    expect(() => run('dpctl/dump-flows', '--bogus')).toThrow('Unrecognized option --bogus');
    expect(() => run('dpctl/show', '-sx')).toThrow('Unrecognized option -x');
    expect(run('dpctl/dump-flows', '-m')).toBe('');
    // dpif/dump-flows passes over them.
    expect(run('dpif/dump-flows', '--bogus', 'br1')).toBe('');
  });

  it('moves the active member and disables one by hand', () => {
    expect(run('bond/set-active-member', 'bond1', 'vethx')).toBe('done');
    expect(run('bond/set-active-slave', 'bond1', 'vethx')).toBe('no change');
    expect(sw.send(3, frame({ src: H1 }))).toBe('2');
    expect(run('bond/disable-member', 'bond1', 'vethx')).toBe('disabled');
    expect(() => run('bond/set-active-member', 'bond1', 'nope')).toThrow('no such member');
    expect(() => run('bond/show', 'bond9')).toThrow('no such bond');
    expect(() => run('bond/migrate', 'bond1', '1', 'vetha')).toThrow('not an SLB bond');
    expect(run('bond/hash', H1)).toMatch(/^\d+$/);
    expect(() => run('bond/hash', 'x')).toThrow('invalid mac');
  });

  it('adds, shows, moves and forgets MACs', () => {
    expect(run('fdb/add', 'br1', 'vethn', '10', H1)).toBe('');
    expect(run('fdb/show', 'br1')).toContain(`    3    10  ${H1}  static\n`);
    for (const vlan of ['5000', '4096', '-1', 'x']) {
      expect(() => run('fdb/add', 'br1', 'vethn', vlan, H1)).toThrow('bad VLAN (0 to 4095)');
    }
    expect(run('fdb/stats-show', 'br1')).toContain('Current static MAC entries in the table : 1');
    expect(run('fdb/flush', 'br1')).toBe('table successfully flushed');
    expect(run('fdb/show', 'br1')).toContain('static');
    expect(run('fdb/del', 'br1', '10', H1)).toBe('');
    expect(() => run('fdb/del', 'br1', '10', H1)).toThrow('could not find static mac entry');
    expect(() => run('fdb/show', 'br9')).toThrow('no such bridge');
  });
});
