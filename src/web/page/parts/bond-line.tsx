/**
 * A bond in one line: its members side by side, the active one standing out.
 */
import type { Bond } from '../../api/index.js';
import { href } from '../pure/routes.js';
import { Sign } from './signs.js';

export function BondLine({ bond }: { bond: Bond }) {
  const { name, bridge, mode, members } = bond;
  return (
    <li class="spread">
      <span>
        <a href={href('bonds', [bridge, name])}>
          <strong>{name}</strong>
        </a>{' '}
        <span class="faint small">
          {bridge}, {mode}
        </span>
      </span>
      <span class="bar">
        {members.map((member) => (
          <Sign
            key={member.name}
            tone={!member.enabled ? 'bad' : member.active ? 'accent' : 'quiet'}
            title={member.why}
          >
            {member.name} {memberState(bond, member)}
          </Sign>
        ))}
      </span>
    </li>
  );
}

/** 'active', 'enabled', 'disabled': the words of bond/show. */
export function memberState({ mode }: Bond, { enabled, active }: Bond['members'][number]): string {
  if (!enabled) return 'disabled';
  if (active) return 'active';
  return mode === 'active-backup' ? 'in reserve' : 'enabled';
}
