/**
 * Notices about flows that say less than they seem to.
 *
 *     2026-01-02T03:04:05Z|00001|ofp_match|INFO|normalization changed ofp_match, details:
 *     2026-01-02T03:04:05Z|00002|ofp_match|INFO| pre: tp_dst=80
 *     2026-01-02T03:04:05Z|00003|ofp_match|INFO|post:
 *
 * Nothing after `post:` is the match of every packet.
 * Not for: errors (errors.ts).
 */
import { getLogger } from '../../common/log.js';
import { type Match, matchAny } from '../../openflow/match.js';
import { normalizeMatch } from '../../openflow/normalize.js';
import { formatMatch } from '../../openflow/syntax/match-format.js';
import type { Session } from './session.js';

/** How many flows of one command are told of, as in Open vSwitch: a file may hold thousands. */
const NOTICES_MAX = 5;

const log = getLogger('ofp_match');

/** What is left of a match, while it is looked at. */
const scratch = matchAny();

/** Notices written so far. */
const written = new WeakMap<Session, number>();

/**
 * Says so when the switch will drop parts of a match because the fields that they depend on are
 * missing: `tp_dst=80` without `tcp` means every packet. What is sent stays as it was typed.
 */
export function noteNormalization(s: Session, match: Match): void {
  if (!log.enabled('info')) return;
  scratch.flow.set(match.flow);
  scratch.mask.set(match.mask);
  if (!normalizeMatch(scratch)) return;
  const notices = (written.get(s) ?? 0) + 1;
  written.set(s, notices);
  if (notices > NOTICES_MAX) return;
  log.info('normalization changed ofp_match, details:');
  log.info(` pre: ${formatMatch(match)}`);
  log.info(`post: ${formatMatch(scratch)}`);
}
