/**
 * dpctl/*: the commands about datapaths, in the order of Open vSwitch's list; and what tests change
 * of a datapath.
 *
 * Not for: what most of them do (dpctl-*.ts).
 */

import type { OfprotoRegistry } from '../registry.js';
import { ANY_ARGS, bridgeNamed, commandError, type OfprotoCommand } from './command.js';
import { conntrackCommands } from './dpctl-conntrack.js';
import { changeFlows, delFlow, delFlows, putFlow } from './dpctl-flow-change.js';
import { dumpFlows, getFlow } from './dpctl-flow-dump.js';
import { normalizeActions, parseActions } from './dpctl-normalize.js';
import { dpctlPortCommands } from './dpctl-ports.js';
import { type DpctlHandler, type DpctlRun, dpctlCommand, portNames } from './dpctl-run.js';
import { dpctlShow } from './dpctl-show.js';
import { UfidNames } from './dpctl-ufids.js';

/** What a datapath that can forward in the kernel says of it. */
interface Offloading {
  /** It does so because it was asked to. */
  readonly showsOffloads?: boolean;
}

const SIZE = /^\s*\d+/;
const NAME_WIDTH = 23;

function show(run: DpctlRun, names: string[]): boolean {
  let done = true;
  const { statistics } = run.options;
  for (const name of names) {
    const backer = run.named(name, `opening datapath ${name} failed`);
    if (backer === null) done = false;
    else run.text += dpctlShow(backer, statistics);
  }
  if (names.length > 0) return done;
  for (const backer of run.registry.backers()) run.text += dpctlShow(backer, statistics);
  return true;
}

function dumpDps(run: DpctlRun): boolean {
  for (const { dpif } of run.registry.backers()) run.print(dpif.name);
  return true;
}

/** There are no caches whose size could be set, so none are listed. */
function cacheGetSize(run: DpctlRun, [name]: string[]): boolean {
  if (name === undefined) {
    for (const { dpif } of run.registry.backers()) run.print(`${dpif.name}:`);
    return true;
  }
  const backer = run.named(name, `Opening datapath ${name} failed`);
  if (backer !== null) run.print(`${backer.dpif.name}:`);
  return backer !== null;
}

function cacheSetSize(run: DpctlRun, [name, , size]: string[]): boolean {
  if (!SIZE.test(size)) return run.fail('size is malformed', 'EINVAL');
  if (run.named(name, `Opening datapath ${name} failed`) === null) return false;
  return run.fail('Setting caches not supported', 'EOPNOTSUPP');
}

/** Flows go to the kernel when they are installed: none wait, and no time is measured. */
function offloadStats(run: DpctlRun, args: string[]): boolean {
  const backer = run.open(args, 1);
  if (backer === null) return false;
  const { dpif } = backer;
  if ((dpif as Offloading).showsOffloads !== true) {
    return run.fail('retrieving offload statistics', 'EINVAL');
  }
  let inserted = 0;
  for (const flow of dpif.flows()) if (dpif.flowStats(flow).offloaded) inserted += 1;
  run.print('HW Offload stats:');
  const line = (what: string, count: number): void =>
    run.print(`     Total ${what.padStart(33)}: ${String(count).padStart(6)}`);
  line('Enqueued offloads', 0);
  line('Inserted offloads', inserted);
  return true;
}

function changePortNumber(registry: OfprotoRegistry, [dp, name, text]: readonly string[]): string {
  const backer =
    [...registry.backers()].find((b) => b.dpif.name.endsWith(`@${dp}`) || b.dpif.name === dp) ??
    commandError('unknown datapath');
  const number = portNames(backer).portNo(name) ?? Number(/^\d+$/.test(name) ? name : -1);
  const port = backer.portByOdp(number) ?? commandError('unknown port');
  const wanted = Number(text);
  if (!Number.isInteger(wanted) || wanted <= 0) commandError('bad port number');
  if (backer.portByOdp(wanted) !== null) commandError('port number already in use');
  backer.changeOdpPort(port, wanted);
  return '';
}

function featureCommands(registry: OfprotoRegistry): OfprotoCommand[] {
  return [
    {
      name: 'dpif-dummy/change-port-number',
      usage: 'dp port new-number',
      minArgs: 3,
      maxArgs: 3,
      run: (args) => changePortNumber(registry, args),
    },
    {
      name: 'dpif/show-dp-features',
      usage: 'bridge',
      minArgs: 1,
      maxArgs: 1,
      run: ([bridge]) => bridgeNamed(registry, bridge).backer.support.show(),
    },
    {
      name: 'dpif/set-dp-features',
      usage: 'bridge',
      minArgs: 1,
      maxArgs: 3,
      run: ([bridge, feature, value]) => {
        const { backer } = bridgeNamed(registry, bridge);
        if (value === undefined) return backer.support.list(feature);
        const answer = backer.support.set(feature, value);
        if (answer === '') backer.udpif.removeAll();
        return answer;
      },
    },
  ];
}

function listed(commands: readonly OfprotoCommand[]): string {
  const lines = commands.map(({ name, usage }) => {
    const [prefix, plain] = name.split('/');
    return `  ${prefix}/${plain.padEnd(NAME_WIDTH)} ${usage ?? ''}\n`;
  });
  return `The available commands are:\n${lines.join('')}`;
}

export function dpctlCommands(registry: OfprotoRegistry): OfprotoCommand[] {
  const ufids = new UfidNames();
  const command = (
    name: string,
    usage: string,
    min: number,
    max: number,
    run: DpctlHandler,
  ): OfprotoCommand => dpctlCommand(registry, [name, usage, min, max], run);
  const { connections, details } = conntrackCommands(registry);
  const dump = '[-m] [--names] [dp] [filter=..] [type=..] [pmd=..]';
  const commands: OfprotoCommand[] = [
    ...dpctlPortCommands(registry),
    command('dump-dps', '', 0, 0, dumpDps),
    command('show', '[-s] [dp...]', 0, ANY_ARGS, show),
    command('dump-flows', dump, 0, 6, (run, args) => dumpFlows(run, args, ufids)),
    ...(['add', 'mod'] as const).map((verb) =>
      command(`${verb}-flow`, '[dp] flow actions', 2, 3, (run, args) =>
        putFlow(run, args, ufids, verb === 'mod'),
      ),
    ),
    command('get-flow', '[dp] ufid', 1, 2, (run, args) => getFlow(run, args, ufids)),
    command('del-flow', '[dp] flow', 1, 2, (run, args) => delFlow(run, args, ufids)),
    command('add-flows', '[dp] file', 1, 2, (run, args) => changeFlows(run, args, ufids, 'add')),
    command('mod-flows', '[dp] file', 1, 2, (run, args) => changeFlows(run, args, ufids, 'modify')),
    command('del-flows', '[dp] [file]', 0, 2, (run, args) => delFlows(run, args, ufids)),
    command('offload-stats-show', '[dp]', 0, 1, offloadStats),
    ...connections,
    command('cache-get-size', '[dp]', 0, 1, cacheGetSize),
    command('cache-set-size', 'dp cache <size>', 3, 3, cacheSetSize),
    ...details,
    command('list-commands', '', 0, ANY_ARGS, (run) => {
      run.text += listed(commands);
      return true;
    }),
    command('parse-actions', 'actions', 1, ANY_ARGS, parseActions),
    command('normalize-actions', 'actions', 2, ANY_ARGS, normalizeActions),
  ];
  return [...commands, ...featureCommands(registry)];
}
