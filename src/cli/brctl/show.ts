/**
 * The tables that `brctl` prints, in its columns: scripts cut them by tabs.
 */

export interface BridgeRow {
  name: string;
  /** 12 hexadecimal digits. */
  mac: string;
  stp: boolean;
  ports: readonly string[];
}

/** `brctl show`. */
export function showBridges(bridges: readonly BridgeRow[]): string {
  const rows = bridges.map(({ name, mac, stp, ports }) => {
    const [first = '', ...others] = ports;
    const head = `${name}\t\t8000.${mac}\t${stp ? 'yes' : 'no'}\t\t${first}\n`;
    return head + others.map((port) => `\t\t\t\t\t\t\t${port}\n`).join('');
  });
  return `bridge name\tbridge id\t\tSTP enabled\tinterfaces\n${rows.join('')}`;
}

export interface MacRow {
  port: number;
  mac: string;
  local: boolean;
  ageSec: number;
}

/** `brctl showmacs`, by address. */
export function showMacs(macs: readonly MacRow[]): string {
  const sorted = [...macs].sort((a, b) => (a.mac < b.mac ? -1 : 1));
  const rows = sorted.map(({ port, mac, local, ageSec }) => {
    const number = `${port}`.padStart(3);
    return `${number}\t${mac}\t${local ? 'yes' : 'no'}\t\t${`${ageSec}`.padStart(4)}.00\n`;
  });
  return `port no\tmac addr\t\tis local?\tageing timer\n${rows.join('')}`;
}

/** Rows of fdb/show: ' port  VLAN  MAC                Age'. */
export function parseFdb(text: string): MacRow[] {
  const rows: MacRow[] = [];
  for (const line of text.split('\n').slice(1)) {
    const [port, , mac, age] = line.trim().split(/\s+/);
    if (mac === undefined) continue;
    rows.push({
      port: port === 'LOCAL' ? 0 : Number(port) || 0,
      mac,
      local: false,
      ageSec: Number(age) || 0,
    });
  }
  return rows;
}
