/**
 * A cluster of three of Debian's ovsdb-servers on a fresh Open_vSwitch database, in a directory of
 * its own. The first member leads until it is lost.
 */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BackgroundProcess, eventually, must } from './command.js';

const SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema';

export class RaftCluster {
  readonly members: BackgroundProcess[] = [];
  /** Where clients connect to, a member each. */
  readonly remotes: string[] = [];

  private constructor(private readonly directory: string) {}

  static async start(): Promise<RaftCluster> {
    const cluster = new RaftCluster(await mkdtemp(join(tmpdir(), 'tapswitch-raft-')));
    for (const i of [0, 1, 2]) await cluster.addMember(i);
    return cluster;
  }

  private async addMember(i: number): Promise<void> {
    const { directory } = this;
    const raft = (member: number): string => `unix:${directory}/raft${member}`;
    const file = join(directory, `db${i}`);
    const how =
      i === 0
        ? ['create-cluster', file, SCHEMA, raft(0)]
        : ['join-cluster', file, 'Open_vSwitch', raft(i), raft(0)];
    await must(['ovsdb-tool', ...how]);
    const argv = [
      ...['ovsdb-server', '-vconsole:off', `--remote=punix:${directory}/s${i}`],
      ...[`--unixctl=${directory}/c${i}`, file],
    ];
    const env = { ...process.env, OVS_RUNDIR: directory, OVS_LOGDIR: directory };
    this.members.push(BackgroundProcess.start(argv, { env }));
    const remote = `unix:${directory}/s${i}`;
    this.remotes.push(remote);
    await eventually('the member to listen', () => existsSync(`${directory}/s${i}`));
    const joined = ['ovsdb-client', '-t', '10', 'wait', remote, 'Open_vSwitch', 'connected'];
    await must(joined, { timeoutMs: 15_000 });
  }

  async stop(): Promise<void> {
    for (const member of this.members) await member.stop('SIGKILL');
    await rm(this.directory, { recursive: true, force: true });
  }
}
