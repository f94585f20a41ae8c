/**
 * Connections on which flows, groups and packets can be sent in a format that can express them.
 */
import { P, protocolsToString } from '../../openflow/protocols.js';
import { fatal } from './errors.js';
import type { Session, SwitchConnection } from './session.js';

/** Connects and sets a flow format that can express the flows. */
export async function connectForFlows(
  s: Session,
  name: string,
  usable: number,
  handlers: { onFrame?(frame: Uint8Array): void } = {},
): Promise<SwitchConnection> {
  const { allowed } = s.options;
  const usableText = protocolsToString(usable);
  if ((usable & allowed) === 0) {
    fatal(
      `none of the usable flow formats (${usableText}) is among the allowed flow formats ` +
        `(${protocolsToString(allowed)})`,
    );
  }
  const sw = await s.connect(name, handlers);
  sw.connection.codec.flowFormat = 'openflow10';
  if ((usable & allowed & sw.protocol) !== 0) return sw;
  for (let format = 1; format <= P.OF15_OXM; format <<= 1) {
    if (format === sw.protocol || (format & usable & allowed) === 0) continue;
    if (await sw.setProtocol(format)) return sw;
  }
  return fatal(`switch does not support any of the usable flow formats (${usableText})`);
}
