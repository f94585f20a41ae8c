/**
 * Tables and packets for megaflow-width.mjs: nine kinds of tables, each made up anew from a seed.
 *
 *     makeCase(kind, seed) -> { flows: string[], groups: string[], packets: { port, flow }[] }
 *
 * Flows and groups in the syntax of ovs-ofctl, packets in that of netdev-dummy/receive.
 */

const PORTS = 4;
const PACKETS = 24;

/** A small generator of numbers (mulberry32): the same on every machine. */
function generator(seed) {
  let state = seed | 0;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (t ^ (t >>> 14)) >>> 0;
  };
  const below = (n) => next() % n;
  const pick = (list) => list[below(list.length)];
  const times = (n, make) => Array.from({ length: n }, (_, i) => make(i));
  return { below, pick, times };
}

const mac = (n) => `50:54:00:00:00:${(n + 1).toString(16).padStart(2, '0')}`;
const SERVICES = [22, 53, 80, 443, 1024, 5000, 8080, 40_000];

function address(r) {
  return `10.${r.pick([0, 1, 7])}.${r.below(3)}.${r.pick([1, 2, 9, 130])}`;
}

const address6 = (r) => `2001:db8:${r.pick(['0', '1', 'a0'])}:${r.below(3)}::${r.below(4) + 1}`;

/** A packet; `fix` sets parts of it. */
function packet(r, fix = {}) {
  const p = {
    src: r.below(8),
    dst: r.below(8),
    kind: r.pick(['udp', 'tcp', 'tcp', 'icmp', 'arp']),
  };
  Object.assign(p, fix);
  const eth = `eth(src=${mac(p.src)},dst=${p.broadcast ? 'ff:ff:ff:ff:ff:ff' : mac(p.dst)})`;
  const tag = p.vlan === undefined ? '' : `eth_type(0x8100),vlan(vid=${p.vlan},pcp=0),encap(`;
  const inner = payload(r, p);
  const text = tag === '' ? inner : `${tag}${inner})`;
  return { port: p.port ?? (p.src % PORTS) + 1, flow: `${eth},${text}` };
}

function payload(r, { kind, v6, nwDst }) {
  if (kind === 'arp') {
    const ends = `sip=${address(r)},tip=${nwDst ?? address(r)},op=1`;
    return `eth_type(0x0806),arp(${ends},sha=${mac(1)},tha=00:00:00:00:00:00)`;
  }
  const proto = { icmp: v6 ? 58 : 1, tcp: 6, udp: 17 }[kind];
  const ends = v6
    ? `src=${address6(r)},dst=${address6(r)},label=0`
    : `src=${address(r)},dst=${nwDst ?? address(r)}`;
  const ip = v6
    ? `eth_type(0x86dd),ipv6(${ends},proto=${proto},tclass=0,hlimit=64,frag=no)`
    : `eth_type(0x0800),ipv4(${ends},proto=${proto},tos=0,ttl=64,frag=no)`;
  if (kind === 'icmp') return `${ip},${v6 ? 'icmpv6(type=128,code=0)' : 'icmp(type=8,code=0)'}`;
  const ports = `${kind}(src=${r.pick(SERVICES)},dst=${r.pick(SERVICES)})`;
  return kind === 'tcp' ? `${ip},${ports},tcp_flags(syn)` : `${ip},${ports}`;
}

const prefix = (r, lengths) => `${address(r)}/${r.pick(lengths)}`;
const LENGTHS = [8, 16, 20, 24, 25, 32];
const LEARN = 'learn(table=1,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[])';
const out = (r) => r.pick(['output:1', 'output:2', 'output:3', 'NORMAL', 'drop']);

const KINDS = {
  /** Nothing but learning. */
  learning: (r) => ({ flows: ['actions=NORMAL'], packets: r.times(PACKETS, () => packet(r)) }),

  /** Rules over the five-tuple, and learning. */
  acl: (r) => {
    const flows = r.times(12, () => {
      const parts = [`priority=${10 + r.below(90)}`, r.pick(['tcp', 'udp'])];
      if (r.below(2)) parts.push(`nw_src=${prefix(r, LENGTHS)}`);
      if (r.below(2)) parts.push(`nw_dst=${prefix(r, LENGTHS)}`);
      if (r.below(2)) parts.push(`tp_dst=${r.pick(SERVICES)}`);
      return `${parts.join(',')},actions=${r.pick(['drop', 'NORMAL'])}`;
    });
    return { flows: [...flows, 'actions=NORMAL'], packets: r.times(PACKETS, () => packet(r)) };
  },

  /** Routes: the longest prefix has the highest priority. */
  routes: (r) => {
    const flows = r.times(16, (i) => {
      const length = r.pick(LENGTHS);
      const rewrite = `mod_dl_src:${mac(20)},mod_dl_dst:${mac(i)},dec_ttl`;
      const to = `output:${r.below(PORTS) + 1}`;
      return `priority=${100 + length},ip,nw_dst=${address(r)}/${length},actions=${rewrite},${to}`;
    });
    const packets = r.times(PACKETS, () => packet(r, { kind: r.pick(['tcp', 'udp', 'icmp']) }));
    return { flows: [...flows, 'arp,actions=NORMAL'], packets };
  },

  /** Prefixes of IPv6 addresses. */
  routes6: (r) => {
    const flows = r.times(14, () => {
      const length = r.pick([32, 48, 52, 64, 128]);
      const where = r.pick(['ipv6_dst', 'ipv6_dst', 'ipv6_src']);
      return `priority=${length},ipv6,${where}=${address6(r)}/${length},actions=${out(r)}`;
    });
    const kinds = ['tcp', 'udp', 'icmp'];
    return {
      flows: [...flows, 'priority=0,actions=NORMAL'],
      packets: r.times(PACKETS, () => packet(r, { kind: r.pick(kinds), v6: true })),
    };
  },

  /** Ports, whole and under masks. */
  ports: (r) => {
    const masks = ['', '', '/0xfff0', '/0xff00', '/0xfc00'];
    const flows = r.times(14, () => {
      const parts = [`priority=${r.below(60)}`, r.pick(['tcp', 'udp'])];
      const value = r.pick(SERVICES);
      const mask = r.pick(masks);
      const kept = mask === '' ? value : value & Number(mask.slice(1));
      parts.push(`${r.pick(['tp_dst', 'tp_dst', 'tp_src'])}=${kept}${mask}`);
      return `${parts.join(',')},actions=${out(r)}`;
    });
    return {
      flows: [...flows, 'priority=0,actions=NORMAL'],
      packets: r.times(PACKETS, () => packet(r, { kind: r.pick(['tcp', 'udp']) })),
    };
  },

  /** Sources, destinations and ports in sets. */
  conjunctions: (r) => {
    const flows = [7, 8].flatMap((id) => {
      const base = `priority=${50 + id}`;
      const clause = (n) => `actions=conjunction(${id},${n}/3)`;
      return [
        ...r.times(3, () => `${base},ip,nw_src=${prefix(r, LENGTHS)},${clause(1)}`),
        ...r.times(3, () => `${base},ip,nw_dst=${prefix(r, LENGTHS)},${clause(2)}`),
        ...r.times(3, () => `${base},tcp,tp_dst=${r.pick(SERVICES)},${clause(3)}`),
        `${base},ip,conj_id=${id},actions=${out(r)}`,
      ];
    });
    return {
      flows: [...new Set(flows), 'priority=0,actions=NORMAL'],
      packets: r.times(PACKETS, () => packet(r)),
    };
  },

  /** Groups of every type. */
  groups: (r) => ({
    groups: [
      'group_id=1,type=select,selection_method=hash,fields(ip_src),bucket=output:1,bucket=output:2',
      'group_id=2,type=all,bucket=output:2,bucket=output:3',
      'group_id=3,type=ff,bucket=watch_port:1,output:1,bucket=watch_port:2,output:2',
      `group_id=4,type=indirect,bucket=mod_dl_dst:${mac(30)},output:3`,
    ],
    flows: [
      ...r.times(8, () => {
        const match = r.pick([
          `ip,nw_dst=${prefix(r, LENGTHS)}`,
          `tcp,tp_dst=${r.pick(SERVICES)}`,
          `dl_dst=${mac(r.below(8))}`,
          `in_port=${r.below(PORTS) + 1},arp`,
        ]);
        return `priority=${r.below(50)},${match},actions=group:${r.below(4) + 1}`;
      }),
      'priority=0,actions=NORMAL',
    ],
    packets: r.times(PACKETS, () => packet(r)),
  }),

  /** Several tables: ports, then routes without connections, then what leaves. */
  pipeline: (r) => ({
    flows: [
      ...r.times(
        PORTS,
        (i) => `table=0,in_port=${i + 1},actions=load:${i % 2}->NXM_NX_REG1[],resubmit(,1)`,
      ),
      ...r.times(6, () =>
        [
          `table=1,priority=${10 + r.below(9)},tcp,nw_src=${prefix(r, LENGTHS)}`,
          `tp_dst=${r.pick(SERVICES)},actions=drop`,
        ].join(','),
      ),
      'table=1,priority=1,arp,actions=NORMAL',
      'table=1,priority=0,actions=resubmit(,2)',
      ...r.times(8, () => {
        const length = r.pick(LENGTHS);
        const to = `load:${r.below(PORTS) + 1}->NXM_NX_REG0[],dec_ttl,resubmit(,3)`;
        return `table=2,priority=${length},ip,nw_dst=${address(r)}/${length},actions=${to}`;
      }),
      `table=3,priority=5,reg1=1,actions=mod_dl_src:${mac(40)},output:NXM_NX_REG0[]`,
      `table=3,priority=0,actions=output:NXM_NX_REG0[]`,
    ],
    packets: r.times(PACKETS, () => packet(r)),
  }),

  /** Tags and source addresses, and entries that are learned from packets. */
  edge: (r) => ({
    flows: [
      ...r.times(5, () =>
        [
          `table=0,priority=${r.below(30)},dl_vlan=${r.pick([10, 20])}`,
          `actions=${r.pick(['strip_vlan,output:2', 'mod_vlan_vid:30,output:3', 'NORMAL'])}`,
        ].join(','),
      ),
      ...r.times(4, () =>
        [
          `table=0,priority=${r.below(30)},in_port=${r.below(PORTS) + 1}`,
          `dl_src=${mac(r.below(8))},actions=${out(r)}`,
        ].join(','),
      ),
      `table=0,priority=0,actions=${LEARN},resubmit(,1)`,
      'table=1,priority=0,actions=FLOOD',
    ],
    packets: r.times(PACKETS, () => packet(r, r.below(2) ? { vlan: r.pick([10, 20, 30]) } : {})),
  }),
};

export const KIND_NAMES = Object.keys(KINDS);

/** Which of two entries that overlap applies is not said where their priorities are equal. */
function ranked(flows) {
  return flows.map((flow, i) =>
    flow.replace(/priority=(\d+)/, (_, n) => `priority=${Number(n) === 0 ? 0 : n * 100 + i}`),
  );
}

export function makeCase(kind, seed) {
  const made = { groups: [], ...KINDS[kind](generator(seed * 7919 + KIND_NAMES.indexOf(kind))) };
  // The clauses of a conjunction have one priority.
  return kind === 'conjunctions' ? made : { ...made, flows: ranked(made.flows) };
}
