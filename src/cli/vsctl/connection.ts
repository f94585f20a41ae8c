/**
 * Names of database servers, and why one could not be reached, in the words of the C library.
 *
 * Not for: connecting (src/ovsdb/idl).
 */

import { errnoText } from '../../common/errno-text.js';
import { errorMessage, TapswitchError } from '../../common/errors.js';

/** Why a connection failed or ended. */
export function connectionErrorText(error: Error | null): string {
  if (error instanceof TapswitchError) {
    if (error.code === 'E_OVSDB_REMOTE') return 'Address family not supported by protocol';
    if (error.code === 'E_JSONRPC_CLOSED' || error.code === 'E_JSONRPC_EOF') return 'End of file';
    return error.message;
  }
  const code = (error as NodeJS.ErrnoException | null)?.code;
  return errnoText(code) ?? errorMessage(error);
}

/** The remotes of `--db=A,B,C`: members of a cluster, to be tried in any order if `shuffle`. */
export function splitRemotes(db: string, shuffle: boolean): string[] {
  const remotes = db.split(/,(?=(?:unix|tcp|ssl):)/);
  for (let i = remotes.length - 1; shuffle && i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [remotes[i], remotes[j]] = [remotes[j], remotes[i]];
  }
  return remotes;
}
