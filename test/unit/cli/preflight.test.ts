/** What is checked of the machine before starting. */
import { describe, expect, it } from 'vitest';
import {
  missingCapabilities,
  type PreflightProbes,
  preflight,
} from '../../../src/cli/daemon/preflight.js';
import { TapswitchError } from '../../../src/common/errors.js';

const status = (capEff: string): string =>
  `Name:\tnode\nCapPrm:\t0\nCapEff:\t${capEff}\nCapBnd:\t0\n`;

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: no, open '/dev/net/tun'`), { code });
}

const limits = (files: string): string =>
  `Max processes             95837                95837                processes\n` +
  `Max open files            ${files.padEnd(20)} 1048576              files\n`;

const fine: PreflightProbes = {
  processStatus: () => status('000001ffffffffff'),
  processLimits: () => limits('1048576'),
  openTun: () => {},
  loadAddon: () => {},
};

describe('missingCapabilities', () => {
  it.each([
    ['000001ffffffffff', []],
    // The default set of a container: CAP_NET_RAW, and no CAP_NET_ADMIN.
    ['00000000a80425fb', ['CAP_NET_ADMIN']],
    ['0000000000001000', ['CAP_NET_RAW']],
    ['0000000000003000', []],
    ['0000000000000000', ['CAP_NET_ADMIN', 'CAP_NET_RAW']],
  ])('CapEff %s', (capEff, missing) => {
    expect(missingCapabilities(status(capEff))).toEqual(missing);
  });

  it('takes a status without the line for none', () => {
    expect(missingCapabilities('Name:\tnode\n')).toEqual(['CAP_NET_ADMIN', 'CAP_NET_RAW']);
  });
});

describe('preflight', () => {
  const codes = (probes: Partial<PreflightProbes>): string[] =>
    preflight({ ...fine, ...probes }).map(({ code }) => code);

  it('finds nothing where all is well', () => {
    expect(codes({})).toEqual([]);
  });

  it.each([
    ['ENOENT', 'E_NO_TUN'],
    ['ENODEV', 'E_NO_TUN'],
    ['ENXIO', 'E_NO_TUN'],
    ['EACCES', 'E_TUN_ACCESS'],
    ['EPERM', 'E_TUN_ACCESS'],
  ])('%s of /dev/net/tun is %s', (code, expected) => {
    const openTun = (): void => {
      throw systemError(code);
    };
    expect(codes({ openTun })).toEqual([expected]);
  });

  it.each([
    ['24', ['E_TOO_FEW_FILES']],
    ['149', ['E_TOO_FEW_FILES']],
    ['150', []],
    ['unlimited', []],
  ])('%s open files', (files, expected) => {
    expect(codes({ processLimits: () => limits(files) })).toEqual(expected);
  });

  it('tells everything that is wrong at once, each with a hint', () => {
    const problems = preflight({
      processStatus: () => status('0'),
      processLimits: () => limits('100'),
      openTun: () => {
        throw systemError('ENOENT');
      },
      loadAddon: () => {
        throw new TapswitchError('E_ADDON_MISSING', 'not built', 'build it');
      },
    });
    expect(problems.map(({ code }) => code)).toEqual([
      'E_ADDON_MISSING',
      'E_NO_CAPABILITY',
      'E_NO_TUN',
      'E_TOO_FEW_FILES',
    ]);
    for (const { hint } of problems) expect(hint).toBeTruthy();
  });
});
