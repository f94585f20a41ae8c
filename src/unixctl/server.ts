/**
 * The control socket: named commands with text arguments, answered with text (ovs-appctl(8)).
 *
 *     ovs-appctl ── JSON-RPC 1.0 over a unix socket ──> UnixctlServer ──> handler
 *        {"id":0,"method":"bond/show","params":["bond1"]}
 *        {"id":0,"result":"---- bond1 ----\n...","error":null}
 *
 * A connection has one request at work; further ones wait their turn, up to a bound. A handler
 * returns its text, or a promise of it, or answers later through the `UnixctlCommand` it was given.
 * Texts of errors are those of Open vSwitch, since scripts know them.
 *
 * Not for: what the commands do (each layer registers its own), or asking (client.ts).
 */
import { unlinkSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { errorMessage, TapswitchError } from '../common/errors.js';
import type { JsonValue } from '../common/json.js';
import { JsonRpcConnection } from '../common/jsonrpc.js';
import { getLogger } from '../common/log.js';
import { connectUnix, listenUnix } from '../common/unix-path.js';

/** What a handler throws to answer with an error of its own wording. */
export class UnixctlError extends Error {
  override readonly name = 'UnixctlError';
}

/** Answers a command: text, a promise of text, or nothing when `command.reply()` comes later. */
export type UnixctlHandler = (
  command: UnixctlCommand,
  args: string[],
  // biome-ignore lint/suspicious/noConfusingVoidType: a handler that answers later returns nothing
) => void | string | Promise<string>;

interface Registration {
  usage: string | null;
  minArgs: number;
  maxArgs: number;
  handler: UnixctlHandler;
}

/** The longest request, bytes. Arguments are command lines, so this is ample. */
const REQUEST_BYTES_MAX = 8 * 1024 * 1024;
/** Requests that wait on one connection while another is at work. */
const WAITING_MAX = 64;
const CONNECTIONS_MAX = 256;
/** How long `close()` lets peers take their last answers. */
const CLOSE_MS = 500;
/** Owner may do everything, group may connect, as Open vSwitch under the usual umask. */
const SOCKET_UMASK = 0o027;

const log = getLogger('unixctl');

/** One request at work. Answer it once; later answers are ignored. */
export class UnixctlCommand {
  private answered = false;

  constructor(
    /** The command's name. */
    readonly name: string,
    private readonly answer: (ok: boolean, text: string) => void,
  ) {}

  /** Answers with `text`; a line end is added where there is none. */
  reply(text = ''): void {
    this.finish(true, text);
  }

  replyError(text: string): void {
    this.finish(false, text);
  }

  private finish(ok: boolean, text: string): void {
    if (this.answered) return;
    this.answered = true;
    this.answer(ok, text === '' || text.endsWith('\n') ? text : `${text}\n`);
  }
}

/** A control socket and its commands. */
export class UnixctlServer {
  private readonly commands = new Map<string, Registration>();
  private readonly sessions = new Set<Session>();
  private server: Server | null = null;
  private listeningPath: string | null = null;

  /** @param versionText what the command `version` answers */
  constructor(versionText: string) {
    this.register('list-commands', '', 0, 0, () => this.listCommands());
    this.register('help', '', 0, 0, () => this.listCommands());
    this.register('version', '', 0, 0, () => versionText);
  }

  /** The socket's path while listening. */
  get path(): string | null {
    return this.listeningPath;
  }

  /**
   * Adds a command.
   *
   * @param usage its arguments, for `list-commands`; null hides it there
   * @param maxArgs may be Infinity
   */
  register(
    name: string,
    usage: string | null,
    minArgs: number,
    maxArgs: number,
    handler: UnixctlHandler,
  ): void {
    if (this.commands.has(name)) throw new Error(`unixctl command ${name} registered twice`);
    this.commands.set(name, { usage, minArgs, maxArgs, handler });
  }

  /** Takes a command away again. */
  unregister(name: string): void {
    this.commands.delete(name);
  }

  /**
   * Listens on a unix socket at `path`. A socket file that nobody serves any more is replaced.
   *
   * @throws TapswitchError E_UNIXCTL_LISTEN when that is not possible, or `path` is being served
   */
  async listen(path: string): Promise<void> {
    if (await isServed(path)) {
      throw new TapswitchError(
        'E_UNIXCTL_LISTEN',
        `${path}: another process is serving this control socket`,
        'stop that process, or name another socket with --unixctl',
      );
    }
    unlinkIfThere(path);
    const server = createServer((socket) => this.accept(socket));
    server.maxConnections = CONNECTIONS_MAX;
    await listenOn(server, path);
    this.server = server;
    this.listeningPath = path;
  }

  /** Closes all connections and the socket, and removes its file. Idempotent. */
  async close(): Promise<void> {
    const server = this.server;
    this.server = null;
    this.listeningPath = null;
    for (const session of this.sessions) session.close();
    server?.close();
    // What was answered last is on its way; a peer that does not take it is not waited for long.
    await Promise.race([
      Promise.all([...this.sessions].map((session) => session.gone)),
      new Promise((resolve) => setTimeout(resolve, CLOSE_MS).unref()),
    ]);
    for (const session of this.sessions) session.destroy();
    this.sessions.clear();
  }

  /**
   * Runs a command as a connection would, for the program's own use.
   *
   * @throws UnixctlError with the text of an error answer
   */
  execute(name: string, args: string[]): Promise<string> {
    return new Promise((resolve, reject) => {
      const answer = (ok: boolean, text: string): void =>
        ok ? resolve(text) : reject(new UnixctlError(text));
      this.dispatch(new UnixctlCommand(name, answer), args);
    });
  }

  private listCommands(): string {
    const rows = [...this.commands]
      .filter(([, { usage }]) => usage !== null)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, { usage }]) => `  ${name.padEnd(23)} ${usage}\n`);
    return `The available commands are:\n${rows.join('')}`;
  }

  private accept(socket: Socket): void {
    const session = new Session(socket, (command, args) => this.dispatch(command, args));
    this.sessions.add(session);
    session.gone.then(() => this.sessions.delete(session));
  }

  private dispatch(command: UnixctlCommand, params: JsonValue[]): void {
    const registration = this.commands.get(command.name);
    const fault = requestFault(command.name, registration, params);
    if (fault !== null || !registration) {
      command.replyError(fault ?? '');
      return;
    }
    try {
      const result = registration.handler(command, params as string[]);
      if (typeof result === 'string') command.reply(result);
      else if (result instanceof Promise) this.answerLater(command, result);
    } catch (error) {
      answerFailure(command, error);
    }
  }

  private answerLater(command: UnixctlCommand, result: Promise<string>): void {
    result.then(
      (text) => command.reply(text),
      (error) => answerFailure(command, error),
    );
  }
}

/** One connection: requests in order, one at work. */
class Session {
  private readonly rpc: JsonRpcConnection;
  private readonly waiting: { name: string; params: JsonValue[]; id: JsonValue }[] = [];
  private busy = false;
  private serving = false;
  /** Settles when the socket is closed on both sides. */
  readonly gone: Promise<void>;

  constructor(
    private readonly socket: Socket,
    private readonly dispatch: (command: UnixctlCommand, params: JsonValue[]) => void,
  ) {
    this.gone = new Promise((resolve) => socket.once('close', () => resolve()));
    this.rpc = new JsonRpcConnection(
      socket,
      {
        onRequest: (name, params, id) => this.request(name, params, id),
        onNotify: () => {
          log.warn('unix: received unexpected notification message');
          this.close();
        },
        onClose: () => {
          this.waiting.length = 0;
        },
      },
      { maxBytes: REQUEST_BYTES_MAX, name: 'unix' },
    );
  }

  close(): void {
    this.rpc.close();
    this.socket.destroySoon();
  }

  destroy(): void {
    this.socket.destroy();
  }

  private request(name: string, params: JsonValue[], id: JsonValue): void {
    if (this.waiting.length >= WAITING_MAX) {
      log.warn(`unix: more than ${WAITING_MAX} requests wait on one connection, closing it`);
      this.close();
      return;
    }
    this.waiting.push({ name, params, id });
    this.serve();
  }

  /** Starts waiting requests until one does not answer at once. A loop, so it cannot recurse. */
  private serve(): void {
    if (this.serving) return;
    this.serving = true;
    while (!this.busy && this.waiting.length > 0) {
      const { name, params, id } = this.waiting.shift() as (typeof this.waiting)[0];
      this.busy = true;
      const answer = (ok: boolean, text: string): void => this.finish(id, ok, text);
      this.dispatch(new UnixctlCommand(name, answer), params);
    }
    this.serving = false;
  }

  private finish(id: JsonValue, ok: boolean, text: string): void {
    if (ok) this.rpc.reply(id, text);
    else this.rpc.replyError(id, text);
    this.busy = false;
    this.serve();
  }
}

/** What is wrong with a request, in Open vSwitch's words, or null. */
function requestFault(
  name: string,
  registration: Registration | undefined,
  params: JsonValue[],
): string | null {
  if (!registration) {
    const hint = '(use "list-commands" to see a list of valid commands)';
    return `"${name}" is not a valid command ${hint}`;
  }
  const { minArgs, maxArgs } = registration;
  if (params.length < minArgs) return `"${name}" command requires at least ${minArgs} arguments`;
  if (params.length > maxArgs) return `"${name}" command takes at most ${maxArgs} arguments`;
  if (params.some((param) => typeof param !== 'string')) {
    return `"${name}" command has non-string argument`;
  }
  return null;
}

function answerFailure(command: UnixctlCommand, error: unknown): void {
  if (!(error instanceof UnixctlError) && !(error instanceof TapswitchError)) {
    const stack = error instanceof Error ? error.stack : undefined;
    log.err(`command ${command.name} failed: ${stack ?? errorMessage(error)}`);
  }
  command.replyError(errorMessage(error));
}

/** Whether somebody answers at the unix socket `path`. */
export function isServed(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connectUnix(path);
    const finish = (served: boolean): void => {
      probe.destroy();
      resolve(served);
    };
    probe.once('connect', () => finish(true));
    probe.once('error', () => finish(false));
  });
}

function unlinkIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw listenError(path, error);
  }
}

function listenOn(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(listenError(path, error)));
    server.once('listening', () => {
      server.removeAllListeners('error');
      server.on('error', (error) => log.warn(`${path}: accept failed: ${error.message}`));
      resolve();
    });
    // The file appears during this call, so the mask need not stay for longer.
    const before = process.umask(SOCKET_UMASK);
    try {
      listenUnix(server, path);
    } catch (error) {
      reject(listenError(path, error));
    } finally {
      process.umask(before);
    }
  });
}

function listenError(path: string, cause: unknown): TapswitchError {
  return new TapswitchError(
    'E_UNIXCTL_LISTEN',
    `${path}: could not initialize control socket (${errorMessage(cause)})`,
    'check that the directory exists and is writable',
    { cause },
  );
}
