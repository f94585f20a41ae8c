/**
 * The temporary mirror of `tapswitch tcpdump`: an internal port that gets copies, in one
 * transaction with the mirror that makes them. It carries the process id of whom it serves, so that
 * one whose process is gone can be told and taken away.
 */
import { existsSync } from 'node:fs';
import { TapswitchError } from '../../common/errors.js';
import { askVsctl, type VsctlAnswer } from '../brctl/switch.js';
import type { CliIo } from '../io.js';

/** Of a Mirror's external_ids: the process that it serves. */
const OWNER = 'tapswitch-tcpdump';
const IFNAME_MAX = 15;

export interface Subject {
  bridge: string;
  /** Null: all ports of the bridge. */
  port: string | null;
}

/** What a name stands for. @throws TapswitchError E_CAPTURE_SUBJECT */
export async function findSubject(name: string, all: boolean, io: CliIo): Promise<Subject> {
  const isBridge = await askVsctl(['br-exists', name], io);
  if (isBridge.status === 0) return { bridge: name, port: null };
  if (isBridge.status !== 2) throw databaseError(isBridge);
  for (const command of ['port-to-br', 'iface-to-br']) {
    const { status, out } = await askVsctl([command, name], io);
    if (status !== 0) continue;
    const bridge = out.trim();
    if (all) return { bridge, port: null };
    return { bridge, port: command === 'port-to-br' ? name : await portOf(name, bridge, io) };
  }
  throw new TapswitchError(
    'E_CAPTURE_SUBJECT',
    `no bridge, port or interface named ${name}`,
    "'tapswitch vsctl show' lists them",
  );
}

/** The port that an interface is a member of: mirrors know ports alone. */
async function portOf(iface: string, bridge: string, io: CliIo): Promise<string> {
  const { out } = await askVsctl(['list-ports', bridge], io);
  for (const port of out.split('\n').filter((line) => line !== '')) {
    const members = await askVsctl(['get', 'Port', port, 'interfaces'], io);
    const uuid = await askVsctl(['get', 'Interface', iface, '_uuid'], io);
    if (members.out.includes(uuid.out.trim())) return port;
  }
  return iface;
}

function databaseError({ err }: VsctlAnswer): TapswitchError {
  return new TapswitchError('E_CAPTURE_MIRROR', err.trim(), 'is the switch running?');
}

/** A name for the mirror and its port that is free. */
export function mirrorName(subject: Subject, wanted: string | null): string {
  if (wanted !== null) return wanted;
  return `mi${subject.port ?? subject.bridge}`.slice(0, IFNAME_MAX);
}

/** Makes the mirror and its port. @throws TapswitchError E_CAPTURE_MIRROR */
export async function makeMirror(subject: Subject, name: string, io: CliIo): Promise<void> {
  const { bridge, port } = subject;
  const existing = await askVsctl(['port-to-br', name], io);
  if (existing.status === 0) {
    throw new TapswitchError(
      'E_CAPTURE_MIRROR',
      `there is a port named ${name} already`,
      'somebody else captures there; give another name with --mirror-to=NAME',
    );
  }
  const select =
    port === null ? ['select_all=true'] : ['select_src_port=@subject', 'select_dst_port=@subject'];
  const answer = await askVsctl(
    [
      ...['add-port', bridge, name, '--', 'set', 'Interface', name, 'type=internal'],
      ...['--', '--id=@out', 'get', 'Port', name],
      ...(port === null ? [] : ['--', '--id=@subject', 'get', 'Port', port]),
      ...['--', '--id=@mirror', 'create', 'Mirror', `name=${name}`, ...select],
      ...['output_port=@out', `external_ids:${OWNER}=${process.pid}`],
      ...['--', 'add', 'Bridge', bridge, 'mirrors', '@mirror'],
    ],
    io,
  );
  if (answer.status !== 0) throw databaseError(answer);
}

/** Takes the mirror and its port away. Not being there is no error. */
export async function removeMirror(bridge: string, name: string, io: CliIo): Promise<void> {
  // Deleting the port empties output_port; the mirror goes by its own reference.
  await askVsctl(
    [
      ...['--id=@mirror', 'get', 'Mirror', name],
      ...['--', 'remove', 'Bridge', bridge, 'mirrors', '@mirror'],
    ],
    io,
  );
  await askVsctl(['--if-exists', 'del-port', bridge, name], io);
}

/** Takes away mirrors whose process is gone, however it ended. */
export async function sweepMirrors(io: CliIo): Promise<void> {
  const columns = ['--format=json', '--columns=name,external_ids', 'list', 'Mirror'];
  const { status, out } = await askVsctl(columns, io);
  if (status !== 0) return;
  const { data } = JSON.parse(out) as { data: [string, ['map', [string, string][]]][] };
  for (const [name, [, ids]] of data) {
    const owner = ids.find(([key]) => key === OWNER)?.[1];
    if (owner === undefined || existsSync(`/proc/${owner}`)) continue;
    const bridge = await askVsctl(['port-to-br', name], io);
    if (bridge.status === 0) await removeMirror(bridge.out.trim(), name, io);
  }
}
