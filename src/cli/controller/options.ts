/**
 * The options of `tapswitch controller`, which are those of ovs-testcontroller(8).
 */
import { readFileSync } from 'node:fs';
import { errorMessage } from '../../common/errors.js';
import { LEARNING_DEFAULTS, type LearningSwitchOptions } from '../../openflow/learning-switch.js';
import type { FlowMod } from '../../openflow/messages.js';
import { parseFlow } from '../../openflow/syntax/flow-parse.js';
import { NO_NAMES } from '../../openflow/syntax/names.js';
import { FlowSyntaxError } from '../../openflow/syntax/scan.js';
import {
  applyDaemonOption,
  DAEMON_OPTIONS,
  type DaemonFlags,
  daemonOptionsUsage,
  defaultFlags,
} from '../daemon/options.js';
import { getopt, type OptionSpec, UsageError } from '../getopt.js';
import { parseVersions } from '../openflow-versions.js';

export const PROGRAM = 'ovs-testcontroller';

export interface ControllerFlags {
  daemon: DaemonFlags;
  /** ptcp:, punix:, tcp:, unix:. */
  methods: string[];
  versions: number[];
  learning: LearningSwitchOptions;
}

export type ControllerRequest =
  | { kind: 'help' | 'version' }
  | { kind: 'run'; flags: ControllerFlags };

const OPTIONS: readonly OptionSpec[] = [
  { name: 'hub', short: 'H', arg: 'none' },
  { name: 'noflow', short: 'n', arg: 'none' },
  { name: 'normal', short: 'N', arg: 'none' },
  { name: 'wildcards', short: 'w', arg: 'optional' },
  { name: 'max-idle', arg: 'required' },
  { name: 'mute', arg: 'none' },
  { name: 'queue', short: 'q', arg: 'required' },
  { name: 'with-flows', arg: 'required' },
  { name: 'protocols', short: 'O', arg: 'required' },
  ...DAEMON_OPTIONS,
];

/** How a switch is met. */
export const METHOD = /^(ptcp|punix|tcp|unix):(.*)$/;

/** 1.0, 1.3, 1.4 and 1.5. */
const VERSIONS_DEFAULT = [1, 4, 5, 6];

function maxIdle(text: string): number {
  if (text === 'permanent') return 0;
  const seconds = /^\d+$/.test(text) ? Number(text) : 0;
  if (seconds < 1 || seconds > 65535) {
    throw new UsageError('--max-idle argument must be between 1 and 65535 or the word "permanent"');
  }
  return seconds;
}

function readFlows(file: string): FlowMod[] {
  let text: string;
  try {
    text = readFileSync(file, 'latin1');
  } catch (error) {
    throw new UsageError(`${file}: open failed (${errorMessage(error)})`);
  }
  return text.split('\n').flatMap((line, i) => {
    const code = line.replace(/#.*$/, '');
    if (code.trim() === '') return [];
    try {
      return [parseFlow(code, 'file', NO_NAMES).flow];
    } catch (error) {
      if (!(error instanceof FlowSyntaxError)) throw error;
      throw new UsageError(`${file}:${i + 1}: ${error.message}`);
    }
  });
}

/** Reads the command line. @throws UsageError */
export function parseControllerOptions(argv: string[], env: NodeJS.ProcessEnv): ControllerRequest {
  const { options, args } = getopt(argv, OPTIONS, true);
  const daemon = defaultFlags(PROGRAM, env);
  const learning: LearningSwitchOptions = { ...LEARNING_DEFAULTS };
  let versions = VERSIONS_DEFAULT;
  for (const option of options) {
    const value = option.value ?? '';
    switch (option.name) {
      case 'help':
      case 'version':
        return { kind: option.name };
      case 'hub':
        learning.mode = 'hub';
        break;
      case 'normal':
        learning.mode = 'normal';
        break;
      case 'noflow':
        learning.setUpFlows = false;
        break;
      case 'max-idle':
        learning.idleTimeoutSec = maxIdle(value);
        break;
      case 'mute':
        learning.mute = true;
        break;
      case 'queue':
        learning.queue = Number(value) >>> 0;
        break;
      case 'with-flows':
        learning.flows = readFlows(value);
        break;
      case 'protocols':
        versions = parseVersions(value);
        break;
      case 'wildcards':
        break;
      default:
        applyDaemonOption(daemon, option);
    }
  }
  if (args.length === 0) {
    throw new UsageError('need at least one vconn argument (--help for help)');
  }
  const wrong = args.find((method) => !METHOD.test(method));
  if (wrong !== undefined) throw new UsageError(`${wrong}: unknown connection method`);
  return { kind: 'run', flags: { daemon, methods: args, versions, learning } };
}

export function controllerUsage(program: string, env: NodeJS.ProcessEnv): string {
  return `${program}: an OpenFlow controller that makes switches learn, for trying things out
usage: ${program} [OPTIONS] METHOD...
where METHOD is
  ptcp:[PORT][:IP]        wait for switches on TCP (default port: 6653)
  punix:FILE              wait for switches on a Unix domain socket
  tcp:HOST[:PORT]         connect to a switch that listens
  unix:FILE               connect to a switch's socket, such as BRIDGE.mgmt

What switches do:
  -H, --hub               send every packet to every port
  -n, --noflow            forward packets one by one, set up no flows
  -N, --normal            let the switch itself learn
  --max-idle=SECS         flows go after SECS seconds without packets, or 'permanent' (60)
  -q, --queue=QUEUE       use QUEUE for packets to known stations
  --with-flows=FILE       add the flows in FILE to every switch first
  --mute                  accept connections and say nothing
  -O, --protocols=LIST    OpenFlow versions (default: OpenFlow10,OpenFlow13,OpenFlow14,OpenFlow15)
${daemonOptionsUsage(defaultFlags(PROGRAM, env))}`;
}
