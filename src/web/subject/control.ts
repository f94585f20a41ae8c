/**
 * The daemon's control socket, kept open and found again when the daemon has been restarted.
 *
 * Not for: what the answers mean (../topics).
 */
import { errorMessage, TapswitchError } from '../../common/errors.js';
import { UnixctlClient, unixctlPath } from '../../unixctl/client.js';

/** An answer that does not come within this is given up, and the connection with it. */
const ANSWER_MS_MAX = 15_000;

export class ControlSocket {
  private client: Promise<UnixctlClient> | null = null;
  private answered = false;
  private known: Promise<Set<string>> | null = null;

  /**
   * @param target a socket's path or a program's name
   * @param runDir where the pid file of a program is
   */
  constructor(
    private readonly target: string,
    private readonly runDir: string,
  ) {}

  /** Whether the last question was answered. */
  get connected(): boolean {
    return this.answered;
  }

  /** The daemon's process, where its socket's name tells. */
  get pid(): number | undefined {
    try {
      const path = unixctlPath(this.target, this.runDir);
      const pid = /\.(\d+)\.ctl$/.exec(path)?.[1];
      return pid === undefined ? undefined : Number(pid);
    } catch {
      return undefined;
    }
  }

  /**
   * Runs a command.
   * @throws TapswitchError E_WEB_CONTROL when nobody answers, E_WEB_REFUSED when the daemon refuses
   */
  async ask(command: string, args: readonly string[] = []): Promise<string> {
    const client = await this.connect();
    return this.transact(client, command, args, ANSWER_MS_MAX, () => this.drop());
  }

  /** As `ask`, over a connection of its own: for what takes long. */
  async askAlone(command: string, args: readonly string[], timeoutMs: number): Promise<string> {
    const client = await this.open();
    try {
      return await this.transact(client, command, args, timeoutMs, () => {});
    } finally {
      client.close();
    }
  }

  /** The answer as JSON. @throws as `ask` */
  async json<T>(command: string, args: readonly string[] = []): Promise<T> {
    return JSON.parse(await this.ask(command, args)) as T;
  }

  /** Commands that the daemon has; empty while it does not answer. */
  async commands(): Promise<ReadonlySet<string>> {
    this.known ??= this.listCommands();
    try {
      return await this.known;
    } catch {
      this.known = null;
      return new Set();
    }
  }

  close(): void {
    this.drop();
  }

  private async listCommands(): Promise<Set<string>> {
    const listed = await this.ask('list-commands');
    // Those that are ours alone are not listed.
    const own = await this.json<string[]>('tapswitch/commands').catch(() => []);
    return new Set([...own, ...[...listed.matchAll(/^\s+(\S+)/gm)].map(([, name]) => name)]);
  }

  private connect(): Promise<UnixctlClient> {
    this.client ??= this.open();
    this.client.catch(() => this.drop());
    return this.client;
  }

  private async open(): Promise<UnixctlClient> {
    try {
      return await UnixctlClient.connect(unixctlPath(this.target, this.runDir), this.target);
    } catch (error) {
      throw unreachable(error);
    }
  }

  private async transact(
    client: UnixctlClient,
    command: string,
    args: readonly string[],
    timeoutMs: number,
    failed: () => void,
  ): Promise<string> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error('the daemon does not answer')), timeoutMs);
    });
    let answer: { ok: boolean; text: string };
    try {
      answer = await Promise.race([client.transact(command, [...args]), late]);
    } catch (error) {
      failed();
      throw unreachable(error);
    } finally {
      clearTimeout(timer);
    }
    this.answered = true;
    if (answer.ok) return answer.text;
    throw new TapswitchError('E_WEB_REFUSED', answer.text.trim());
  }

  private drop(): void {
    this.client?.then(
      (client) => client.close(),
      () => {},
    );
    this.client = null;
    this.known = null;
    this.answered = false;
  }
}

function unreachable(cause: unknown): TapswitchError {
  const message = `the control socket does not answer: ${errorMessage(cause)}`;
  return new TapswitchError('E_WEB_CONTROL', message, 'is the switch running?', { cause });
}
