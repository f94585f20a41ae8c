/**
 * `tapswitch controller METHOD...`: a learning switch's controller, as ovs-testcontroller.
 *
 * What it makes switches do is src/openflow/learning-switch.ts; here are its connections.
 */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { errorMessage } from '../../common/errors.js';
import { getLogger } from '../../common/log.js';
import { registerLogModules } from '../../common/log-modules.js';
import { LearningSwitch } from '../../openflow/learning-switch.js';
import { OfConnection } from '../../openflow/vconn.js';
import { runDaemon, type Service } from '../daemon/life.js';
import { UsageError } from '../getopt.js';
import { type CliIo, printError } from '../io.js';
import { versionText } from '../version.js';
import {
  type ControllerFlags,
  controllerUsage,
  METHOD,
  PROGRAM,
  parseControllerOptions,
} from './options.js';

const log = getLogger('learning_switch');

const OF_PORT = 6653;
/** Switches at a time on one listening socket. */
const SWITCHES_MAX = 1024;
const RETRY_MS = 1000;

class LearningController implements Service {
  readonly ready: Promise<void>;
  private readonly servers: Server[] = [];
  private readonly connections = new Set<OfConnection>();
  private readonly retries = new Set<NodeJS.Timeout>();
  private closed = false;

  constructor(private readonly flags: ControllerFlags) {
    this.ready = Promise.all(flags.methods.map((method) => this.open(method))).then(() => {});
  }

  private async open(method: string): Promise<void> {
    const [, kind, rest] = METHOD.exec(method) as RegExpExecArray;
    if (kind === 'punix') await this.listen({ path: rest });
    else if (kind === 'ptcp') {
      const [, port, host] = /^(\d*)(?::(.*))?$/.exec(rest) ?? [];
      await this.listen({ port: port ? Number(port) : OF_PORT, host });
    } else this.dial(method, kind === 'unix' ? { path: rest } : tcpTarget(rest));
  }

  private listen(where: { path: string } | { port: number; host?: string }): Promise<void> {
    const server = createServer({ noDelay: true }, (socket) => this.serve(socket));
    server.maxConnections = SWITCHES_MAX;
    this.servers.push(server);
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(where, () => {
        server.off('error', reject);
        server.on('error', (error) => log.warn(errorMessage(error)));
        resolve();
      });
    });
  }

  private dial(method: string, where: { path: string } | { host: string; port: number }): void {
    if (this.closed) return;
    const socket = connect(where);
    const again = (): void => {
      const timer = setTimeout(() => {
        this.retries.delete(timer);
        this.dial(method, where);
      }, RETRY_MS);
      this.retries.add(timer);
    };
    socket.once('error', (error) => {
      log.info(`${method}: connection failed (${errorMessage(error)})`);
      again();
    });
    socket.once('connect', () => {
      socket.removeAllListeners('error');
      socket.setNoDelay(true);
      this.serve(socket, again);
    });
  }

  private serve(socket: Socket, onEnd: () => void = () => {}): void {
    const connection: OfConnection = new OfConnection(socket, {
      versions: this.flags.versions,
      onOpen: () => learning.start(),
      onMessage: (msg) => learning.handle(msg),
      onClose: () => {
        this.connections.delete(connection);
        if (!this.closed) onEnd();
      },
    });
    const learning = new LearningSwitch(connection, this.flags.learning);
    this.connections.add(connection);
  }

  async close(): Promise<void> {
    this.closed = true;
    for (const timer of this.retries) clearTimeout(timer);
    for (const server of this.servers) server.close();
    for (const connection of [...this.connections]) connection.close();
  }
}

function tcpTarget(text: string): { host: string; port: number } {
  const [, host, port] = /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(text) ?? [];
  return {
    host: (host ?? '').replace(/^\[|\]$/g, ''),
    port: port === undefined ? OF_PORT : Number(port),
  };
}

function runLearning(flags: ControllerFlags, io: CliIo): Promise<number> {
  registerLogModules();
  return runDaemon(flags.daemon, io, async () => {
    const controller = new LearningController(flags);
    await controller.ready;
    return controller;
  });
}

/** Runs `controller ARGV`. */
export async function runController(argv: string[], io: CliIo): Promise<number> {
  try {
    const request = parseControllerOptions(argv, io.env);
    if (request.kind === 'run') return await runLearning(request.flags, io);
    const help = request.kind === 'help';
    io.stdout.write(help ? controllerUsage(io.programName, io.env) : versionText(PROGRAM));
    return 0;
  } catch (error) {
    if (error instanceof UsageError) io.stderr.write(`${io.programName}: ${error.message}\n`);
    else printError(io, error);
    return 1;
  }
}
