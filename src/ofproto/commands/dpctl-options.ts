/** The options that every dpctl/* command takes, and what is left when they are taken away. */
import { commandError } from './command.js';

export interface DpctlOptions {
  /** -s: with counters. */
  statistics: boolean;
  /** -m: in more detail. */
  verbose: boolean;
  /** Ports by name; as verbose where nothing else was asked for. */
  names: boolean;
  /** What is no option. */
  rest: string[];
}

/** Options may stand anywhere. @throws TapswitchError E_COMMAND for one that there is not */
export function dpctlOptions(args: readonly string[]): DpctlOptions {
  const options: DpctlOptions = { statistics: false, verbose: false, names: false, rest: [] };
  let names: boolean | null = null;
  for (const arg of args) {
    if (arg === '--statistics') options.statistics = true;
    else if (arg === '--more') options.verbose = true;
    else if (arg === '--names') names = true;
    else if (arg === '--no-names') names = false;
    else if (arg === '--clear' || arg === '--may-create') continue;
    else if (arg.startsWith('--')) commandError(`Unrecognized option ${arg}`);
    else if (arg.startsWith('-') && arg !== '-') shortOptions(arg.slice(1), options);
    else options.rest.push(arg);
  }
  options.names = names ?? options.verbose;
  return options;
}

function shortOptions(letters: string, options: DpctlOptions): void {
  for (const letter of letters) {
    if (letter === 'm') options.verbose = true;
    else if (letter === 's') options.statistics = true;
    else commandError(`Unrecognized option -${letter}`);
  }
}
