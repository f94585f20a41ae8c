/**
 * Which controllers a bridge may have: whoever may write to the database shall not have the switch
 * put sockets over arbitrary files.
 */
import { normalize } from 'node:path';
import { getLogger } from '../common/log.js';
import type { ControllerSettings } from '../ofproto/settings.js';

const log = getLogger('bridge');

/** The controllers that are allowed; the others are told in the log. */
export function allowedControllers(
  bridge: string,
  controllers: readonly ControllerSettings[],
  runDir: string,
): ControllerSettings[] {
  return controllers.filter(({ target }) => {
    if (!target.startsWith('punix:')) return true;
    const allowed = `${runDir}/${bridge}.`;
    const path = target.slice('punix:'.length);
    const plain = normalize(path.startsWith('/') ? path : `${runDir}/${path}`);
    const rest = plain.startsWith(allowed) ? plain.slice(allowed.length) : '/';
    if (!rest.includes('/') && !path.includes('/../')) return true;
    log.err(
      `bridge ${bridge}: Not adding Unix domain socket controller "${target}" due to ` +
        'possibility of overwriting local files. Instead, specify path in permitted format ' +
        `"punix:${allowed}*" or connect to "unix:${runDir}/${bridge}.mgmt" (which is always ` +
        'available without special configuration).',
    );
    return false;
  });
}
