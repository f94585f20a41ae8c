/**
 * `tapswitch openflowd BRIDGE [CONTROLLER...]`: one bridge without a database; its ports and
 * controllers are on the command line.
 *
 *     tapswitch openflowd br0 tcp:127.0.0.1 --ports=eth1,eth2
 *
 * BRIDGE.mgmt in the run directory takes ofctl's connections. Nothing is kept: what the daemon
 * made goes when it ends. Not for: bonds, VLANs, several bridges (start, vswitchd).
 */
import { join, resolve } from 'node:path';
import { registerLogModules } from '../../common/log-modules.js';
import type { TlsFiles } from '../../common/tls.js';
import { type DaemonContext, runDaemon, type Service } from '../daemon/life.js';
import {
  applyDaemonOption,
  DAEMON_OPTIONS,
  type DaemonFlags,
  daemonOptionsUsage,
  defaultFlags,
} from '../daemon/options.js';
import { preflight } from '../daemon/preflight.js';
import { getopt, type OptionSpec, UsageError } from '../getopt.js';
import { type CliIo, printError } from '../io.js';
import { loadPart } from '../load-part.js';
import { parseVersions } from '../openflow-versions.js';
import { versionText } from '../version.js';
import type { StandaloneSettings } from './bridge.js';

const PROGRAM = 'ovs-openflowd';

interface OpenflowdFlags extends StandaloneSettings {
  daemon: DaemonFlags;
}

const OPTIONS: readonly OptionSpec[] = [
  { name: 'ports', arg: 'required' },
  { name: 'datapath-id', arg: 'required' },
  { name: 'fail', arg: 'required' },
  { name: 'protocols', short: 'O', arg: 'required' },
  { name: 'max-backoff', arg: 'required' },
  { name: 'inactivity-probe', arg: 'required' },
  { name: 'in-band', arg: 'none' },
  { name: 'private-key', short: 'p', arg: 'required' },
  { name: 'certificate', short: 'c', arg: 'required' },
  { name: 'ca-cert', short: 'C', arg: 'required' },
  { name: 'bootstrap-ca-cert', arg: 'required' },
  ...DAEMON_OPTIONS,
];
const NAME_BYTES_MAX = 15;

type Request = { kind: 'help' | 'version' } | { kind: 'run'; flags: OpenflowdFlags };

function seconds(option: string, value: string): number {
  if (!/^\d+$/.test(value))
    throw new UsageError(`--${option} argument must be a number of seconds`);
  return Number(value) * 1000;
}

function setOption(flags: OpenflowdFlags, name: string, value: string): boolean {
  switch (name) {
    case 'ports':
      flags.ports.push(...value.split(',').filter((port) => port !== ''));
      return true;
    case 'datapath-id':
      if (!/^[0-9a-fA-F]{12}$|^[0-9a-fA-F]{16}$/.test(value)) {
        throw new UsageError('argument to --datapath-id must be 12 or 16 hex digits');
      }
      flags.datapathId = BigInt(`0x${value}`);
      return true;
    case 'fail':
      if (value !== 'standalone' && value !== 'secure') {
        throw new UsageError('--fail argument must be "standalone" or "secure"');
      }
      flags.failMode = value;
      return true;
    case 'protocols':
      flags.versions = parseVersions(value);
      return true;
    case 'max-backoff':
      flags.maxBackoffMs = seconds(name, value);
      return true;
    case 'inactivity-probe':
      flags.inactivityProbeMs = seconds(name, value);
      return true;
    case 'in-band':
      flags.inBand = true;
      return true;
    default:
      return setKey(flags, name, value);
  }
}

/** Names of files are taken from where the command was given. */
function setKey(flags: OpenflowdFlags, name: string, value: string): boolean {
  const file = resolve(value);
  const keys: Readonly<Record<string, TlsFiles>> = {
    'private-key': { privateKey: file },
    certificate: { certificate: file },
    'ca-cert': { caCert: file, bootstrap: false },
    'bootstrap-ca-cert': { caCert: file, bootstrap: true },
  };
  flags.tls = { ...flags.tls, ...keys[name] };
  return name in keys;
}

function parse(argv: string[], env: NodeJS.ProcessEnv): Request {
  const { options, args } = getopt(argv, OPTIONS, true);
  const flags: OpenflowdFlags = {
    ...{ daemon: defaultFlags(PROGRAM, env), bridge: '', controllers: [], ports: [] },
    ...{ datapathId: null, failMode: 'standalone', versions: [] },
    ...{ maxBackoffMs: 8000, inactivityProbeMs: 5000, inBand: false, tls: {} },
  };
  for (const option of options) {
    const { name } = option;
    if (name === 'help' || name === 'version') return { kind: name };
    if (!setOption(flags, name, option.value ?? '')) applyDaemonOption(flags.daemon, option);
  }
  const [bridge, ...controllers] = args;
  if (bridge === undefined) throw new UsageError('need the name of a bridge; use --help for usage');
  if (Buffer.byteLength(bridge) > NAME_BYTES_MAX || bridge.includes('/')) {
    throw new UsageError(`${bridge}: not a name that a network device can have`);
  }
  const wrong = controllers.find((c) => !/^(tcp|unix|ptcp|punix|ssl|pssl):/.test(c));
  if (wrong !== undefined) throw new UsageError(`${wrong}: not a controller (use tcp:HOST[:PORT])`);
  return { kind: 'run', flags: { ...flags, bridge, controllers } };
}

/** Makes the bridge. @throws TapswitchError, with everything undone */
async function startBridge(flags: OpenflowdFlags, context: DaemonContext): Promise<Service> {
  const { StandaloneBridge } = await loadPart('a part of the switch', () => import('./bridge.js'));
  const bridge = new StandaloneBridge(flags, context);
  try {
    await bridge.open(join(flags.daemon.dirs.runDir, `${flags.bridge}.mgmt`));
  } catch (error) {
    await bridge.close();
    throw error;
  }
  return bridge;
}

async function runBridge(flags: OpenflowdFlags, io: CliIo): Promise<number> {
  registerLogModules();
  const problems = preflight();
  for (const problem of problems) printError(io, problem);
  if (problems.length > 0) return 1;
  return runDaemon(flags.daemon, io, (context) => startBridge(flags, context));
}

/** Runs `openflowd ARGV`. */
export async function runOpenflowd(argv: string[], io: CliIo): Promise<number> {
  try {
    const request = parse(argv, io.env);
    if (request.kind === 'run') return await runBridge(request.flags, io);
    io.stdout.write(request.kind === 'help' ? usage(io) : versionText(PROGRAM));
    return 0;
  } catch (error) {
    if (error instanceof UsageError) io.stderr.write(`${io.programName}: ${error.message}\n`);
    else printError(io, error);
    return 1;
  }
}

function usage({ programName, env }: CliIo): string {
  return `${programName}: an OpenFlow switch without database
usage: ${programName} [OPTIONS] BRIDGE [CONTROLLER...]
where each CONTROLLER is tcp:HOST[:PORT], ssl:HOST[:PORT] or unix:FILE, or to wait for one
ptcp:[PORT][:IP], pssl:[PORT][:IP] or punix:FILE.
Without controllers the bridge switches by itself.

  --ports=PORT[,PORT...]  network devices to be ports 1, 2, ...
  --datapath-id=ID        12 or 16 hex digits (default: the bridge's address)
  --fail=standalone       switch by itself while no controller answers (default)
  --fail=secure           do only what the flow tables say
  -O, --protocols=LIST    OpenFlow versions to speak (default: all)
  --max-backoff=SECS      longest wait between attempts to connect (default: 8)
  --inactivity-probe=SECS silence after which a controller is asked for an echo (default: 5)
  --in-band               controllers are behind the bridge's own ports

Keys for ssl: and pssl: controllers:
  -p, --private-key=FILE  file with private key
  -c, --certificate=FILE  file with certificate for private key
  -C, --ca-cert=FILE      file with peer CA certificate
  --bootstrap-ca-cert=FILE  the same, written on the first connection
${daemonOptionsUsage(defaultFlags(PROGRAM, env))}`;
}
