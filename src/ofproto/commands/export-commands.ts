/**
 * export/show: what the exporters of bridges have counted and sent, and what collectors refused.
 */
import type { OfprotoRegistry } from '../registry.js';
import { bridgeNamed, type OfprotoCommand } from './command.js';

export function exportCommands(registry: OfprotoRegistry): OfprotoCommand[] {
  return [
    {
      name: 'export/show',
      usage: '[bridge]',
      minArgs: 0,
      maxArgs: 1,
      run: ([name]) => {
        const bridges = name === undefined ? registry.ofprotos() : [bridgeNamed(registry, name)];
        return bridges
          .flatMap(({ name: bridge, exporters }) => {
            const lines = exporters.show();
            return lines.length === 0 ? [] : [`${bridge}:`, ...lines.map((line) => `  ${line}`)];
          })
          .map((line) => `${line}\n`)
          .join('');
      },
    },
  ];
}
