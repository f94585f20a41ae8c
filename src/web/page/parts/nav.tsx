/**
 * The navigation: every page, how much there is of it, and the switches of the page itself.
 */
import type { Bond, Bridges, Controllers, Drops, System } from '../../api/index.js';
import { useTopic } from '../live/hooks.js';
import { usePorts } from '../live/ports.js';
import { PLACE_GROUPS } from '../places.js';
import { packetRate, short } from '../pure/format.js';
import { href } from '../pure/routes.js';
import { toggleTheme } from './theme.js';

export function Nav({
  here,
  system,
  onHelp,
  onToken,
}: {
  here: string;
  system: System | null;
  onHelp: () => void;
  onToken: () => void;
}) {
  const tallies = useTallies(system);
  return (
    <nav class="nav" aria-label="Pages">
      <div class="brand">
        <Logo />
        tapswitch
      </div>
      {PLACE_GROUPS.map((group) => (
        <section key={group.title}>
          <h2>{group.title}</h2>
          <ul>
            {group.places.map(({ name, title, letter }) => (
              <li key={name}>
                <a
                  href={href(name)}
                  aria-current={name === here ? 'page' : undefined}
                  title={`${title} (g ${letter})`}
                >
                  {title}
                  {tallies[name] === undefined ? null : <span class="tally">{tallies[name]}</span>}
                </a>
              </li>
            ))}
          </ul>
        </section>
      ))}
      <div class="nav-foot">
        {system?.write || system?.tokenNeeded ? (
          <button type="button" class="quiet" onClick={onToken}>
            Token
          </button>
        ) : null}
        <button type="button" class="quiet" onClick={toggleTheme} title="Light or dark (t)">
          Theme
        </button>
        <button type="button" class="quiet" onClick={onHelp} title="Keys (?)">
          Keys
        </button>
      </div>
    </nav>
  );
}

function useTallies(system: System | null): Record<string, string | undefined> {
  const bridges = useTopic<Bridges>('bridges').data;
  const ports = usePorts().data;
  const bonds = useTopic<Bond[]>('bonds').data;
  const controllers = useTopic<Controllers>('controllers').data;
  const drops = useTopic<Drops>(system?.capabilities.drops ? 'drops' : null).data;
  const sum = (of: 'flows' | 'macs'): string | undefined =>
    bridges === null
      ? undefined
      : short(bridges.reduce((all, bridge) => all + (bridge[of] ?? 0), 0));
  const rate = drops?.reasons.reduce((all, reason) => all + (reason.rate ?? 0), 0) ?? 0;
  return {
    ports: ports === null ? undefined : short(ports.length),
    bonds: bonds === null ? undefined : short(bonds.length),
    controllers: controllers === null ? undefined : short(controllers.length),
    flows: sum('flows'),
    macs: sum('macs'),
    drops: rate > 0 ? `${packetRate(rate)}/s` : undefined,
  };
}

function Logo() {
  return (
    <svg width="22" height="22" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="7" fill="var(--accent)" />
      <path
        d="M5 11h14l-4-4M27 21H13l4 4"
        fill="none"
        stroke="var(--on-accent)"
        stroke-width="3"
        stroke-linecap="round"
        stroke-linejoin="round"
      />
    </svg>
  );
}
