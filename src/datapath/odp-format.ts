/**
 * Prints datapath actions, statistics and whole megaflows in the datapath syntax that
 * `dpctl/dump-flows`, `dpif/dump-flows` and the last line of `ofproto/trace` use.
 */

import type { DpFlow, DpFlowStats } from './dpif.js';
import { formatMiniflowBits } from './miniflow-bits.js';
import type { OdpAction, UserspaceCookie } from './odp-actions.js';
import { formatOdpKey, formatSetBody, type KeyFormatOptions } from './odp-format-key.js';
import { formatMplsLse, formatTcpFlagsSeen, formatVlanTci, hex, hex4 } from './odp-text.js';

export { formatOdpKey, type KeyFormatOptions };

function formatCookie(cookie: UserspaceCookie, options: KeyFormatOptions): string {
  const port = (number: number): string => options.portName?.(number) ?? String(number);
  switch (cookie.type) {
    case 'slow_path':
      return `slow_path(${cookie.reason})`;
    case 'controller':
      return (
        `controller(reason=${cookie.reason},dont_send=${cookie.dontSend ? 1 : 0},` +
        `continuation=${cookie.continuation ? 1 : 0},recirc_id=${cookie.id},` +
        `rule_cookie=${hexBig(cookie.ruleCookie ?? 0n)},` +
        `controller_id=${cookie.controllerId ?? 0},max_len=${cookie.maxLen})`
      );
    case 'sflow': {
      const { vlanTci, output } = cookie;
      // The program takes the flow's actions along, which the text says behind the cookie.
      return `sFlow(vid=${vlanTci & 0xfff},pcp=${vlanTci >> 13},output=${output}),actions`;
    }
    case 'ipfix':
      return `ipfix(output_port=${port(cookie.outputPort)})`;
    case 'flow_sample': {
      const direction = cookie.direction === 'default' ? '' : `,${cookie.direction}`;
      return (
        `flow_sample(probability=${cookie.probability},` +
        `collector_set_id=${cookie.collectorSetId},obs_domain_id=${cookie.obsDomainId},` +
        `obs_point_id=${cookie.obsPointId},output_port=${port(cookie.outputPort)}${direction})`
      );
    }
  }
}

/** C's %#x. */
function hexBig(value: bigint): string {
  return value === 0n ? '0' : `0x${value.toString(16)}`;
}

function formatSample(probability: number, actions: string): string {
  const percent = (100 * probability) / 0xffffffff;
  return `sample(sample=${percent.toFixed(1)}%,actions(${actions}))`;
}

function formatOdpAction(action: OdpAction, options: KeyFormatOptions): string {
  const nested = (actions: readonly OdpAction[]): string => formatOdpActions(actions, options);
  switch (action.type) {
    case 'output':
      return options.portName?.(action.port) ?? String(action.port);
    case 'set': {
      const body = formatSetBody(action.attr, action.value, action.mask);
      return `set(${action.attr}(${body}))`;
    }
    case 'push_vlan': {
      const tpid = action.tpid === 0x8100 ? '' : `tpid=${hex4(action.tpid)},`;
      return `push_vlan(${tpid}${formatVlanTci(action.tci, 0xffff, false)})`;
    }
    case 'pop_vlan':
      return 'pop_vlan';
    case 'push_mpls':
      return `push_mpls(${formatMplsLse(action.lse)},eth_type=0x${action.ethType.toString(16)})`;
    case 'pop_mpls':
      return `pop_mpls(eth_type=0x${action.ethType.toString(16)})`;
    case 'userspace':
      return `userspace(pid=0,${formatCookie(action.cookie, options)})`;
    case 'trunc':
      return `trunc(${action.maxLen})`;
    case 'clone':
      return `clone(${nested(action.actions)})`;
    case 'sample':
      return formatSample(action.probability, nested(action.actions));
    case 'hash':
      return `hash(${action.algorithm}(${action.basis}))`;
    case 'recirc':
      return `recirc(${hex(action.id)})`;
    case 'meter':
      return `meter(${action.id})`;
    case 'check_pkt_len':
      return (
        `check_pkt_len(size=${action.size},gt(${nested(action.greater)}),` +
        `le(${nested(action.lessEqual)}))`
      );
    case 'lb_output':
      return `lb_output(${action.bond})`;
    case 'drop':
      return 'drop';
  }
}

/** `2,push_vlan(vid=10,pcp=0),3`, or `drop` when there is nothing to do. */
export function formatOdpActions(
  actions: readonly OdpAction[],
  options: KeyFormatOptions = {},
): string {
  if (actions.length === 0) return 'drop';
  return actions.map((action) => formatOdpAction(action, options)).join(',');
}

/** `packets:3, bytes:294, used:0.120s`. `nowMs` on the clock that `stats.usedMs` was taken from. */
export function formatDpFlowStats(stats: DpFlowStats, nowMs: number): string {
  const used = stats.usedMs ? `${((nowMs - stats.usedMs) / 1000).toFixed(3)}s` : 'never';
  const flags = stats.tcpFlags ? `, flags:${formatTcpFlagsSeen(stats.tcpFlags)}` : '';
  return `packets:${stats.packets}, bytes:${stats.bytes}, used:${used}${flags}`;
}

/**
 * A line of `dpctl/dump-flows`. Verbose adds the flow's id, which layer holds it, and how much a
 * worker compares.
 */
export function formatDpFlow(
  flow: DpFlow,
  stats: DpFlowStats,
  nowMs: number,
  options: KeyFormatOptions = {},
): string {
  const head = options.verbose ? `ufid:${formatUfid(flow.id)}, ` : '';
  const offloaded = stats.offloaded ? ', offloaded:yes, dp:tc' : ', dp:ovs';
  const layer = options.verbose ? offloaded : '';
  const compares = options.verbose && !stats.offloaded;
  const extra = compares ? `, dp-extra-info:${formatMiniflowBits(flow.mask)}` : '';
  return (
    `${head}${formatOdpKey(flow.key, flow.mask, options)}, ${formatDpFlowStats(stats, nowMs)}` +
    `${layer}, actions:${formatOdpActions(flow.actions, options)}${extra}`
  );
}

/** The same as Open vSwitch's dpif/dump-flows and logs have it: no comma behind the number. */
export function formatDpifFlow(...args: Parameters<typeof formatDpFlow>): string {
  return formatDpFlow(...args)
    .replace(/^(ufid:[-0-9a-f]+), /, '$1 ')
    .replace(/, (offloaded:yes, )?dp:\w+/, '')
    .replace(/, dp-extra-info:.*$/, '');
}

/** A flow's number in the form of a UUID, as tools expect a ufid. */
export function formatUfid(id: number): string {
  return `00000000-0000-0000-0000-${id.toString(16).padStart(12, '0')}`;
}
