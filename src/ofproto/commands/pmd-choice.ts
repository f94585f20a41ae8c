/** Which datapath and forwarding threads a dpif-netdev/pmd-* command is about. */
import type { PmdControl, PmdInfo } from '../../datapath/pmd-control.js';
import { INTERVAL_MS, INTERVALS } from '../../datapath/rxq-load.js';
import type { OfprotoRegistry } from '../registry.js';
import { commandError } from './command.js';

/** As long as cycles are kept. */
export const SECONDS_MAX = (INTERVAL_MS / 1000) * INTERVALS;

export interface ChosenPmds {
  pmds: PmdControl | null;
  threads: PmdInfo[];
  seconds: number;
}

/** Reads `[-pmd core] [-secs secs] [dp]`; options with a value that is ignored are skipped. */
export function choosePmds(
  registry: OfprotoRegistry,
  args: readonly string[],
  withSecs = false,
): ChosenPmds {
  let cpu: number | null = null;
  let seconds = 0;
  let name: string | null = null;
  for (let i = 0; i < args.length; i++) {
    const value = args[i + 1];
    if (args[i] === '-pmd' && value !== undefined) {
      if (/^\d+$/.test(value)) cpu = Number(value);
      i++;
    } else if (withSecs && args[i] === '-secs' && value !== undefined) {
      seconds = /^\d+$/.test(value) ? Number(value) : SECONDS_MAX;
      i++;
    } else name = args[i];
  }
  const { pmds } = datapathNamed(registry, name);
  const threads = (pmds?.info() ?? []).filter((pmd) => cpu === null || pmd.cpu === cpu);
  return { pmds: pmds ?? null, threads, seconds };
}

export function datapathNamed(registry: OfprotoRegistry, name: string | null) {
  const all = [...registry.backers()].map(({ dpif }) => dpif);
  const found = name === null ? undefined : all.find((dpif) => dpif.name.endsWith(`@${name}`));
  const chosen = found ?? (all.length === 1 ? all[0] : undefined);
  return chosen ?? commandError('please specify an existing datapath');
}

export function pmdHeading({ numa, cpu }: PmdInfo): string {
  return `pmd thread numa_id ${numa}${cpu < 0 ? '' : ` core_id ${cpu}`}:\n`;
}
