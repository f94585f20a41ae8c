/**
 * Offloads that do not go with bridging, as `ethtool -k` tells of them: receive offload (LRO) joins
 * packets into ones that cannot be sent on as they were.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import type { Finding } from './checks.js';

/** Virtual interfaces that have no hardware behind them. */
function hardwareInterfaces(): string[] {
  const has = (path: string): boolean => {
    try {
      return readdirSync(path).length > 0;
    } catch {
      return false;
    }
  };
  try {
    return readdirSync('/sys/class/net').filter((name) => has(`/sys/class/net/${name}/device`));
  } catch {
    return [];
  }
}

/** Warnings about the settings in `text`, which `ethtool -k NAME` printed. */
export function offloadWarnings(name: string, text: string): Finding[] {
  const on = (feature: string): boolean => new RegExp(`^${feature}: on\\b`, 'm').test(text);
  const check = 'offloads';
  const findings: Finding[] = [];
  if (on('large-receive-offload')) {
    findings.push({
      ...{ check, severity: 'warning' },
      message: `${name} has LRO on: packets it joined cannot be sent on as they were`,
      hint: `ethtool -K ${name} lro off`,
    });
  }
  if (on('rx-vlan-filter')) {
    findings.push({
      ...{ check, severity: 'warning' },
      message: `${name} filters VLANs: tags that the host has no interface for may not arrive`,
      hint: `ethtool -K ${name} rx-vlan-filter off, or nothing where its driver is promiscuous`,
    });
  }
  return findings;
}

/** Asks ethtool of each interface with hardware behind it; says so when ethtool is not there. */
export function offloadFindings(env: NodeJS.ProcessEnv): Finding[] {
  const check = 'offloads';
  const findings: Finding[] = [];
  for (const name of hardwareInterfaces()) {
    const { error, stdout } = spawnSync('ethtool', ['-k', name], { env, encoding: 'utf8' });
    if (error !== undefined) {
      return [{ check, severity: 'ok', message: 'not looked at: ethtool is not installed' }];
    }
    findings.push(...offloadWarnings(name, stdout));
  }
  if (findings.length > 0) return findings;
  return [{ check, severity: 'ok', message: 'none that would surprise' }];
}
