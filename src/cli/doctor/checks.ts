/**
 * What `tapswitch doctor` looks at. Each check asks the machine and says what is wrong, and what to
 * do about it; none changes anything.
 */
import { accessSync, constants, readdirSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { directories } from '../daemon/dirs.js';
import { machineProbes, preflight } from '../daemon/preflight.js';

export type Severity = 'ok' | 'warning' | 'problem';

export interface Finding {
  check: string;
  severity: Severity;
  message: string;
  hint?: string;
}

/** How the machine is asked; tests have their own. */
export interface Machine {
  env: NodeJS.ProcessEnv;
  kernel: string;
  node: string;
  /** A file's text, or null. */
  read(path: string): string | null;
  /** Names in a directory; none where there is no such directory. */
  list(path: string): string[];
  writable(path: string): boolean;
  /** Problems that stop the switch from starting. */
  preflight(): { code: string; message: string; hint?: string }[];
}

export function thisMachine(env: NodeJS.ProcessEnv): Machine {
  return {
    env,
    kernel: release(),
    node: process.versions.node,
    read: (path) => {
      try {
        return readFileSync(path, 'utf8');
      } catch {
        return null;
      }
    },
    list: (path) => {
      try {
        return readdirSync(path);
      } catch {
        return [];
      }
    },
    writable: (path) => {
      try {
        accessSync(path, constants.W_OK);
        return true;
      } catch {
        return false;
      }
    },
    preflight: () => preflight(machineProbes),
  };
}

type Check = (machine: Machine) => Finding | Finding[];

const ok = (check: string, message: string): Finding => ({ check, severity: 'ok', message });

/** 'major.minor' of a version as a number that can be compared. */
function version(text: string): number {
  const [major = 0, minor = 0] = text.split('.').map((part) => Number.parseInt(part, 10) || 0);
  return major * 1000 + minor;
}

const checkKernel: Check = ({ kernel }) => {
  const check = 'kernel';
  if (version(kernel) < version('4.11')) {
    return {
      ...{ check, severity: 'problem', message: `Linux ${kernel} is too old` },
      hint: 'use Linux 4.11 or newer, 6.6 or newer best',
    };
  }
  if (version(kernel) < version('6.6')) {
    return {
      ...{ check, severity: 'warning' },
      message: `Linux ${kernel} has no tcx: packets are kept from the host by a clsact filter`,
      hint: 'nothing needs to be done; Linux 6.6 or newer has tcx',
    };
  }
  return ok(check, `Linux ${kernel}`);
};

const checkNode: Check = ({ node }) => {
  if (version(node) >= version('20.19')) return ok('node', `Node.js ${node}`);
  return {
    ...{ check: 'node', severity: 'problem', message: `Node.js ${node} is too old` },
    hint: 'install 20.19 or newer, for example from https://deb.nodesource.com',
  };
};

const checkPreflight: Check = (machine) => {
  const problems = machine.preflight();
  const has = (codes: string[]): boolean => problems.some(({ code }) => codes.includes(code));
  const findings: Finding[] = problems.map(({ code, message, hint }) => {
    return { check: CHECK_OF_CODE[code] ?? 'start', severity: 'problem', message, hint };
  });
  if (!has(['E_ADDON_MISSING'])) findings.push(ok('addon', 'the native addon loads'));
  if (!has(['E_NO_CAPABILITY'])) {
    findings.push(ok('capabilities', 'CAP_NET_ADMIN and CAP_NET_RAW'));
  }
  if (!has(['E_NO_TUN', 'E_TUN_ACCESS'])) findings.push(ok('tun', '/dev/net/tun opens'));
  return findings;
};

const CHECK_OF_CODE: Readonly<Record<string, string>> = {
  E_ADDON_MISSING: 'addon',
  E_NO_CAPABILITY: 'capabilities',
  E_NO_TUN: 'tun',
  E_TUN_ACCESS: 'tun',
  E_TOO_FEW_FILES: 'files',
};

const checkDirectories: Check = (machine) => {
  const { runDir, logDir, dbDir } = directories(machine.env);
  const wanted = { OVS_RUNDIR: runDir, OVS_LOGDIR: logDir, OVS_DBDIR: dbDir };
  return Object.entries(wanted).map(([variable, path]) => {
    // What does not exist is made: then its parent counts.
    let place = path;
    while (place !== '/' && machine.list(place).length === 0 && !machine.writable(place)) {
      place = join(place, '..');
      if (machine.list(place).length > 0) break;
    }
    if (machine.writable(place)) return ok('directories', `${path} can be written`);
    return {
      ...{ check: 'directories', severity: 'problem' as const },
      message: `${path} cannot be written`,
      hint: `run as root, or set ${variable} to another directory`,
    };
  });
};

/** Daemons of this kind that run: who has the interfaces, and the run directory. */
const checkDaemons: Check = (machine) => {
  const check = 'other daemons';
  const found: string[] = [];
  for (const pid of machine.list('/proc').filter((name) => /^\d+$/.test(name))) {
    const comm = machine.read(`/proc/${pid}/comm`)?.trim();
    if (comm === 'ovs-vswitchd' || comm === 'ovsdb-server') found.push(`${comm} (pid ${pid})`);
  }
  const pidFile = join(directories(machine.env).runDir, 'ovs-vswitchd.pid');
  const own = machine.read(pidFile)?.trim();
  const alive = own !== undefined && machine.read(`/proc/${own}/comm`) !== null;
  const message = `a switch runs with this run directory (pid ${own})`;
  const findings: Finding[] = alive ? [{ check, severity: 'ok', message }] : [];
  const others = found.filter((text) => !text.includes(`pid ${own})`));
  if (others.length > 0) {
    findings.push({
      ...{ check, severity: 'warning', message: `also running: ${others.join(', ')}` },
      hint: 'two switches must not have one interface, nor one run directory: set OVS_RUNDIR',
    });
  }
  return findings.length > 0 ? findings : ok(check, 'none runs');
};

const checkKernelModule: Check = (machine) => {
  if (machine.read('/sys/module/openvswitch/initstate') === null) return [];
  const users = Number(machine.read('/sys/module/openvswitch/refcnt')?.trim() ?? 0);
  if (users === 0) return ok('kernel datapath', 'the openvswitch module is loaded and not in use');
  return {
    ...{ check: 'kernel datapath', severity: 'warning' },
    message: 'the openvswitch kernel module is in use: an ovs-vswitchd has interfaces there',
    hint: "interfaces of its bridges cannot be this switch's: ovs-vsctl show names them",
  };
};

/** Frames that netfilter sees on bridges of the kernel do not pass through here; others do. */
const checkSysctls: Check = (machine) => {
  const number = (name: string): number =>
    Number(machine.read(`/proc/sys/${name.replaceAll('.', '/')}`)?.trim() ?? Number.NaN);
  const findings: Finding[] = [];
  if (number('net.core.bpf_jit_enable') === 0) {
    findings.push({
      ...{ check: 'sysctl', severity: 'warning' },
      message: 'net.core.bpf_jit_enable is 0: the filter at each interface is interpreted',
      hint: 'sysctl -w net.core.bpf_jit_enable=1',
    });
  }
  const files = machine.read('/proc/self/limits')?.match(/^Max open files\s+(\d+)/m)?.[1];
  if (files !== undefined && Number(files) < 1024) {
    findings.push({
      ...{ check: 'limits', severity: 'warning' },
      message: `only ${files} files may be open: each port and connection takes some`,
      hint: 'ulimit -n 65536',
    });
  }
  return findings.length > 0 ? findings : ok('sysctl', 'nothing stands in the way');
};

/** A container's or service's share of the CPUs: forwarding waits when it is used up. */
const checkCpu: Check = (machine) => {
  const quota = machine.read('/sys/fs/cgroup/cpu.max')?.trim().split(' ') ?? [];
  const [used, period] = quota.map(Number);
  if (!(used > 0 && period > 0)) return ok('cpu', 'no limit on CPU time');
  const cpus = (used / period).toFixed(1);
  return {
    ...{ check: 'cpu', severity: 'warning' },
    message: `CPU time is limited to ${cpus} CPUs: a forwarding worker that uses it up is stopped`,
    hint: 'give the container one CPU more than it has workers (other_config:pmd-cpu-mask)',
  };
};

/** Interfaces whose settings surprise: what bridges them should know. */
const checkInterfaces: Check = (machine) => {
  const check = 'interfaces';
  const findings: Finding[] = [];
  for (const name of machine.list('/sys/class/net')) {
    const dir = `/sys/class/net/${name}`;
    const flags = Number(machine.read(`${dir}/flags`)?.trim() ?? 0);
    if ((flags & 8) !== 0) continue;
    if (machine.list(`${dir}/brport`).length > 0) {
      findings.push({
        ...{ check, severity: 'warning', message: `${name} is in a bridge of the kernel` },
        hint: `ip link set dev ${name} nomaster, before it becomes a port of this switch`,
      });
    }
    if (machine.list(`${dir}/wireless`).length > 0) {
      findings.push({
        ...{ check, severity: 'warning' },
        message: `${name} is wireless: access points drop frames from other addresses than its own`,
        hint: 'use it for one host alone, or another interface',
      });
    }
  }
  return findings.length > 0 ? findings : ok(check, 'none that would surprise');
};

const CHECKS: readonly Check[] = [
  checkKernel,
  checkNode,
  checkPreflight,
  checkDirectories,
  checkDaemons,
  checkKernelModule,
  checkSysctls,
  checkCpu,
  checkInterfaces,
];

/** Everything that was found, good and bad, in a fixed order. */
export function examine(machine: Machine): Finding[] {
  return CHECKS.flatMap((check) => check(machine));
}
