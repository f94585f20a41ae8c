/**
 * Why a traced packet, or a copy of it, went no further: read from the steps of its trace.
 *
 * Every pass that outputs nothing has a reason at least; one that outputs may have some too (a port
 * that was left out of a flood, a bucket without a live port).
 */
import type { OdpAction } from '../datapath/odp-actions.js';
import type { TracePass } from './trace-run.js';
import { XLATE_ERRORS } from './xlate/context.js';
import type { TraceNode } from './xlate/trace.js';

export interface DropReason {
  /** 'bridge br0, table 1, in_port=1, priority 100'; '' at the top. */
  where: string;
  why: string;
}

/** Details that say that something was not forwarded. */
const LOST = /dropping|skipping|no live bucket|does not take|no input bundle|refused/;

/** What a person is told of a table's last line. */
const NO_ENTRY: Readonly<Record<string, string>> = {
  'No match.': 'no entry matches',
};

interface Place {
  bridge: string;
  table: string;
}

/** The reasons of one pass; empty when everything that was asked for was sent. */
export function dropReasons(pass: TracePass): DropReason[] {
  const reasons: DropReason[] = [];
  collect(pass.nodes, { bridge: pass.ofproto.name, table: '' }, reasons);
  const { out } = pass;
  if (out.error !== 'ok') {
    reasons.push({ where: '', why: `translation failed: ${XLATE_ERRORS[out.error]}` });
  } else if (!out.actions.some(sends) && out.slow === null && reasons.length === 0) {
    reasons.push({ where: '', why: 'none of the actions sends the packet anywhere' });
  }
  return reasons;
}

/** Whether the packet goes anywhere by this action. */
export function sends(action: OdpAction): boolean {
  switch (action.type) {
    case 'output':
    case 'lb_output':
    case 'recirc':
    case 'userspace':
      return true;
    case 'clone':
    case 'sample':
      return action.actions.some(sends);
    case 'check_pkt_len':
      return action.greater.some(sends) || action.lessEqual.some(sends);
    default:
      return false;
  }
}

function collect(nodes: readonly TraceNode[], place: Place, reasons: DropReason[]): void {
  const where = [`bridge ${place.bridge}`, place.table].filter((part) => part !== '').join(', ');
  for (const { type, text, subs } of nodes) {
    if (type === 'bridge') {
      const bridge = /^bridge\("(.*)"\)$/.exec(text)?.[1] ?? text;
      collect(subs, { bridge, table: '' }, reasons);
      continue;
    }
    if (type === 'table') {
      const [, id, title] = /^ *(\d+|--)\. (.*)$/s.exec(text) ?? ['', '', text];
      const why = NO_ENTRY[title];
      if (why !== undefined) {
        reasons.push({ where, why: `${why} in table ${id}` });
        continue;
      }
      const table = id === '--' ? 'action set' : `table ${id}, ${title}`;
      collect(subs, { ...place, table }, reasons);
      continue;
    }
    if (type === 'error' || type === 'warn' || (type === 'detail' && LOST.test(text))) {
      reasons.push({ where, why: text });
    } else if (type === 'action' && text === 'drop') {
      reasons.push({ where, why: "the entry's action is drop" });
    }
    collect(subs, place, reasons);
  }
}
