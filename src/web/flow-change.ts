/**
 * Adding and deleting flow entries over OpenFlow, in a version that can express them.
 */
import { TapswitchError } from '../common/errors.js';
import type { FlowMod, OfMessage } from '../openflow/messages.js';
import { protocolsOfVersion } from '../openflow/protocols.js';
import { type ParsedFlow, parseFlow } from '../openflow/syntax/flow-parse.js';
import { FlowSyntaxError } from '../openflow/syntax/scan.js';
import { namesOf } from './subject/names.js';
import type { Subject } from './subject/subject.js';

/** The usual one first; 1.0 last, as it needs extensions switched on. */
const VERSIONS = [4, 5, 6, 3, 2, 1];

/** @throws TapswitchError E_WEB_REQUEST (syntax), E_WEB_REFUSED (the switch), E_WEB_OPENFLOW */
export async function changeFlows(
  subject: Subject,
  bridge: string,
  command: FlowMod['command'],
  text: string,
): Promise<void> {
  subject.mustHaveBridge(bridge);
  const { flow, usable } = parse(subject, bridge, command, text);
  const able = VERSIONS.filter((version) => (protocolsOfVersion(version) & usable) !== 0);
  let failed: unknown = new TapswitchError('E_WEB_REQUEST', 'no OpenFlow version can express that');
  for (const version of able) {
    try {
      const error = await subject.openflow.change(bridge, messages(flow, version), [version]);
      if (error === null) return;
      throw new TapswitchError('E_WEB_REFUSED', `the switch refused it: ${error.error.error}`);
    } catch (error) {
      // A bridge may have versions switched off: the next one may do.
      if (!(error instanceof TapswitchError) || error.code !== 'E_WEB_OPENFLOW') throw error;
      failed = error;
    }
  }
  throw failed;
}

function parse(
  subject: Subject,
  bridge: string,
  command: FlowMod['command'],
  text: string,
): ParsedFlow {
  try {
    return parseFlow(text, command, namesOf(subject, bridge));
  } catch (error) {
    if (!(error instanceof FlowSyntaxError)) throw error;
    throw new TapswitchError('E_WEB_REQUEST', error.message, 'flows/check tells where it is');
  }
}

function messages(flow: FlowMod, version: number): OfMessage[] {
  if (version > 1) return [flow];
  return [
    { type: 'nx_set_flow_format', format: 'nxm' },
    { type: 'nx_flow_mod_table_id', enable: true },
    flow,
  ];
}
