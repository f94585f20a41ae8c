/** upcall/*, revalidator/*: the state of flow installation. */
import type { OfprotoBacker } from '../backer.js';
import type { OfprotoRegistry } from '../registry.js';
import { commandError, type OfprotoCommand } from './command.js';

function upcallShow(backer: OfprotoBacker): string {
  const { udpif, revalidator } = backer;
  const current = udpif.ukeys.size;
  return [
    `${backer.dpif.name}:\n`,
    `  flows         : (current ${current}) (avg ${udpif.avgFlows}) (max ${udpif.maxFlows}) `,
    `(limit ${udpif.flowLimit})\n`,
    `  dump duration : ${Math.round(revalidator.dumpDurationMs)}ms\n`,
    '  ufid enabled : true\n',
    '\n',
    `  0: (keys ${current})\n`,
  ].join('');
}

export function upcallCommands(registry: OfprotoRegistry): OfprotoCommand[] {
  const none = { usage: '', minArgs: 0, maxArgs: 0 };
  const each = (act: (backer: OfprotoBacker) => void): string => {
    for (const backer of registry.backers()) act(backer);
    return '';
  };
  return [
    {
      name: 'upcall/show',
      ...none,
      run: () => [...registry.backers()].map(upcallShow).join(''),
    },
    ...[true, false].map((on) => ({
      name: `upcall/${on ? 'enable' : 'disable'}-megaflows`,
      ...none,
      run: () => {
        each((backer) => {
          backer.udpif.megaflows = on;
          backer.udpif.removeAll();
        });
        return `megaflows ${on ? 'enabled' : 'disabled'}\n`;
      },
    })),
    ...[true, false].map((on) => ({
      name: `upcall/${on ? 'enable' : 'disable'}-ufid`,
      ...none,
      // Flows have their numbers either way: there is no shorter form of a dump.
      run: () => `Datapath dumping tersely using UFID ${on ? 'enabled' : 'disabled'}\n`,
    })),
    {
      name: 'upcall/set-flow-limit',
      usage: 'flow-limit-number',
      minArgs: 1,
      maxArgs: 1,
      run: ([limit]) => {
        if (!/^\d+$/.test(limit)) commandError('invalid flow limit');
        each((backer) => {
          backer.settings = { ...backer.settings, flowLimit: Number(limit) };
        });
        return `set flow_limit to ${limit}\n`;
      },
    },
    {
      name: 'revalidator/wait',
      ...none,
      run: async () => {
        for (const backer of registry.backers()) {
          backer.revalidator.runPass();
          await backer.dpif.sync();
        }
        return '';
      },
    },
    {
      name: 'revalidator/purge',
      ...none,
      run: async () => {
        each((backer) => backer.udpif.removeAll());
        for (const backer of registry.backers()) await backer.dpif.sync();
        return '';
      },
    },
    {
      name: 'revalidator/pause',
      ...none,
      usage: null,
      run: () => each((backer) => backer.revalidator.setPaused(true)),
    },
    {
      name: 'revalidator/resume',
      ...none,
      usage: null,
      run: () => each((backer) => backer.revalidator.setPaused(false)),
    },
  ];
}
