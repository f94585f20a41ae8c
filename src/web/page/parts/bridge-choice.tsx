/**
 * Which bridge a page is about: the address says it, or it is the first one.
 */
import type { Bridges } from '../../api/index.js';
import { useTopic } from '../live/hooks.js';
import { href, type Route } from '../pure/routes.js';
import { Choice } from './fields.js';

/** The bridge's name, '' while none is known. */
export function useBridge(route: Route): { bridge: string; bridges: Bridges } {
  const bridges = useTopic<Bridges>('bridges').data ?? [];
  return { bridge: route.path[0] ?? bridges[0]?.name ?? '', bridges };
}

export function BridgeChoice({
  route,
  bridge,
  bridges,
}: {
  route: Route;
  bridge: string;
  bridges: Bridges;
}) {
  const choices = bridges.map(({ name }) => [name, `bridge ${name}`] as const);
  const known = choices.some(([name]) => name === bridge);
  return (
    <Choice
      bare
      label="Bridge"
      value={bridge}
      onChange={(name) => {
        location.hash = href(route.name, [name]);
      }}
      choices={known || bridge === '' ? choices : [...choices, [bridge, `bridge ${bridge}`]]}
    />
  );
}
