/**
 * Control commands about devices: dummies driven by tests (netdev-dummy/...).
 */
import { DummyNetdev, type NetdevRegistry } from '../netdev/index.js';
import { UnixctlError, type UnixctlServer } from '../unixctl/index.js';

function dummyNamed(netdevs: NetdevRegistry, name: string): DummyNetdev {
  const netdev = netdevs.get(name);
  if (netdev instanceof DummyNetdev) return netdev;
  throw new UnixctlError(`no such dummy netdev`);
}

/** 'up' and the like -> true; anything else is an error in Open vSwitch's words. */
function parseState(text: string): boolean {
  if (text === 'up') return true;
  if (text === 'down') return false;
  throw new UnixctlError('Invalid Admin State');
}

export function registerNetdevCommands(unixctl: UnixctlServer, netdevs: NetdevRegistry): void {
  unixctl.register('netdev-dummy/set-admin-state', '[netdev] up|down', 1, 2, (_command, args) => {
    const up = parseState(args[args.length - 1]);
    if (args.length === 2) dummyNamed(netdevs, args[0]).setAdminUp(up);
    else {
      for (const netdev of netdevs.devices()) {
        if (netdev instanceof DummyNetdev) netdev.setAdminUp(up);
      }
    }
    return 'OK';
  });
  unixctl.register('netdev-dummy/conn-state', '[netdev]', 0, 1, (_command, args) => {
    if (args.length === 1) return netdevs.dummyConnState(args[0]);
    const names = netdevs.devices().filter((netdev) => netdev instanceof DummyNetdev);
    return names.map(({ name }) => `${name}: ${netdevs.dummyConnState(name)}`).join('\n');
  });
}
