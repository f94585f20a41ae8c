/**
 * The options of `tapswitch controller`, which are those of ovs-testcontroller(8).
 */
import { readFileSync } from 'node:fs';
import { errorMessage } from '../../common/errors.js';
import type { TlsFiles } from '../../common/tls.js';
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
  /** ptcp:, pssl:, punix:, tcp:, ssl:, unix:. */
  methods: string[];
  tls: { -readonly [K in keyof TlsFiles]: TlsFiles[K] };
  versions: number[];
  learning: LearningSwitchOptions;
}

export type ControllerRequest =
  | { kind: 'help' | 'version' }
  | { kind: 'run'; flags: ControllerFlags; warnings: string[] };

const OPTIONS: readonly OptionSpec[] = [
  { name: 'hub', short: 'H', arg: 'none' },
  { name: 'noflow', short: 'n', arg: 'none' },
  { name: 'normal', short: 'N', arg: 'none' },
  { name: 'wildcards', short: 'w', arg: 'optional' },
  { name: 'max-idle', arg: 'required' },
  { name: 'mute', arg: 'none' },
  { name: 'queue', short: 'q', arg: 'required' },
  { name: 'port-queue', short: 'Q', arg: 'required' },
  { name: 'with-flows', arg: 'required' },
  { name: 'protocols', short: 'O', arg: 'required' },
  ...DAEMON_OPTIONS,
  { name: 'private-key', short: 'p', arg: 'required' },
  { name: 'certificate', short: 'c', arg: 'required' },
  { name: 'ca-cert', short: 'C', arg: 'required' },
  { name: 'peer-ca-cert', arg: 'required' },
  { name: 'ssl-protocols', arg: 'required' },
  { name: 'ssl-ciphers', arg: 'required' },
];

const TLS_KEYS: Readonly<Record<string, Exclude<keyof TlsFiles, 'bootstrap'>>> = {
  'private-key': 'privateKey',
  certificate: 'certificate',
  'ca-cert': 'caCert',
  'peer-ca-cert': 'peerCaCert',
  'ssl-protocols': 'protocols',
  'ssl-ciphers': 'ciphers',
};

/** How a switch is met. */
const METHOD = /^(ptcp|pssl|punix|tcp|ssl|unix):(.*)$/;

/** 1.0 to 1.5. */
const VERSIONS_DEFAULT = [1, 2, 3, 4, 5, 6];

function maxIdle(text: string): number {
  if (text === 'permanent') return 0;
  const seconds = /^\d+$/.test(text) ? Number(text) : 0;
  if (seconds < 1 || seconds > 65535) {
    throw new UsageError('--max-idle argument must be between 1 and 65535 or the word "permanent"');
  }
  return seconds;
}

/** `PORT:QUEUE` */
function addPortQueue(queues: Map<string, number>, text: string): void {
  const [, port, queue] = /^:*([^:]+):(.*)$/.exec(text) ?? [];
  if (queue === undefined) {
    throw new UsageError(
      'argument to -Q or --port-queue should take the form "<port-name>:<queue-id>"',
    );
  }
  if (queues.has(port)) {
    throw new UsageError('<port-name> arguments for -Q or --port-queue must be unique');
  }
  queues.set(port, Number.parseInt(queue, 10) >>> 0);
}

/** Queues are for packets that the controller sends to a port of its choice. */
function checkQueues(learning: LearningSwitchOptions, warn: (text: string) => void): void {
  if (learning.queue === null && learning.portQueues.size === 0) return;
  if (learning.mode === 'normal') {
    warn('queue IDs are incompatible with -N or --normal; not using OFPP_NORMAL');
  }
  if (learning.mode === 'hub') {
    warn('queue IDs are incompatible with -H or --hub; not acting as hub');
  }
  learning.mode = 'learn';
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
  const portQueues = new Map<string, number>();
  const tls: ControllerFlags['tls'] = {};
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
      case 'port-queue':
        addPortQueue(portQueues, value);
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
        if (option.name in TLS_KEYS) tls[TLS_KEYS[option.name]] = value;
        else applyDaemonOption(daemon, option);
    }
  }
  if (args.length === 0) {
    throw new UsageError('need at least one vconn argument (--help for help)');
  }
  const wrong = args.find((method) => !METHOD.test(method));
  if (wrong !== undefined) throw new UsageError(`${wrong}: unknown connection method`);
  learning.portQueues = portQueues;
  const warnings: string[] = [];
  checkQueues(learning, (text) => warnings.push(text));
  return { kind: 'run', flags: { daemon, methods: args, versions, tls, learning }, warnings };
}

export function controllerUsage(program: string, env: NodeJS.ProcessEnv): string {
  return `${program}: an OpenFlow controller that makes switches learn, for trying things out
usage: ${program} [OPTIONS] METHOD...
where METHOD is
  ptcp:[PORT][:IP]        wait for switches on TCP (default port: 6653)
  punix:FILE              wait for switches on a Unix domain socket
  pssl:[PORT][:IP]        wait for switches on TLS (default port: 6653)
  tcp:HOST[:PORT]         connect to a switch that listens
  ssl:HOST[:PORT]         connect to a switch that listens on TLS
  unix:FILE               connect to a switch's socket, such as BRIDGE.mgmt

What switches do:
  -H, --hub               send every packet to every port
  -n, --noflow            forward packets one by one, set up no flows
  -N, --normal            let the switch itself learn
  --max-idle=SECS         flows go after SECS seconds without packets, or 'permanent' (60)
  -q, --queue=QUEUE       use QUEUE for packets to known stations
  -Q, --port-queue=PORT:QUEUE  use QUEUE for packets from the port named PORT
  -w, --wildcards[=MASK]  taken for compatibility: flows match station and port
  --with-flows=FILE       add the flows in FILE to every switch first
  --mute                  accept connections and say nothing
  -O, --protocols=LIST    OpenFlow versions (default: OpenFlow10 to OpenFlow15)

TLS:
  -p, --private-key=FILE  the private key
  -c, --certificate=FILE  the certificate of the private key
  -C, --ca-cert=FILE      the certificate of those who sign switches' certificates
  --peer-ca-cert=FILE     a CA certificate to send along, for switches that bootstrap theirs
  --ssl-protocols=LIST, --ssl-ciphers=LIST  what may be negotiated
${daemonOptionsUsage(defaultFlags(PROGRAM, env))}`;
}
