/** The registry of device types: names, dummies in place of others, errors. */
import { describe, expect, it } from 'vitest';
import { stoppedClock } from '../../../src/common/clock.js';
import { TapswitchError } from '../../../src/common/errors.js';
import { type LogSink, logHub } from '../../../src/common/log.js';
import { deviceError, openError } from '../../../src/netdev/device-error.js';
import { portFeatures } from '../../../src/netdev/ethtool-features.js';
import { hasQueues } from '../../../src/netdev/netdev.js';
import { NetdevRegistry, type NetdevRegistryOptions } from '../../../src/netdev/registry.js';

function registry(options: Partial<NetdevRegistryOptions> = {}): NetdevRegistry {
  const native = (): never => {
    throw new TapswitchError('E_ADDON_MISSING', 'not built');
  };
  return new NetdevRegistry({ clock: stoppedClock(), native, ...options });
}

describe('NetdevRegistry', () => {
  it('has the types that the mode asks for', () => {
    expect(registry().types()).toEqual(['afxdp', 'internal', 'patch', 'system', 'tap']);
    expect(registry({ dummy: 'none', disableSystem: true }).types()).toEqual([
      'dummy',
      'dummy-internal',
      'dummy-pmd',
      'internal',
      'patch',
      'tap',
    ]);
  });

  it.each([
    ['none', 'dummy', 'dummy'],
    ['system', '', 'system'],
    ['all', 'internal', 'internal'],
  ] as const)('opens dummies in mode %s', (dummy, type, shown) => {
    const devices = registry({ dummy });
    const netdev = devices.open('p1', type);
    expect(netdev.type).toBe(shown);
    expect(hasQueues(netdev)).toBe(false);
    expect(devices.get('p1')).toBe(netdev);
    netdev.close();
    expect(devices.get('p1')).toBeNull();
  });

  it.each(['system', 'all'] as const)('opens dummies where no others may be (%s)', (dummy) => {
    const netdev = registry({ dummy, disableSystem: true }).open('p1', '');
    expect(netdev.type).toBe('system');
    expect(hasQueues(netdev)).toBe(false);
  });

  it('numbers the addresses of dummies', () => {
    const devices = registry({ dummy: 'none' });
    const addresses = ['p1', 'p2'].map((name) => devices.open(name, 'dummy').etherAddr()[5]);
    expect(addresses).toEqual([0, 1]);
    expect(devices.devices().map((netdev) => netdev.name)).toEqual(['p1', 'p2']);
    devices.close();
    expect(devices.devices()).toEqual([]);
  });

  it('needs the addon for real devices only', () => {
    const devices = registry();
    expect(() => devices.open('eth0', '')).toThrow('not built');
    expect(devices.open('patch1', 'patch', { peer: 'patch2' }).patchPeer).toBe('patch2');
  });

  it.each([
    [{}, "pa: patch type requires valid 'peer' argument"],
    [{ peer: 'pb', more: '1' }, "pa: patch type takes only a 'peer' argument"],
    [{ peer: 'pa' }, 'pa: patch peer must not be self'],
  ])('refuses patch options %j', (options, text) => {
    expect(() => registry().open('pa', 'patch', options)).toThrow(text);
  });

  it('refuses a name twice, and gives it again once closed', () => {
    const devices = registry({ dummy: 'none' });
    const first = devices.open('p1', 'dummy');
    expect(() => devices.open('p1', 'dummy')).toThrow(
      'could not open network device p1 (File exists)',
    );
    first.close();
    first.close();
    expect(devices.open('p1', 'dummy')).not.toBe(first);
  });
});

describe('a type that there is not', () => {
  it('is refused in the words of Open vSwitch, and the log lists those that there are', () => {
    const lines: string[] = [];
    const sink: LogSink = {
      destination: 'file',
      write: (_sequence, module, level, message) => {
        lines.push(`${module}|${level}|${message}`);
      },
    };
    logHub.sinks.push(sink);
    try {
      expect(() => registry().open('gre0', 'gre')).toThrow(
        'could not open network device gre0 (Address family not supported by protocol)',
      );
    } finally {
      logHub.sinks.splice(logHub.sinks.indexOf(sink), 1);
    }
    expect(lines).toEqual([
      'netdev|warn|could not create netdev gre0 of unknown type gre ' +
        '(types: afxdp, internal, patch, system, tap)',
    ]);
  });
});

describe('device errors', () => {
  it('have the text and the code that users and scripts know', () => {
    expect(openError('x', 'ENODEV')).toMatchObject({
      code: 'E_NO_DEVICE',
      message: 'could not open network device x (No such device)',
    });
    expect(openError('x', 'EPERM')).toMatchObject({
      code: 'E_NO_CAPABILITY',
      message: 'could not open network device x (Operation not permitted)',
    });
    expect(deviceError('x: setting failed', 'EWHATEVER')).toMatchObject({
      code: 'E_DEVICE',
      message: 'x: setting failed (EWHATEVER)',
    });
  });
});

describe('portFeatures', () => {
  it('maps what ethtool tells, and nothing where it does not', () => {
    expect(portFeatures({ tso: true }).current).toBe(0);
    const gigabit = portFeatures({
      speedMbps: 1000,
      fullDuplex: true,
      port: 0,
      autoneg: true,
      supported: 0x3f | (1 << 7) | (1 << 12),
      advertising: 1 << 13,
    });
    expect(gigabit).toEqual({
      current: (1 << 5) | (1 << 11) | (1 << 13),
      supported: 0x3f | (1 << 11) | (1 << 6),
      advertised: 1 << 14,
      peer: 0,
    });
    expect(portFeatures({ speedMbps: 100, fullDuplex: false, port: 3 }).current).toBe(
      (1 << 2) | (1 << 12),
    );
  });
});
