/** The command lines of `start` and `vswitchd`. */
import { describe, expect, it } from 'vitest';
import { parseSwitchOptions, type SwitchFlags } from '../../../src/cli/daemon/switch-options.js';

const env = { OVS_RUNDIR: '/r', OVS_LOGDIR: '/l', OVS_DBDIR: '/d' };

function flagsOf(command: 'start' | 'vswitchd', ...argv: string[]): SwitchFlags {
  const request = parseSwitchOptions(command, argv, env);
  if (request.kind !== 'run') throw new Error(`asked for ${request.kind}`);
  return request.flags;
}

describe('parseSwitchOptions', () => {
  it('takes everything from the directories when nothing is said', () => {
    expect(flagsOf('start')).toMatchObject({
      daemon: {
        dirs: { runDir: '/r', logDir: '/l', dbDir: '/d' },
        pidFile: '/r/ovs-vswitchd.pid',
        logFile: null,
        unixctl: null,
        detach: false,
      },
      database: { kind: 'embedded', file: '/d/conf.db', socket: '/r/db.sock' },
      dummy: 'off',
    });
    expect(flagsOf('vswitchd').database).toEqual({ kind: 'remote', remotes: ['unix:/r/db.sock'] });
  });

  it.each(['unix:/r/db.sock', 'tcp:127.0.0.1:6640', 'pssl:6640'])(
    'makes no database named %s',
    (name) => {
      expect(() => flagsOf('start', `--db=${name}`)).toThrow('--db names a file, not a server');
    },
  );

  it('knows where Open vSwitch keeps its files', () => {
    const request = parseSwitchOptions('start', [], {});
    expect(request).toMatchObject({
      flags: {
        daemon: {
          dirs: {
            runDir: '/var/run/openvswitch',
            logDir: '/var/log/openvswitch',
            dbDir: '/etc/openvswitch',
          },
        },
      },
    });
  });

  it('takes the options that ovs-ctl gives ovs-vswitchd', () => {
    const line =
      'unix:/r/db.sock -vconsole:emer -vsyslog:err -vfile:info --mlockall --no-chdir ' +
      '--log-file=/l/x.log --pidfile=/r/x.pid --detach --monitor';
    expect(flagsOf('vswitchd', ...line.split(' '))).toMatchObject({
      database: { kind: 'remote', remotes: ['unix:/r/db.sock'] },
      daemon: {
        verbosity: ['console:emer', 'syslog:err', 'file:info'],
        chdir: false,
        detach: true,
        logFile: '/l/x.log',
        pidFile: '/r/x.pid',
        monitor: true,
        ignored: ['--mlockall'],
      },
    });
  });

  it('start --detach logs to the usual file, and to the terminal only warnings', () => {
    expect(flagsOf('start', '--detach', '-vbond:dbg').daemon).toMatchObject({
      announce: true,
      logFile: '/l/ovs-vswitchd.log',
      verbosity: ['console:warn', 'bond:dbg'],
    });
    expect(flagsOf('start', '--log-file=/x.log', '--detach').daemon.logFile).toBe('/x.log');
    expect(flagsOf('start').daemon).toMatchObject({ announce: false, logFile: null });
  });

  it('vswitchd --detach is as ovs-vswitchd', () => {
    expect(flagsOf('vswitchd', '--detach').daemon).toMatchObject({
      announce: false,
      logFile: null,
      verbosity: [],
    });
  });

  it('splits the members of a cluster', () => {
    const { database } = flagsOf('vswitchd', 'tcp:10.0.0.1:6640,tcp:10.0.0.2:6640');
    expect(database).toEqual({
      kind: 'remote',
      remotes: ['tcp:10.0.0.1:6640', 'tcp:10.0.0.2:6640'],
    });
  });

  it('takes relative sockets and pid files from the run directory', () => {
    expect(flagsOf('start', '--pidfile=a.pid', '--unixctl=b.ctl', '--db-socket=c')).toMatchObject({
      daemon: { pidFile: '/r/a.pid', unixctl: '/r/b.ctl' },
      database: { socket: '/r/c' },
    });
  });

  it.each([
    ['--enable-dummy', 'none'],
    ['--enable-dummy=override', 'all'],
    ['--enable-dummy=system', 'system'],
  ])('%s', (option, mode) => {
    expect(flagsOf('vswitchd', option).dummy).toBe(mode);
  });

  it('-v alone is maximum verbosity, --log-file alone the usual file', () => {
    expect(flagsOf('start', '-v', '--log-file')).toMatchObject({
      daemon: { verbosity: [null], logFile: '/l/ovs-vswitchd.log' },
    });
  });

  it.each([
    [['--web'], '127.0.0.1:8480'],
    [['--web=0.0.0.0:80'], '0.0.0.0:80'],
    [['--web', '0.0.0.0:80'], '0.0.0.0:80'],
    [['--web-write'], '127.0.0.1:8480'],
  ])('%j asks for the console', (options, listen) => {
    expect(flagsOf('start', ...options).web).toMatchObject({ listen });
    expect(flagsOf('start').web).toBeNull();
  });

  it('refuses what makes no sense', () => {
    expect(() => flagsOf('vswitchd', 'a', 'b')).toThrow('at most one non-option argument');
    expect(() => flagsOf('start', 'a')).toThrow('start takes no arguments beside options');
    expect(() => flagsOf('vswitchd', '--db=x')).toThrow("unrecognized option '--db'");
  });
});
