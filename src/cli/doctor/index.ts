/**
 * `tapswitch doctor`: says what this machine or container lacks for the switch, and how to get it.
 *
 * Not for: a switch that runs (appctl), or what the switch itself checks when it starts
 * (daemon/preflight.ts, which is asked here as well).
 */
import type { CliIo } from '../io.js';
import { versionText } from '../version.js';
import { examine, type Finding, thisMachine } from './checks.js';
import { offloadFindings } from './offloads.js';

const USAGE = `usage: tapswitch doctor [OPTION...]
Says what this machine or container lacks for the switch, and how to get it. The exit status is 0
when the switch can start, 1 when something stands in its way.

Options:
  --json         print findings as JSON
  -q, --quiet    print warnings and problems alone
  -h, --help     display this help message
  -V, --version  display version information
`;

const MARKS = { ok: 'ok      ', warning: 'warning ', problem: 'PROBLEM ' } as const;

/** Runs `tapswitch doctor ARGV`. */
export async function runDoctor(argv: string[], io: CliIo): Promise<number> {
  const known = ['--json', '-q', '--quiet', '-h', '--help', '-V', '--version'];
  const wrong = argv.find((word) => !known.includes(word));
  if (wrong !== undefined) {
    io.stderr.write(`${io.programName}: doctor: what is '${wrong}'?\n${USAGE}`);
    return 1;
  }
  if (argv.includes('-h') || argv.includes('--help')) {
    io.stdout.write(USAGE);
    return 0;
  }
  if (argv.includes('-V') || argv.includes('--version')) {
    io.stdout.write(versionText(io.programName));
    return 0;
  }
  const findings = [...examine(thisMachine(io.env)), ...offloadFindings(io.env)];
  const bad = findings.filter(({ severity }) => severity === 'problem').length;
  if (argv.includes('--json')) {
    io.stdout.write(`${JSON.stringify({ ok: bad === 0, findings }, null, 2)}\n`);
    return bad === 0 ? 0 : 1;
  }
  const quiet = argv.includes('-q') || argv.includes('--quiet');
  for (const finding of findings) {
    if (!quiet || finding.severity !== 'ok') io.stdout.write(textOf(finding));
  }
  const warnings = findings.filter(({ severity }) => severity === 'warning').length;
  if (!quiet) io.stdout.write(verdict(bad, warnings));
  return bad === 0 ? 0 : 1;
}

function textOf({ check, severity, message, hint }: Finding): string {
  const line = `${MARKS[severity]}${check}: ${message}\n`;
  return hint === undefined ? line : `${line}        hint: ${hint}\n`;
}

function verdict(problems: number, warnings: number): string {
  if (problems > 0) return `\nThe switch cannot start here: ${count(problems, 'problem')}.\n`;
  return `\nThe switch can start here${warnings > 0 ? `; ${count(warnings, 'warning')}` : ''}.\n`;
}

function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`;
}
