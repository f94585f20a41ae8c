/**
 * Reading a packet's flow in OpenFlow syntax, as ofproto/trace takes it:
 * `in_port=1,tcp,dl_vlan=10`. Every field has a value; what is not named is zero.
 */

import { errorMessage } from '../../common/errors.js';
import { OFPP } from '../../openflow/actions.js';
import { type Match, matchAny } from '../../openflow/match.js';
import { matchFieldText, matchProtocol } from '../../openflow/syntax/match-parse.js';
import type { NameMap } from '../../openflow/syntax/names.js';
import { KeyValueScanner } from '../../openflow/syntax/scan.js';
import {
  ETH_TYPE_VLAN_8021Q,
  type FlowWords,
  VLAN_CFI,
  W_IN_PORT,
  W_VLAN0,
} from '../../packet/flow-layout.js';
import { commandError } from './command.js';

/** @throws TapswitchError in the words that users of Open vSwitch know */
export function parseFlow(text: string, ports: NameMap): FlowWords {
  const match = matchAny();
  // A packet that is said to come from nowhere comes from no port.
  match.flow[W_IN_PORT] = OFPP.NONE | 0;
  readFields(match, text, ports);
  for (const word of [W_VLAN0, W_VLAN0 + 1]) {
    if ((match.flow[word] & VLAN_CFI) !== 0 && match.flow[word] >>> 16 === 0) {
      match.flow[word] |= ETH_TYPE_VLAN_8021Q << 16;
    }
  }
  return match.flow;
}

/** What the text names, as a match. @throws TapswitchError */
export function parseMatch(text: string, ports: NameMap): Match {
  const match = matchAny();
  readFields(match, text, ports);
  return match;
}

function readFields(match: Match, text: string, ports: NameMap): void {
  try {
    const scanner = new KeyValueScanner(text);
    for (let pair = scanner.next(); pair !== null; pair = scanner.next()) {
      const { key, value } = pair;
      if (value === '' && matchProtocol(match, key)) continue;
      if (key === 'eth') continue;
      if (matchFieldText(match, key, value, ports) === undefined) {
        throw new Error(`unknown field ${key}`);
      }
    }
  } catch (error) {
    commandError(`Bad openflow flow syntax: ${text}: ${errorMessage(error)}`);
  }
}
