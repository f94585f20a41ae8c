/** The options that every dpctl/* command takes, and what is left when they are taken away. */
import { commandError } from './command.js';

export interface DpctlOptions {
  /** -s: with counters. */
  statistics: boolean;
  /** -m: in more detail. */
  verbose: boolean;
  /** Ports by name; as verbose where nothing else was asked for. */
  names: boolean;
  /** --clear: a changed flow counts from zero. */
  clear: boolean;
  /** --may-create: a flow that is to be changed may be new. */
  mayCreate: boolean;
  /** What is no option. */
  rest: string[];
}

/** Options may stand anywhere. @throws TapswitchError E_COMMAND for one that there is not */
export function dpctlOptions(args: readonly string[]): DpctlOptions {
  const flags = { statistics: false, verbose: false, names: false };
  const options: DpctlOptions = { ...flags, clear: false, mayCreate: false, rest: [] };
  let names: boolean | null = null;
  for (const arg of args) {
    if (arg === '--statistics') options.statistics = true;
    else if (arg === '--more') options.verbose = true;
    else if (arg === '--names') names = true;
    else if (arg === '--no-names') names = false;
    else if (arg === '--clear') options.clear = true;
    else if (arg === '--may-create') options.mayCreate = true;
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
