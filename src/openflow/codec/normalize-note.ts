/**
 * Normalizing a match that a message brought, and saying so.
 *
 *     ofp_match|INFO|normalization changed ofp_match, details:
 *     ofp_match|INFO| pre: arp,nw_tos=4
 *     ofp_match|INFO|post: arp
 */
import { type Match, matchAny } from '../match.js';
import { normalizeMatch } from '../normalize.js';
import { formatMatch } from '../syntax/match-format.js';
import { codecNotice } from './warnings.js';

/** What the match was, while it is looked at. */
const before = matchAny();

/** Drops, in place, what the match's types do not have; the log tells what. */
export function normalizeAndTell(match: Match): void {
  before.flow.set(match.flow);
  before.mask.set(match.mask);
  if (!normalizeMatch(match)) return;
  codecNotice('ofp_match', () => [
    'normalization changed ofp_match, details:',
    ` pre: ${formatMatch(before)}`,
    `post: ${formatMatch(match)}`,
  ]);
}
