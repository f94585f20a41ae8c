/** lacp/show and lacp/show-stats. */
import type { Lacp } from '../lacp.js';
import { lacpShow, lacpShowStats } from '../lacp-show.js';
import type { OfprotoRegistry } from '../registry.js';
import { commandError, type OfprotoCommand } from './command.js';

export function lacpCommands(registry: OfprotoRegistry): OfprotoCommand[] {
  const all = (): Lacp[] =>
    registry
      .ofprotos()
      .flatMap((ofproto) => [...ofproto.bundles()].flatMap((bundle) => bundle.lacp ?? []));
  const chosen = (args: string[]): Lacp[] => {
    if (args.length === 0) return all();
    const lacp = all().find((l) => l.name === args[0]);
    return lacp === undefined ? commandError('no such lacp object') : [lacp];
  };
  const show =
    (text: (lacp: Lacp) => string) =>
    (args: string[]): string =>
      chosen(args).map(text).join('');
  const port = { usage: '[port]', minArgs: 0, maxArgs: 1 };
  return [
    { name: 'lacp/show', ...port, run: show(lacpShow) },
    { name: 'lacp/show-stats', ...port, run: show(lacpShowStats) },
  ];
}
