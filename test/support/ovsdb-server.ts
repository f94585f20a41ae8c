/**
 * An OVSDB server, Debian's unless told otherwise, on a fresh Open_vSwitch database in a directory
 * of its own.
 *
 * Not for: servers in the test's own process.
 */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BackgroundProcess, eventually, must } from './command.js';

const SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema';

export class OvsdbServer {
  private constructor(
    readonly directory: string,
    /** For clients: OVS_RUNDIR and the like point at the directory. */
    readonly env: NodeJS.ProcessEnv,
    private readonly program: readonly string[],
    private process: BackgroundProcess,
  ) {}

  /** @param program the server: takes ovsdb-server's options */
  static async start(program: readonly string[] = ['ovsdb-server']): Promise<OvsdbServer> {
    const directory = await mkdtemp(join(tmpdir(), 'tapswitch-ovsdb-'));
    const dirs = { OVS_RUNDIR: directory, OVS_DBDIR: directory, OVS_LOGDIR: directory };
    const env = { ...process.env, ...dirs, NODE_OPTIONS: '' };
    await must(['ovsdb-tool', 'create', join(directory, 'conf.db'), SCHEMA]);
    const server = new OvsdbServer(directory, env, program, launch(program, directory, env));
    await server.ready();
    return server;
  }

  /** Where clients connect to. */
  get remote(): string {
    return `unix:${this.directory}/db.sock`;
  }

  /** Ends the server and starts it again on the same database. */
  async restart(): Promise<void> {
    await this.process.stop();
    this.process = launch(this.program, this.directory, this.env);
    await this.ready();
  }

  /** Ends the server for now; its directory stays. */
  async pause(): Promise<void> {
    await this.process.stop();
  }

  async stop(): Promise<void> {
    await this.process.stop();
    await rm(this.directory, { recursive: true, force: true });
  }

  private async ready(): Promise<void> {
    await eventually('the server to listen', () => existsSync(join(this.directory, 'db.sock')));
  }
}

function launch(
  program: readonly string[],
  directory: string,
  env: NodeJS.ProcessEnv,
): BackgroundProcess {
  const argv = [
    ...program,
    `--remote=punix:${directory}/db.sock`,
    `--unixctl=${directory}/server.ctl`,
    '-vconsole:off',
    join(directory, 'conf.db'),
  ];
  return BackgroundProcess.start(argv, { env });
}
