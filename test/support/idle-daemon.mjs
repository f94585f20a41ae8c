/**
 * A daemon without a switch: the life of a daemon (command line, pid file, control socket, signals)
 * around a stand-in that only counts its turns. Takes the arguments of `tapswitch vswitchd`.
 *
 * FAIL_START in the environment makes the stand-in fail while starting.
 */
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const checkout = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const bin = process.env.TAPSWITCH_BIN ?? join(checkout, 'bin', 'tapswitch');
const dist = join(dirname(dirname(bin)), 'dist');
const load = (file) => import(pathToFileURL(join(dist, file)).href);
const { runDaemonCommand } = await load('cli/daemon/run.js');
const { processIo } = await load('cli/io.js');
const { TapswitchError } = await load('common/errors.js');

async function startIdleSwitch({ unixctl, loop, clock, memory, onFatal }) {
  if (process.env.FAIL_START) throw new TapswitchError('E_TEST', 'no switch today', 'try later');
  let turns = 0;
  const startedMs = clock.now();
  loop.add({
    run: () => {
      turns += 1;
    },
    nextWake: () => Number.POSITIVE_INFINITY,
  });
  memory.addSource(() => [['turns', turns > 0 ? 1 : 0]]);
  unixctl.register('test/elapsed', '', 0, 0, () => `${Math.round(clock.now() - startedMs)}`);
  unixctl.register('test/turns', '', 0, 0, () => `${turns}`);
  unixctl.register('test/echo', 'ARG...', 1, 3, (_command, args) => args.join('\n'));
  unixctl.register('test/later', 'MSECS', 1, 1, (command, [ms]) => {
    setTimeout(() => command.reply(`after ${ms}`), Number(ms));
  });
  unixctl.register('test/fatal', '', 0, 0, () => {
    setImmediate(() => onFatal(new TapswitchError('E_TEST', 'the switch broke')));
    return '';
  });
  return { ready: Promise.resolve(), close: async () => {} };
}

const io = processIo('tapswitch');
process.exit(
  await runDaemonCommand('vswitchd', process.argv.slice(2), io, async () => startIdleSwitch),
);
