/**
 * dpctl/*: datapaths and their ports. Bridges own both: what would make or take a whole datapath,
 * or add a port, is refused with what to do instead. A port that is taken out comes back when its
 * bridge is configured next.
 */
import type { OfprotoRegistry } from '../registry.js';
import { ANY_ARGS, type OfprotoCommand } from './command.js';
import { type DpctlRun, dpctlCommand, portNames } from './dpctl-run.js';

const TYPES = new Set(['netdev', 'dummy', 'system', '']);

function addDp(run: DpctlRun, [name]: string[]): boolean {
  if (run.find(name) !== null) return run.fail('add_dp', 'EEXIST');
  const type = name.includes('@') ? name.slice(0, name.indexOf('@')) : '';
  if (!TYPES.has(type)) return run.fail('add_dp', 'EAFNOSUPPORT');
  return run.fail('add_dp: datapaths come with their bridges (ovs-vsctl add-br)', 'EOPNOTSUPP');
}

function delDp(run: DpctlRun, [name]: string[]): boolean {
  if (run.named(name) === null) return false;
  return run.fail('del_dp: datapaths go with their bridges (ovs-vsctl del-br)', 'EOPNOTSUPP');
}

function addIf(run: DpctlRun, [dp, ...wishes]: string[]): boolean {
  const backer = run.named(dp);
  if (backer === null) return false;
  for (const wish of wishes) {
    const [name] = wish.split(',').filter((part) => part !== '');
    if (name === undefined) run.fail(`${wish} is not a valid network device name`);
    else if (portNames(backer).portNo(name) !== null) {
      run.fail(`adding ${name} to ${dp} failed`, 'EEXIST');
    } else {
      const instead = 'ports are added to bridges (ovs-vsctl add-port)';
      run.fail(`adding ${name} to ${dp} failed: ${instead}`, 'EOPNOTSUPP');
    }
  }
  return false;
}

/** Takes ports out of the datapath, and so out of their bridges. */
function delIf(run: DpctlRun, [dp, ...names]: string[]): boolean {
  const backer = run.named(dp);
  if (backer === null) return false;
  let done = true;
  for (const name of names) {
    const number = /^\d+$/.test(name) ? Number(name) : portNames(backer).portNo(name);
    const port = number === null ? null : backer.portByOdp(number);
    if (number === null) done = run.fail(`no port named ${name}`);
    else if (port === null) done = run.fail(`deleting port ${name} from ${dp} failed`, 'ENODEV');
    else port.ofproto.portDel(port.ofPort);
  }
  return done;
}

/** Checks what is asked of ports. Other options than these two have no effect on any device. */
function setIf(run: DpctlRun, [dp, ...wishes]: string[]): boolean {
  const backer = run.named(dp);
  if (backer === null) return false;
  let done = true;
  for (const wish of wishes) {
    const [name, ...options] = wish.split(',').filter((part) => part !== '');
    const port = [...backer.dpif.ports()].find((other) => other.name === name);
    if (name === undefined) run.fail(`${wish} is not a valid network device name`);
    else if (port === undefined)
      done = run.fail(`${name}: failed to query port in ${dp}`, 'ENODEV');
    else if (!options.every((option) => keeps(run, port, option))) done = false;
  }
  return done;
}

function keeps(
  run: DpctlRun,
  { name, type, portNo }: { name: string; type: string; portNo: number },
  option: string,
): boolean {
  const [key, value = ''] = option.split(/=(.*)/s);
  const wanted = Number.parseInt(value, 10) || 0;
  if (key === 'type' && value !== type) {
    return run.fail(`${name}: can't change type from ${type} to ${value}`);
  }
  if (key === 'port_no' && wanted !== portNo) {
    return run.fail(`${name}: can't change port number from ${portNo} to ${wanted}`);
  }
  return true;
}

export function dpctlPortCommands(registry: OfprotoRegistry): OfprotoCommand[] {
  return [
    dpctlCommand(registry, ['add-dp', 'dp [iface...]', 1, ANY_ARGS], addDp),
    dpctlCommand(registry, ['del-dp', 'dp', 1, 1], delDp),
    dpctlCommand(registry, ['add-if', 'dp iface...', 2, ANY_ARGS], addIf),
    dpctlCommand(registry, ['del-if', 'dp iface...', 2, ANY_ARGS], delIf),
    dpctlCommand(registry, ['set-if', 'dp iface...', 2, ANY_ARGS], setIf),
  ];
}
