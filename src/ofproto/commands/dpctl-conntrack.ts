/**
 * dpctl/*: connections, their limits, and fragments.
 *
 * The datapath tracks no connections and puts no fragments together: arguments are checked as Open
 * vSwitch checks them, and what is asked for is answered as for a datapath without such a thing.
 */
import type { OfprotoRegistry } from '../registry.js';
import { ANY_ARGS, type OfprotoCommand } from './command.js';
import { type DpctlHandler, type DpctlRun, dpctlCommand } from './dpctl-run.js';

const NUMBER = /^\s*\d+/;
const ZONE = /^zone=\s*\d+/;
const ANSWERS = 'EOPNOTSUPP';

/** Address, protocol and port of a connection, as flush-conntrack takes them. */
const TUPLE_FIELDS: Readonly<Record<string, RegExp>> = {
  ct_nw_src: /^\d+\.\d+\.\d+\.\d+$/,
  ct_nw_dst: /^\d+\.\d+\.\d+\.\d+$/,
  ct_ipv6_src: /^[\da-fA-F:.]+$/,
  ct_ipv6_dst: /^[\da-fA-F:.]+$/,
  ct_nw_proto: /^\d+$/,
  ct_tp_src: /^\d+$/,
  ct_tp_dst: /^\d+$/,
  icmp_type: /^\d+$/,
  icmp_code: /^\d+$/,
  icmp_id: /^\d+$/,
};

/** Checks the words behind the datapath's name; true when it printed an error. */
type Check = (run: DpctlRun, args: readonly string[]) => boolean;

function complain(run: DpctlRun, text: string): boolean {
  return !run.fail(text, 'EINVAL');
}

function lastNumber(what: string): Check {
  return (run, args) => !NUMBER.test(args.at(-1) ?? '') && complain(run, what);
}

/** A protocol version `fromEnd` words from the end. */
function version(fromEnd: number, what: string): Check {
  return (run, args) => !/^\s*v[46]/.test(args.at(-fromEnd) ?? '') && complain(run, what);
}

function fragmentSize(run: DpctlRun, args: readonly string[]): boolean {
  const which = version(2, 'parameter missing: v4 for IPv4 or v6 for IPv6');
  return which(run, args) || lastNumber('parameter missing for minimum fragment size')(run, args);
}

function pairs(text: string): [string, string][] {
  return text
    .split(/[,\s]+/)
    .filter((part) => part !== '')
    .map((part) => {
      const at = part.search(/[=(]/);
      return at < 0 ? [part, ''] : [part.slice(0, at), part.slice(at + 1).replace(/\)$/, '')];
    });
}

/** What is wrong with `zone=N,limit=L`; null: nothing. */
function zoneLimitFault(text: string): string | null {
  const seen = new Set<string>();
  for (const [key, value] of pairs(text)) {
    if (value === '') return `field ${key} missing value`;
    if (key !== 'zone' && key !== 'limit') return `invalid zone limit field: ${key}`;
    if (!/^\d+$/.test(value)) return `failed to parse field ${key}`;
    seen.add(key);
  }
  return seen.size === 2 ? null : 'failed to parse zone limit';
}

function limits(run: DpctlRun, args: readonly string[]): boolean {
  const words = run.find(args[0]) === null ? [...args] : args.slice(1);
  if (words[0]?.startsWith('default=')) {
    if (!/^default=\s*\d+/.test(words[0])) return complain(run, 'invalid default limit');
    words.shift();
  }
  const fault = words.map(zoneLimitFault).find((one) => one !== null);
  return fault !== undefined && fault !== null && complain(run, fault);
}

function zones(run: DpctlRun, args: readonly string[]): boolean {
  const text = run.find(args[0]) === null ? args[0] : args[1];
  if (text === undefined) return false;
  if (!text.startsWith('zone=')) return complain(run, `invalid argument ${text}`);
  const bad = text
    .slice(5)
    .split(',')
    .some((zone) => !NUMBER.test(zone));
  return bad && complain(run, 'invalid zone');
}

/** What is wrong with `ct_nw_src=...,ct_nw_proto=...`; null: nothing. */
function tupleFault(text: string): string | null {
  for (const [key, value] of pairs(text)) {
    if (value === '') return `field ${key} missing value`;
    const form = TUPLE_FIELDS[key];
    if (form === undefined) return `invalid conntrack tuple field: ${key}`;
    if (!form.test(value)) return `failed to parse field ${key}`;
  }
  return null;
}

function flush(run: DpctlRun, args: string[]): boolean {
  const words = run.find(args[0]) === null ? [...args] : args.slice(1);
  if (words[0]?.startsWith('zone=')) {
    if (!ZONE.test(words[0])) return run.fail('failed to parse zone', 'EINVAL');
    words.shift();
  }
  for (const tuple of words.splice(0, 2)) {
    const fault = tupleFault(tuple);
    if (fault !== null) return run.fail(fault, 'EINVAL');
  }
  if (words.length > 0) return run.fail('invalid arguments', 'EINVAL');
  if (run.open(args, 4) === null) return run.fail('Cannot open dpif', 'EINVAL');
  return run.fail('failed to flush conntrack', ANSWERS);
}

/** Opens the datapath, checks the arguments, and says that it has no such thing. */
function absent(argsMax: number, text: string, check: Check | null = null): DpctlHandler {
  return (run, args) => {
    if (run.open(args, argsMax) === null) return false;
    if (check?.(run, args)) return false;
    return run.fail(text, ANSWERS);
  };
}

/** As `absent`, for commands whose last words may be something else than a datapath. */
function dump(option: RegExp): DpctlHandler {
  const answer = absent(1, 'starting conntrack dump');
  return (run, args) => {
    const left = [...args];
    while (left.length > 0 && option.test(left[left.length - 1])) left.pop();
    return answer(run, left);
  };
}

function limitsUnread(run: DpctlRun, args: string[]): boolean {
  if (run.open(args, 2) === null || zones(run, args)) return false;
  return run.fail('failed to get conntrack limit Operation not supported', ANSWERS);
}

/** Of Open vSwitch, in its order. */
export function conntrackCommands(registry: OfprotoRegistry): {
  connections: OfprotoCommand[];
  details: OfprotoCommand[];
} {
  const command = (name: string, usage: string, min: number, max: number, run: DpctlHandler) =>
    dpctlCommand(registry, [name, usage, min, max], run);
  const reassembly = "parameter missing: 'v4' for IPv4 or 'v6' for IPv6";
  const setLimits = absent(ANY_ARGS, 'failed to set conntrack limit', limits);
  const delLimits = absent(2, 'failed to delete conntrack limit', zones);
  const fragmentsOn = absent(3, 'enabling fragmentation reassembly failed', version(1, reassembly));
  const fragmentsOff = absent(
    3,
    'disabling fragmentation reassembly failed',
    version(1, reassembly),
  );
  const minFragment = absent(
    3,
    'requested minimum fragment size too small; see documentation',
    fragmentSize,
  );
  const fragments = absent(
    2,
    'setting maximum fragments failed',
    lastNumber('parameter missing for maximum fragments'),
  );
  const maxConns = absent(2, 'ct set maxconns failed', lastNumber('maxconns missing or malformed'));
  const tuples = '[dp] [zone=N] [ct-orig-tuple] [ct-reply-tuple]';
  return {
    connections: [
      command('dump-conntrack', '[-m] [-s] [dp] [zone=N]', 0, 4, dump(ZONE)),
      command('flush-conntrack', tuples, 0, 4, flush),
    ],
    details: [
      command('ct-stats-show', '[dp] [zone=N]', 0, 3, dump(/^(verbose|zone=\s*\d)/)),
      command('ct-bkts', '[dp] [gt=N]', 0, 2, dump(/^gt=\s*\d/)),
      command('ct-set-maxconns', '[dp] maxconns', 1, 2, maxConns),
      command('ct-get-maxconns', '[dp]', 0, 1, absent(1, 'maxconns could not be retrieved')),
      command('ct-get-nconns', '[dp]', 0, 1, absent(1, 'nconns could not be retrieved')),
      ...(['enable', 'disable'] as const).map((verb) => {
        const text = `${verb.slice(0, -1)}ing TCP sequence checking failed`;
        return command(`ct-${verb}-tcp-seq-chk`, '[dp]', 0, 1, absent(2, text));
      }),
      command(
        ...(['ct-get-tcp-seq-chk', '[dp]', 0, 1] as const),
        absent(1, 'TCP sequence checking query failed'),
      ),
      command('ct-set-limits', '[dp] [default=L] [zone=N,limit=L]...', 1, ANY_ARGS, setLimits),
      command('ct-del-limits', '[dp] zone=N1[,N2]...', 1, 2, delLimits),
      command('ct-get-limits', '[dp] [zone=N1[,N2]...]', 0, 2, limitsUnread),
      command('ipf-set-enabled', '[dp] v4|v6', 1, 2, fragmentsOn),
      command('ipf-set-disabled', '[dp] v4|v6', 1, 2, fragmentsOff),
      command('ipf-set-min-frag', '[dp] v4|v6 minfragment', 2, 3, minFragment),
      command('ipf-set-max-nfrags', '[dp] maxfrags', 1, 2, fragments),
      command('ipf-get-status', '[dp]', 0, 1, absent(1, 'ipf status could not be retrieved')),
    ],
  };
}
