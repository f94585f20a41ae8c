/**
 * The other ends of veth pairs: in which named network namespace, and under which name there.
 *
 * Asked of ip(8) every few seconds while somebody watches; where there is no ip, or the names of
 * namespaces are not visible, nothing is known.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Clock } from '../../common/clock.js';
import { Sampled } from '../sampled.js';

const run = promisify(execFile);

export interface FarEnd {
  /** Null: this namespace, or one without a name. */
  namespace: string | null;
  /** The device's name there, or 'if7' where only its number is known. */
  device: string;
}

interface LinkInfo {
  ifname?: string;
  ifindex?: number;
  /** Peer's name in the same namespace. */
  link?: string | null;
  link_index?: number;
  /** Number of the peer's namespace, as this one counts them. */
  link_netnsid?: number;
  linkinfo?: { info_kind?: string };
}

const INTERVAL_MS = 5000;
const LINGER_MS = 10_000;
const OUTPUT_BYTES_MAX = 16 * 1024 * 1024;
const NAMESPACES_MAX = 64;
/** A device may be given another name in its namespace. */
const LOOK_AGAIN_MS = 30_000;

export class FarEnds {
  private readonly sampled: Sampled<ReadonlyMap<string, FarEnd>>;
  /** The near ends when namespaces were last looked into, and what was found. */
  private wires = '';
  private ends: ReadonlyMap<string, FarEnd> = new Map();
  private lookAgainMs = 0;

  constructor(
    private readonly clock: Clock,
    private readonly ip: (args: string[]) => Promise<string> = runIp,
  ) {
    const take = () => this.take();
    this.sampled = new Sampled({ clock, intervalMs: INTERVAL_MS, lingerMs: LINGER_MS, take });
  }

  /** By the near end's name. Never rejects. */
  get(): Promise<ReadonlyMap<string, FarEnd>> {
    return this.sampled.get();
  }

  private async take(): Promise<ReadonlyMap<string, FarEnd>> {
    const links = (await this.list<LinkInfo>(['-d', '-j', 'link', 'show'])).filter(
      ({ linkinfo }) => linkinfo?.info_kind === 'veth',
    );
    const wires = JSON.stringify(
      links.map(({ ifname, ifindex, link_index: far, link_netnsid: id }) => [
        ifname,
        ifindex,
        far,
        id,
      ]),
    );
    const now = this.clock.now();
    // Looking into namespaces takes a process each: only where wires have changed, or now and then.
    if (wires === this.wires && now < this.lookAgainMs) return this.ends;
    const ids = new Set(links.map(({ link_netnsid: id }) => id));
    const known = ids.size > 1 || !ids.has(undefined) ? await this.namespaces(ids) : new Map();
    const ends = new Map<string, FarEnd>();
    for (const link of links) {
      const end = farEnd(link, known);
      if (link.ifname !== undefined && end) ends.set(link.ifname, end);
    }
    this.wires = wires;
    this.ends = ends;
    this.lookAgainMs = now + LOOK_AGAIN_MS;
    return ends;
  }

  /** Names of namespaces, and of the devices in them, by the number that links carry. */
  private async namespaces(ids: ReadonlySet<number | undefined>): Promise<Namespaces> {
    const all = await this.list<{ name?: string; id?: number }>(['-j', 'netns', 'list']);
    const found: Namespaces = new Map();
    for (const { name, id } of all) {
      if (name === undefined || id === undefined || !ids.has(id)) continue;
      if (found.size >= NAMESPACES_MAX) break;
      const there = await this.list<LinkInfo>(['-n', name, '-j', 'link', 'show']);
      const devices = new Map(there.map((l) => [l.ifindex ?? 0, l.ifname ?? '']));
      found.set(id, { name, devices });
    }
    return found;
  }

  private async list<T>(args: string[]): Promise<T[]> {
    try {
      const parsed: unknown = JSON.parse(await this.ip(args));
      return Array.isArray(parsed) ? (parsed as T[]) : [];
    } catch {
      return [];
    }
  }
}

type Namespaces = Map<number, { name: string; devices: ReadonlyMap<number, string> }>;

function farEnd(link: LinkInfo, namespaces: Namespaces): FarEnd | null {
  if (link.link) return { namespace: null, device: link.link };
  const { link_index: index, link_netnsid: id } = link;
  if (index === undefined || index === 0 || id === undefined) return null;
  const namespace = namespaces.get(id);
  return {
    namespace: namespace?.name ?? `namespace ${id}`,
    device: namespace?.devices.get(index) ?? `if${index}`,
  };
}

async function runIp(args: string[]): Promise<string> {
  const { stdout } = await run('ip', args, { timeout: 3000, maxBuffer: OUTPUT_BYTES_MAX });
  return stdout;
}
