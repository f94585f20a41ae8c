/**
 * ofproto/trace and ofproto/trace-packet-out: what happens to a packet, and why.
 *
 *     ofproto/trace bridge br_flow [packet]        ofproto/trace [dp] odp_flow [packet]
 *
 * `--json` gives data in place of text, with recirculations and the reasons of drops: `tapswitch
 * trace` prints that. Not for: translating (../trace-run.ts).
 */
import { errorMessage } from '../../common/errors.js';
import type { OfAction } from '../../openflow/actions.js';
import { OfpError } from '../../openflow/errors.js';
import { parseActions } from '../../openflow/syntax/action-parse.js';
import { NO_NAMES } from '../../openflow/syntax/names.js';
import { checkActions } from '../action-check.js';
import type { Ofproto } from '../ofproto.js';
import type { OfprotoRegistry } from '../registry.js';
import { formatFlowText, formatMegaflow, namesOf } from '../text.js';
import { dropReasons, sends } from '../trace-drops.js';
import {
  flowUnchanged,
  passActions,
  SLOW_PATH_EXPLANATIONS,
  type TracePass,
  tracePacket,
  traceText,
} from '../trace-run.js';
import { XLATE_ERRORS } from '../xlate/context.js';
import { ANY_ARGS, commandError, type OfprotoCommand } from './command.js';
import { parseTraceArgs, type TraceArgs } from './trace-args.js';

/** One pass as data. */
function passData(pass: TracePass) {
  const { ofproto, flow, final, nodes, out, recircId } = pass;
  const names = pass.names ? namesOf(ofproto) : null;
  return {
    bridge: ofproto.name,
    recirculation: recircId === 0 ? null : recircId,
    flow: formatFlowText(flow, names),
    steps: nodes,
    final_flow: flowUnchanged(pass) ? null : formatFlowText(final, names),
    megaflow: formatMegaflow(flow, out.wc, names),
    datapath_actions: passActions(pass),
    forwarded: out.error === 'ok' && (out.slow !== null || out.actions.some(sends)),
    error: out.error === 'ok' ? null : XLATE_ERRORS[out.error],
    slow_path: out.slow === null ? null : SLOW_PATH_EXPLANATIONS[out.slow],
    drops: dropReasons(pass),
  };
}

function answer(args: TraceArgs, actions?: readonly OfAction[]): string {
  const passes = tracePacket({ ...args, actions, follow: args.json });
  if (!args.json) return traceText(passes[0]);
  return `${JSON.stringify({ passes: passes.map(passData) })}\n`;
}

function readActions(text: string): OfAction[] {
  try {
    return parseActions(text, NO_NAMES).actions;
  } catch (error) {
    return commandError(errorMessage(error));
  }
}

function checkedActions(actions: OfAction[], ofproto: Ofproto): OfAction[] {
  try {
    checkActions(actions, { table: null, ofproto });
    return actions;
  } catch (error) {
    if (!(error instanceof OfpError)) throw error;
    return commandError(`Bad actions: ${error.error}`);
  }
}

export function traceCommands(registry: OfprotoRegistry): OfprotoCommand[] {
  const usage = '{[dp_name] odp_flow | bridge br_flow} [OPTIONS...] [-generate|packet]';
  return [
    {
      name: 'ofproto/trace',
      usage,
      minArgs: 1,
      maxArgs: ANY_ARGS,
      run: (args) => answer(parseTraceArgs(registry, args)),
    },
    {
      name: 'ofproto/trace-packet-out',
      usage: `[-consistent] ${usage} actions`,
      minArgs: 2,
      maxArgs: ANY_ARGS,
      run: (args) => {
        const actions = readActions(args.at(-1) ?? '');
        const request = parseTraceArgs(registry, args.slice(0, -1), true);
        return answer(request, checkedActions(actions, request.ofproto));
      },
    },
  ];
}
