/**
 * What a bridge's datapath can do, as `dpif/show-dp-features` lists it and `dpif/set-dp-features`
 * takes away: translation finds another way then, or sends packets up one by one.
 *
 * Not for: what the datapath does with actions (src/datapath).
 */

/** Names, titles and order of Open vSwitch's lists. */
const FEATURES = [
  ['masked_set_action', 'Masked set action', true],
  ['tnl_push_pop', 'Tunnel push pop', false],
  ['ufid', 'Ufid', true],
  ['trunc', 'Truncate action', true],
  ['clone', 'Clone action', true],
  ['sample_nesting', 'Sample nesting', 10],
  ['ct_eventmask', 'Conntrack eventmask', false],
  ['ct_clear', 'Conntrack clear', false],
  ['max_hash_alg', 'Max dp_hash algorithm', 1],
  ['check_pkt_len', 'Check pkt length action', true],
  ['ct_timeout', 'Conntrack timeout policy', false],
  ['explicit_drop_action', 'Explicit Drop action', true],
  ['lb_output_action', 'Optimized Balance TCP mode', true],
  ['ct_zero_snat', 'Conntrack all-zero IP SNAT', false],
  ['add_mpls', 'MPLS Label add', false],
  ['max_vlan_headers', 'Max VLAN headers', 2],
  ['max_mpls_depth', 'Max MPLS depth', 3],
  ['recirc', 'Recirc', true],
  ['ct_state', 'CT state', false],
  ['ct_zone', 'CT zone', false],
  ['ct_mark', 'CT mark', false],
  ['ct_label', 'CT label', false],
  ['ct_state_nat', 'CT state NAT', false],
  ['ct_orig_tuple', 'CT orig tuple', false],
  ['ct_orig_tuple6', 'CT orig tuple for IPv6', false],
  ['nd_ext', 'IPv6 ND Extension', false],
] as const satisfies readonly (readonly [string, string, boolean | number])[];

export type DpFeature = (typeof FEATURES)[number][0];
type Values = Record<DpFeature, boolean | number>;

/** Sample actions may stand in for clone only with room for this many levels more. */
const NESTING_FOR_CLONE = 4;

/** The features of one datapath: as it came, and as it is used now. */
export class DpSupport {
  private readonly boot: Values;
  private readonly now: Values;

  /**
   * @param setsAnyHeader the datapath also changes ARP, ICMP and neighbour discovery; one that does
   *   not gets such packets executed by the main thread, as Open vSwitch's
   */
  constructor(
    readonly setsAnyHeader: boolean,
    lbOutput: boolean,
  ) {
    this.boot = Object.fromEntries(FEATURES.map(([name, , value]) => [name, value])) as Values;
    this.boot.lb_output_action = lbOutput;
    this.now = { ...this.boot };
  }

  has(name: DpFeature): boolean {
    return this.now[name] !== false && this.now[name] !== 0;
  }

  get sampleAsClone(): boolean {
    return Number(this.now.sample_nesting) >= NESTING_FOR_CLONE;
  }

  /** As `dpif/show-dp-features` prints it: what the datapath came with. */
  show(): string {
    const word = (value: boolean | number): string =>
      typeof value === 'number' ? String(value) : value ? 'Yes' : 'No';
    return FEATURES.map(([name, title]) => `${title}: ${word(this.boot[name])}\n`).join('');
  }

  /** One feature, or all, as it is used and as it came. */
  list(name?: string): string {
    const chosen = FEATURES.filter(([other]) => name === undefined || other === name);
    if (chosen.length === 0) return 'Unexpected support field';
    return chosen
      .map(([feature, title]) => {
        const { now, boot } = this;
        return `${feature} (${title}) : [run time]:${now[feature]}, [boot time]:${boot[feature]}\n`;
      })
      .join('');
  }

  /**
   * Takes a feature away, or gives it back.
   * @returns what is wrong with the wish, '' when it was fulfilled
   */
  set(name: string, text: string): string {
    const feature = FEATURES.find(([other]) => other === name)?.[0];
    if (feature === undefined) return 'Unexpected support field';
    const boot = this.boot[feature];
    if (typeof boot === 'boolean') {
      const wanted = text.toLowerCase();
      if (wanted !== 'true' && wanted !== 'false') return 'Boolean value expected';
      if (wanted === 'true' && !boot) return 'Can not enable features not supported by the datapth';
      this.now[feature] = wanted === 'true';
      return '';
    }
    if (!/^[-+]?\d+$/.test(text)) return 'Integer number expected';
    const value = Number(text);
    if (value < 0) return 'Negative number not expected';
    if (value > boot) return 'Can not set value beyond the datapath capability';
    this.now[feature] = value;
    return '';
  }
}
