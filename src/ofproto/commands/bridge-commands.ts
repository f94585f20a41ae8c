/** bridge/dump-flows: every entry of a bridge, those that the switch made for itself included. */
import { formatMatch } from '../../openflow/syntax/match-format.js';
import type { Ofproto } from '../ofproto.js';
import type { OfprotoRegistry } from '../registry.js';
import type { Rule } from '../rule.js';
import { formatActionsText } from '../text.js';
import { bridgeNamed, commandError, type OfprotoCommand } from './command.js';

const OFFLOAD_STATS = '--offload-stats';

export function bridgeCommands(registry: OfprotoRegistry): OfprotoCommand[] {
  return [
    {
      name: 'bridge/dump-flows',
      usage: `[${OFFLOAD_STATS}] bridge`,
      minArgs: 1,
      maxArgs: 2,
      run: (args) => {
        const names = args.filter((arg) => arg !== OFFLOAD_STATS);
        if (names.length !== 1) commandError('no such bridge');
        const ofproto = bridgeNamed(registry, names[0]);
        return dumpFlows(ofproto, names.length < args.length);
      },
    },
  ];
}

function dumpFlows(ofproto: Ofproto, offloadStats: boolean): string {
  ofproto.backer.pushStats();
  const now = ofproto.clock.now();
  let text = '';
  for (const table of ofproto.tables) {
    for (const rule of table.cls.rules()) text += ruleText(rule, now, offloadStats);
  }
  return text;
}

function ruleText(rule: Rule, now: number, offloadStats: boolean): string {
  const match = formatMatch(rule.match);
  return [
    rule.tableId === 0 ? '' : `table_id=${rule.tableId}, `,
    `duration=${Math.floor((now - rule.createdMs) / 1000)}s, `,
    `n_packets=${rule.packets}, n_bytes=${rule.bytes}, `,
    // Nothing is handed to hardware.
    offloadStats ? 'n_offload_packets=0, n_offload_bytes=0, ' : '',
    `priority=${rule.priority}${match === '' ? '' : `,${match}`}`,
    `,actions=${formatActionsText(rule.actions)}\n`,
  ].join('');
}
