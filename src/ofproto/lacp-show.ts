/** The text of lacp/show and lacp/show-stats, as users of Open vSwitch 3.1 know it. */
import { macFromBytes, macText } from './flow-access.js';
import type { Lacp, LacpMember } from './lacp.js';
import { LACP_STATE, type LacpInfo } from './lacp-pdu.js';

const STATE_NAMES: readonly [bit: number, name: string][] = [
  [LACP_STATE.ACTIVITY, 'activity'],
  [LACP_STATE.TIMEOUT, 'timeout'],
  [LACP_STATE.AGGREGATION, 'aggregation'],
  [LACP_STATE.SYNCHRONIZED, 'synchronized'],
  [LACP_STATE.COLLECTING, 'collecting'],
  [LACP_STATE.DISTRIBUTING, 'distributing'],
  [LACP_STATE.DEFAULTED, 'defaulted'],
  [LACP_STATE.EXPIRED, 'expired'],
];

/** 'activity aggregation': the names of the bits that are set. */
export function lacpStateText(state: number): string {
  return STATE_NAMES.flatMap(([bit, name]) => ((state & bit) !== 0 ? [name] : [])).join(' ');
}

function membersByName(lacp: Lacp): LacpMember[] {
  return [...lacp.members.values()].sort((a, b) => (a.link.name < b.link.name ? -1 : 1));
}

function infoText(who: string, info: LacpInfo): string {
  const state = lacpStateText(info.state);
  return [
    `  ${who} sys_id: ${macText(macFromBytes(info.sysId))}\n`,
    `  ${who} sys_priority: ${info.sysPriority}\n`,
    `  ${who} port_id: ${info.portId}\n`,
    `  ${who} port_priority: ${info.portPriority}\n`,
    `  ${who} key: ${info.key}\n`,
    `  ${who} state:${state === '' ? '' : ` ${state}`}\n`,
  ].join('');
}

function memberText(lacp: Lacp, member: LacpMember): string {
  const { link, status, attached, settings } = member;
  return [
    `\nmember: ${link.name}: ${status} ${attached ? 'attached' : 'detached'}\n`,
    `  port_id: ${settings.portId}\n`,
    `  port_priority: ${settings.portPriority}\n`,
    `  may_enable: ${lacp.mayEnable(link)}\n`,
    `\n${infoText('actor', lacp.actorOf(member))}`,
    `\n${infoText('partner', member.partner)}`,
  ].join('');
}

/** One port's part of lacp/show. */
export function lacpShow(lacp: Lacp): string {
  const { settings } = lacp;
  return [
    `---- ${lacp.name} ----\n`,
    `  status: ${settings.active ? 'active' : 'passive'}${lacp.negotiated ? ' negotiated' : ''}\n`,
    `  sys_id: ${macText(macFromBytes(settings.systemId))}\n`,
    `  sys_priority: ${settings.systemPriority}\n`,
    `  aggregation key: ${lacp.aggregationKey ?? 'none'}\n`,
    `  lacp_time: ${settings.fast ? 'fast' : 'slow'}\n`,
    ...membersByName(lacp).map((member) => memberText(lacp, member)),
  ].join('');
}

/** One port's part of lacp/show-stats. */
export function lacpShowStats(lacp: Lacp): string {
  const parts = membersByName(lacp).map(({ link, counters }) =>
    [
      `\nmember: ${link.name}:\n`,
      `  TX PDUs: ${counters.txPdus}\n`,
      `  RX PDUs: ${counters.rxPdus}\n`,
      `  RX Bad PDUs: ${counters.rxBadPdus}\n`,
      `  RX Marker Request PDUs: ${counters.rxMarkerPdus}\n`,
      `  Link Expired: ${counters.linkExpired}\n`,
      `  Link Defaulted: ${counters.linkDefaulted}\n`,
      `  Carrier Status Changed: ${counters.carrierChanged}\n`,
    ].join(''),
  );
  return `---- ${lacp.name} statistics ----\n${parts.join('')}`;
}
