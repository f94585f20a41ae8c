/**
 * `tapswitch controller METHOD...`: a learning switch's controller, as ovs-testcontroller.
 *
 * What it makes switches do is src/openflow/learning-switch.ts; here are its connections.
 */
import type { Socket } from 'node:net';
import { getLogger } from '../../common/log.js';
import { registerLogModules } from '../../common/log-modules.js';
import { isPassive, OfListener } from '../../ofproto/connmgr/listener.js';
import { openStream, streamErrorText } from '../../ofproto/connmgr/stream.js';
import { LearningSwitch } from '../../openflow/learning-switch.js';
import { OfConnection } from '../../openflow/vconn.js';
import { runDaemon, type Service } from '../daemon/life.js';
import { UsageError } from '../getopt.js';
import { type CliIo, printError } from '../io.js';
import { versionText } from '../version.js';
import {
  type ControllerFlags,
  controllerUsage,
  PROGRAM,
  parseControllerOptions,
} from './options.js';

const log = getLogger('learning_switch');

const RETRY_MS = 1000;

class LearningController implements Service {
  readonly ready: Promise<void>;
  private readonly listeners: OfListener[] = [];
  private readonly connections = new Set<OfConnection>();
  private readonly retries = new Set<NodeJS.Timeout>();
  private closed = false;

  constructor(private readonly flags: ControllerFlags) {
    this.ready = Promise.all(flags.methods.map((method) => this.open(method))).then(() => {});
  }

  private async open(method: string): Promise<void> {
    if (!isPassive(method)) {
      this.dial(method);
      return;
    }
    const listener = new OfListener(method, (socket) => this.serve(socket), this.flags.tls);
    this.listeners.push(listener);
    await listener.open();
  }

  private dial(method: string): void {
    if (this.closed) return;
    const again = (): void => {
      const timer = setTimeout(() => {
        this.retries.delete(timer);
        this.dial(method);
      }, RETRY_MS);
      this.retries.add(timer);
    };
    const { socket, ready } = openStream(method, this.flags.tls);
    socket.once('error', (error) => {
      log.info(`${method}: connection failed (${streamErrorText(method, error)})`);
      again();
    });
    socket.once(ready, () => {
      socket.removeAllListeners('error');
      this.serve(socket, again);
    });
  }

  private serve(socket: Socket, onEnd: () => void = () => {}): undefined {
    socket.setNoDelay(true);
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
    for (const listener of this.listeners) listener.close();
    for (const connection of [...this.connections]) connection.close();
  }
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
    if (request.kind === 'run') {
      for (const text of request.warnings) io.stderr.write(`${io.programName}: ${text}\n`);
      return await runLearning(request.flags, io);
    }
    const help = request.kind === 'help';
    io.stdout.write(help ? controllerUsage(io.programName, io.env) : versionText(PROGRAM));
    return 0;
  } catch (error) {
    if (error instanceof UsageError) io.stderr.write(`${io.programName}: ${error.message}\n`);
    else printError(io, error);
    return 1;
  }
}
