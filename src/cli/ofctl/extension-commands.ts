/**
 * Commands on what Open vSwitch adds to OpenFlow: names of tunnel options, tracked connections,
 * statistics of IPFIX.
 */
import type { OfMessage } from '../../openflow/messages.js';
import { P_NXM_OXM_ANY } from '../../openflow/protocols.js';
import { parseCtFlush } from '../../openflow/syntax/ct-parse.js';
import { parseU16 } from '../../openflow/syntax/scan.js';
import { parseTlvTableMod } from '../../openflow/syntax/tlv-parse.js';
import { connectForFlows } from './flow-connection.js';
import { syntaxOrFail } from './flow-source.js';
import type { Session } from './session.js';

async function modTlvMap(s: Session, name: string, msg: OfMessage): Promise<void> {
  const sw = await connectForFlows(s, name, P_NXM_OXM_ANY);
  await sw.transact([msg]);
  sw.close();
}

export const addTlvMap = (s: Session, [name, map]: string[]): Promise<void> =>
  modTlvMap(
    s,
    name,
    syntaxOrFail(() => parseTlvTableMod(map, 'add')),
  );

/** Without a map: forgets all names. */
export const delTlvMap = (s: Session, [name, map]: string[]): Promise<void> =>
  modTlvMap(
    s,
    name,
    syntaxOrFail(() => parseTlvTableMod(map ?? '', map === undefined ? 'clear' : 'delete')),
  );

function dump(
  type: 'nx_tlv_table_request' | 'ipfix_bridge_stats_request' | 'ipfix_flow_stats_request',
) {
  return async (s: Session, [name]: string[]): Promise<void> => {
    const sw = await s.connect(name);
    await s.dump(sw, { type });
    sw.close();
  };
}

export const dumpTlvMap = dump('nx_tlv_table_request');
export const dumpIpfixBridge = dump('ipfix_bridge_stats_request');
export const dumpIpfixFlow = dump('ipfix_flow_stats_request');

async function flush(s: Session, name: string, msg: OfMessage): Promise<void> {
  const sw = await s.connect(name);
  await sw.transact([msg]);
  sw.close();
}

export const ctFlushZone = (s: Session, [name, text]: string[]): Promise<void> =>
  flush(s, name, {
    type: 'nx_ct_flush_zone',
    zone: syntaxOrFail(() => parseU16(text, 'zone_id')),
  });

export const ctFlush = (s: Session, [name, ...args]: string[]): Promise<void> =>
  flush(
    s,
    name,
    syntaxOrFail(() => parseCtFlush(args)),
  );
