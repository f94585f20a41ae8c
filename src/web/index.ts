/**
 * The web console: a process of its own that watches a switch through the interfaces that everybody
 * has (OVSDB, OpenFlow, control socket), and serves a page, a REST and WebSocket API, and metrics.
 *
 * Not for: command lines (src/cli/web), the page itself (page/).
 */
import type { AddressInfo } from 'node:net';
import type { Clock } from '../common/clock.js';
import { errorMessage, TapswitchError } from '../common/errors.js';
import { getLogger } from '../common/log.js';
import type { TlsFiles } from '../common/tls.js';
import { assemble } from './console.js';
import { accessRules } from './http/access.js';
import { buildServer } from './http/server.js';
import { LiveSockets } from './http/upgrade.js';
import { Live } from './live.js';
import { Subject } from './subject/subject.js';

export interface WebOptions {
  clock: Clock;
  /** Of this console. */
  version: string;
  address: string;
  /** 0: any free one. */
  port: number;
  runDir: string;
  logDir: string;
  /** Remotes of the database. */
  database: readonly string[];
  /** Keys for those at ssl:HOST:PORT. */
  tls?: TlsFiles;
  /** The control socket, or the name of the daemon. */
  control: string;
  /** Folder of the built page. */
  page: string;
  token: string | null;
  /** Changes are allowed, with the token. */
  write: boolean;
  /** Host names under which the console may be asked, besides its own and addresses. */
  allowHosts: readonly string[];
}

export interface RunningWeb {
  /** 'http://127.0.0.1:8480/' */
  url: string;
  close(): Promise<void>;
}

const log = getLogger('web');

/**
 * Starts the console.
 * @throws TapswitchError E_WEB_TOKEN_NEEDED, E_WEB_TOKEN_SHORT, E_WEB_LISTEN
 */
export async function startWeb(options: WebOptions): Promise<RunningWeb> {
  const rules = accessRules(options);
  const { clock, version } = options;
  const subject = new Subject(options);
  const facts = {
    version,
    startedAt: clock.wallNow(),
    write: options.write,
    tokenNeeded: rules.tokenToRead,
  };
  const parts = assemble(subject, facts, options.logDir);
  const app = await buildServer(parts, { rules, page: options.page, version });
  const live = new Live(subject, parts.resources);
  const sockets = new LiveSockets(live, rules, () => clock.now());
  sockets.attach(app.server);
  const close = async (): Promise<void> => {
    sockets.close();
    live.close();
    parts.captures.close();
    await app.close();
    subject.close();
  };
  try {
    await app.listen({ host: options.address, port: options.port });
  } catch (error) {
    await close();
    throw cannotListen(options, error);
  }
  const url = urlOf(app.server.address() as AddressInfo);
  log.info(`listening at ${url}, ${options.write ? 'changes allowed' : 'read-only'}`);
  return { url, close };
}

function cannotListen({ address, port }: WebOptions, cause: unknown): TapswitchError {
  const message = `cannot listen at ${address}:${port}: ${errorMessage(cause)}`;
  const hint = 'name another address or port with --listen=ADDRESS:PORT';
  return new TapswitchError('E_WEB_LISTEN', message, hint, { cause });
}

function urlOf({ address, port, family }: AddressInfo): string {
  const host = family === 'IPv6' ? `[${address}]` : address;
  return `http://${host}:${port}/`;
}
