/**
 * A packet's flow in the syntax of matches, `in_port=1,tcp,dl_vlan=10`: every field has a value,
 * and what is not named is zero. Not for: matches (match-parse.ts).
 */
import { fieldByName, fieldIsWild, fieldPrereqsOk } from '../../packet/fields.js';
import * as L from '../../packet/flow-layout.js';
import { OFPP } from '../actions.js';
import { type Match, matchAny } from '../match.js';
import { hasTunOption } from '../tun-metadata.js';
import { matchFieldText, matchProtocol } from './match-parse.js';
import type { Names } from './names.js';
import { FlowSyntaxError, KeyValueScanner, syntaxError } from './scan.js';

/** Reads a flow. Throws FlowSyntaxError. A packet that names no port comes from none. */
export function parseExactFlow(text: string, names: Names): L.FlowWords {
  return parseExactMatch(text, names).flow;
}

/** Reads a flow, and which of its bits were named. Throws FlowSyntaxError. */
export function parseExactMatch(text: string, names: Names): Match {
  const match = matchAny();
  const { flow, mask } = match;
  const scanner = new KeyValueScanner(text);
  for (let pair = scanner.next(); pair !== null; pair = scanner.next()) {
    const { key, value } = pair;
    const hadType = mask[L.W_DL_TYPE] !== 0;
    if (matchProtocol(match, key)) {
      if (hadType) syntaxError(`${text}: Ethernet type set multiple times`);
      continue;
    }
    const field = fieldByName(key);
    if (field === undefined) syntaxError(`${text}: unknown field ${key}`);
    if (!fieldPrereqsOk(field, flow)) {
      syntaxError(`${text}: prerequisites not met for setting ${key}`);
    }
    if (!fieldIsWild(mask, field) || hasTunOption(match, field))
      syntaxError(`${text}: field ${key} set multiple times`);
    try {
      matchFieldText(match, key, value, names.ports);
    } catch (e) {
      if (!(e instanceof FlowSyntaxError)) throw e;
      syntaxError(`${text}: bad value for ${key} (${e.message})`);
    }
  }
  if (flow[L.W_IN_PORT] === 0) flow[L.W_IN_PORT] = OFPP.NONE | 0;
  for (const word of [L.W_VLAN0, L.W_VLAN1]) {
    if ((flow[word] & L.VLAN_CFI) !== 0 && flow[word] >>> 16 === 0) {
      flow[word] |= L.ETH_TYPE_VLAN_8021Q << 16;
    }
  }
  return match;
}
