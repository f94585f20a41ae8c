/**
 * Debian's Open vSwitch on dummy devices: no root, no kernel module, no namespace. Bridges of it
 * are what `ofctl` is compared on.
 */
import { BackgroundProcess, eventually, must, run } from './command.js';
import { OvsdbServer } from './ovsdb-server.js';

export class DummyOvs {
  private constructor(
    private readonly database: OvsdbServer,
    private readonly daemon: BackgroundProcess,
  ) {}

  /** @param program the daemon: takes ovs-vswitchd's options; Debian's unless told otherwise */
  static async start(program: readonly string[] = ['ovs-vswitchd']): Promise<DummyOvs> {
    const database = await OvsdbServer.start();
    const { env } = database;
    await must(['ovs-vsctl', '--no-wait', 'init'], { env });
    const dummy = ['--enable-dummy=override', '--disable-system'];
    const argv = [...program, ...dummy, '-vconsole:off', '-vsyslog:off'];
    const daemon = BackgroundProcess.start([...argv, database.remote], { env });
    const ovs = new DummyOvs(database, daemon);
    await eventually('ovs-vswitchd to answer', async () => {
      const result = await run(['ovs-vsctl', '--timeout=5', 'show'], { env });
      return result.status === 0;
    });
    return ovs;
  }

  get directory(): string {
    return this.database.directory;
  }

  /** OVS_RUNDIR and the like point at this switch. */
  get env(): NodeJS.ProcessEnv {
    return this.database.env;
  }

  /** Adds a bridge that forwards nothing by itself, with two ports, `p1NAME` and `p2NAME`. */
  async addBridge(name: string): Promise<void> {
    const { env } = this;
    const ids = [
      'other-config:hwaddr=00:00:00:00:00:02',
      'other-config:datapath-id=0000000000000002',
    ];
    const bridge = ['set', 'bridge', name, 'datapath_type=dummy', 'fail_mode=secure', ...ids];
    const port = (n: number): string[] => [
      ...['--', 'add-port', name, `p${n}${name}`, '--', 'set', 'interface', `p${n}${name}`],
      ...['type=dummy', `ofport_request=${n}`],
    ];
    const argv = ['ovs-vsctl', '--timeout=20', 'add-br', name, '--', ...bridge];
    await must([...argv, ...port(1), ...port(2)], { env });
  }

  async stop(): Promise<void> {
    await this.daemon.stop();
    await this.database.stop();
  }
}
