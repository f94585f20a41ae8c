/**
 * The web console as a child of the daemon: started when the switch is up, started again when it
 * ends by itself, and ended with the daemon, however that ends.
 *
 *     daemon ── stdin: a pipe that ends with the daemon ──> tapswitch web --child
 *        log <── stderr: the child's log lines ───────────────┘
 *
 * A process of its own costs the packet path nothing, and the kernel gives it less of the CPU.
 *
 * Not for: what it serves (src/web).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Clock } from '../../common/clock.js';
import { errorMessage, TapswitchError } from '../../common/errors.js';
import { getLogger } from '../../common/log.js';
import type { SslFiles } from '../../vswitchd/daemon-types.js';
import { accessRules } from '../../web/http/access.js';
import { parseListen, readToken } from '../web/options.js';

/** What the daemon's command line says of the console. */
export interface WebFlags {
  /** ADDRESS:PORT. */
  listen: string;
  write: boolean;
  tokenFile: string | null;
  allowHosts: string[];
}

export interface WebChildOptions {
  flags: WebFlags;
  clock: Clock;
  runDir: string;
  /** Remotes of the database. */
  database: string;
  /** Keys for those at ssl:HOST:PORT. */
  ssl: SslFiles;
  /** Path of the control socket. */
  control: string;
}

const MAIN = fileURLToPath(new URL('../main.js', import.meta.url));
/** Waits between starts double from the first to the second. */
const BACKOFF_MS = { min: 1000, max: 30_000 };
/** Whoever has run for so long was well. */
const WELL_MS = 60_000;
/** How long the console may take to end. */
const END_MS_MAX = 3000;
/** How long the daemon's start waits for the console. */
const UP_MS_MAX = 10_000;
/** What the console says when it serves. */
const LISTENS = /\|listening at /;

const log = getLogger('web');

/**
 * Refuses what the console would refuse, before the switch starts.
 *
 * Where changes are allowed and no token is named, one is made: RUNDIR/web-token.
 * @returns the token's file
 * @throws TapswitchError E_WEB_TOKEN_NEEDED and the like; UsageError
 */
export function checkWebFlags(flags: WebFlags, runDir: string): WebFlags {
  const tokenFile = flags.tokenFile ?? (flags.write ? makeToken(runDir) : null);
  const { address } = parseListen(flags.listen);
  const token = tokenFile === null ? null : readToken(tokenFile);
  const { write, allowHosts } = flags;
  accessRules({ address, token, write, allowHosts });
  return { ...flags, tokenFile };
}

/** The token of a daemon that was given none: made once, readable for its user alone. */
function makeToken(runDir: string): string {
  const file = join(runDir, 'web-token');
  try {
    const text = `${randomBytes(24).toString('hex')}\n`;
    if (!existsSync(file)) writeFileSync(file, text, { mode: 0o600, flag: 'wx' });
  } catch (cause) {
    const message = `the token file cannot be written: ${errorMessage(cause)}`;
    throw new TapswitchError('E_WEB_TOKEN_FILE', message, 'name one with --web-token-file=FILE');
  }
  return file;
}

export class WebChild {
  private child: ChildProcess | null = null;
  private timer: NodeJS.Timeout | null = null;
  private startedMs = 0;
  private waitMs = BACKOFF_MS.min;
  private closed = false;
  /** Resolves once it listens, or has failed to for the first time. */
  readonly up: Promise<void>;
  private isUp: () => void = () => {};

  constructor(private readonly options: WebChildOptions) {
    this.up = new Promise((resolve) => {
      this.isUp = resolve;
    });
  }

  start(): void {
    if (this.closed) return;
    const { clock } = this.options;
    this.startedMs = clock.now();
    const child = spawn(process.execPath, [MAIN, 'web', ...this.arguments()], {
      stdio: ['pipe', 'ignore', 'pipe'],
    });
    this.child = child;
    child.stdin.on('error', () => {});
    createInterface({ input: child.stderr }).on('line', (line) => {
      passOn(line);
      if (LISTENS.test(line)) this.isUp();
    });
    setTimeout(() => this.isUp(), UP_MS_MAX).unref();
    child.once('error', (error) => this.ended(errorMessage(error)));
    child.once('close', (status, signal) => this.ended(signal ?? `status ${status}`));
    if (child.pid === undefined) return;
    try {
      setPriority(child.pid, constants.priority.PRIORITY_BELOW_NORMAL);
    } catch {
      // Then it is as important as the rest.
    }
  }

  async close(): Promise<void> {
    this.closed = true;
    if (this.timer) clearTimeout(this.timer);
    const { child } = this;
    if (!child) return;
    const gone = new Promise<void>((resolve) => {
      child.once('close', () => resolve());
    });
    child.kill('SIGTERM');
    const late = setTimeout(() => child.kill('SIGKILL'), END_MS_MAX);
    await gone;
    clearTimeout(late);
  }

  private arguments(): string[] {
    const { flags, runDir, database, control, ssl } = this.options;
    const keys = {
      'private-key': ssl.privateKey,
      certificate: ssl.certificate,
      'ca-cert': ssl.caCert,
      'bootstrap-ca-cert': ssl.bootstrapCaCert,
    };
    const given = Object.entries(keys).filter(([, file]) => file !== undefined);
    return [
      ...['--child', `--listen=${flags.listen}`, `--rundir=${runDir}`],
      ...[`--db=${database}`, `--control=${control}`],
      ...(flags.write ? ['--write'] : []),
      ...(flags.tokenFile === null ? [] : [`--token-file=${flags.tokenFile}`]),
      ...given.map(([name, file]) => `--${name}=${file}`),
      ...flags.allowHosts.map((name) => `--allow-host=${name}`),
    ];
  }

  private ended(how: string): void {
    if (!this.child) return;
    this.child = null;
    this.isUp();
    if (this.closed) return;
    const ranMs = this.options.clock.now() - this.startedMs;
    if (ranMs > WELL_MS) this.waitMs = BACKOFF_MS.min;
    log.warn(`the web console ended (${how}), starting it again in ${this.waitMs / 1000} s`);
    this.timer = setTimeout(() => this.start(), this.waitMs);
    this.waitMs = Math.min(this.waitMs * 2, BACKOFF_MS.max);
  }
}

const LINE = /^\S+\|\d+\|([\w-]+)\|(\w+)\|(.*)$/;

/** A line of the child's log as one of ours, under the same module and level. */
function passOn(line: string): void {
  const [, module, level, text] = LINE.exec(line) ?? [];
  const logger = getLogger(module === undefined || module === 'web' ? 'web' : `web_${module}`);
  if (level === 'INFO') logger.info(text);
  else if (level === 'DBG') logger.dbg(text);
  else if (level === 'ERR' || level === 'EMER') logger.err(text);
  else logger.warn(text ?? line);
}
