/**
 * The text of `--help`, and the list that `--options` prints.
 *
 * Not for: `--commands` (commands.ts).
 */

import type { DatabaseSchema } from '../../ovsdb/schema.js';
import { ROW_IDS } from './lookup.js';
import { defaultDb, GLOBAL_OPTIONS } from './options.js';

const COMMANDS = `
Open vSwitch commands:
  init                        do nothing but check that the database is there
  show                        print the configuration as a tree
  emer-reset                  clear controllers, managers, mirrors and the like

Bridge commands:
  add-br BRIDGE               add a bridge
  add-br BRIDGE PARENT VLAN   add a VLAN ("fake") bridge to PARENT on VLAN
  del-br BRIDGE               delete BRIDGE with its ports
  list-br                     print the names of the bridges
  br-exists BRIDGE            exit with status 2 if there is no BRIDGE
  br-to-vlan BRIDGE           print BRIDGE's VLAN, 0 if it has none
  br-to-parent BRIDGE         print the parent of BRIDGE
  br-set-external-id BRIDGE KEY VALUE  set KEY to VALUE on BRIDGE
  br-set-external-id BRIDGE KEY  remove KEY from BRIDGE
  br-get-external-id BRIDGE KEY  print the value of KEY on BRIDGE
  br-get-external-id BRIDGE   print all keys and values on BRIDGE

Port commands (a bond is one port):
  list-ports BRIDGE           print the names of BRIDGE's ports
  add-port BRIDGE PORT [COLUMN[:KEY]=VALUE]...  add the device PORT to BRIDGE
  add-bond BRIDGE PORT IFACE...  add the bond PORT of IFACEs to BRIDGE
  add-bond-iface PORT IFACE   add IFACE to the bond PORT
  del-bond-iface [PORT] IFACE  take IFACE out of its bond
  del-port [BRIDGE] PORT      delete PORT
  port-to-br PORT             print the name of PORT's bridge

Interface commands (a bond has several interfaces):
  list-ifaces BRIDGE          print the names of BRIDGE's interfaces
  iface-to-br IFACE           print the name of IFACE's bridge

Controller commands:
  get-controller BRIDGE       print BRIDGE's controllers
  del-controller BRIDGE       delete BRIDGE's controllers
  [--inactivity-probe=MSECS]
  set-controller BRIDGE TARGET...  replace BRIDGE's controllers
  get-fail-mode BRIDGE        print BRIDGE's fail mode
  del-fail-mode BRIDGE        unset BRIDGE's fail mode
  set-fail-mode BRIDGE MODE   set it to "standalone" or "secure"

Manager commands:
  get-manager                 print the managers
  del-manager                 delete the managers
  [--inactivity-probe=MSECS]
  set-manager TARGET...       replace the managers

SSL commands:
  get-ssl                     print the SSL configuration
  del-ssl                     delete the SSL configuration
  set-ssl PRIV-KEY CERT CA-CERT  replace the SSL configuration

Auto Attach commands:
  add-aa-mapping BRIDGE I-SID VLAN  map I-SID to VLAN on BRIDGE
  del-aa-mapping BRIDGE I-SID VLAN  delete that mapping
  get-aa-mapping BRIDGE       print BRIDGE's mappings

Connection tracking and datapath commands:
  add-zone-tp DATAPATH zone=ID TIMEOUT=SECS...  set a zone's timeouts
  del-zone-tp DATAPATH zone=ID  unset a zone's timeouts
  list-zone-tp DATAPATH       print all zones' timeouts
  list-dp-cap DATAPATH        print what DATAPATH can do

Database commands:
  list TABLE [RECORD]...      print records, or all of TABLE
  find TABLE CONDITION...     print the records that satisfy all CONDITIONs
  get TABLE RECORD COLUMN[:KEY]...  print values
  set TABLE RECORD COLUMN[:KEY]=VALUE...  set values
  add TABLE RECORD COLUMN [KEY=]VALUE...  add to sets and maps
  remove TABLE RECORD COLUMN [KEY=]VALUE...  remove from sets and maps
  clear TABLE RECORD COLUMN...  empty sets and maps
  create TABLE COLUMN[:KEY]=VALUE...  create a record
  destroy TABLE RECORD...     delete records
  wait-until TABLE RECORD [COLUMN[:KEY]=VALUE]...  wait until it is so
  comment [WORD]...           write to the database's log
`;

const OPTIONS = `
  --no-wait                   return before the switch has taken up the change
  --retry                     try to connect for ever
  -t, --timeout=SECS          give up after SECS seconds
  --dry-run                   check, but change nothing
  --oneline                   print each command's output on one line

Output formatting options:
  -f, --format=FORMAT         "list" (default), "table", "html", "csv" or "json"
  -d, --data=FORMAT           values as "string" (default), "bare" or "json"
  --no-headings               without headings
  --pretty                    indent JSON
  --bare                      as --format=list --data=bare --no-headings
  --max-column-width=N        cut columns of tables to N characters

Logging options:
  -vSPEC, --verbose=SPEC      set logging levels
  -v, --verbose               log everything
  --log-file[=FILE]           log to FILE

Database connection methods:
  unix:FILE                   Unix domain socket
  tcp:HOST:PORT               TCP
  ssl:HOST:PORT               TLS, with:
    -p, --private-key=FILE    private key
    -c, --certificate=FILE    certificate for the private key
    -C, --ca-cert=FILE        certificate of the CA that signed the peer's

Other options:
  -h, --help                  print this text
  -V, --version               print the version
`;

/** The ways to name records, by table. */
function recordNames(schema: DatabaseSchema): string {
  let text = 'Records can be named in these ways:\n';
  for (const name of [...schema.tables.keys()].sort()) {
    const ways = ['by UUID'];
    if (schema.tables.get(name)?.maxRows === 1) ways.push('as "."');
    const id = ROW_IDS[name];
    if (id?.uuidColumn) {
      ways.push(`via "${id.uuidColumn}" of ${id.table} with matching "${id.nameColumn}"`);
    } else if (id) ways.push(`by "${id.nameColumn}"`);
    text += `  ${name}:\n${ways.map((way) => `    ${way}\n`).join('')}`;
  }
  return text;
}

/** What `--help` prints. */
export function usageText(
  programName: string,
  schema: DatabaseSchema,
  env: NodeJS.ProcessEnv,
): string {
  const head =
    `${programName}: ovs-vswitchd management utility\n` +
    `usage: ${programName} [OPTIONS] COMMAND [ARG...] [-- [OPTIONS] COMMAND [ARG...]]...\n`;
  const db =
    '\nOptions:\n' +
    '  --db=DATABASE               connect to DATABASE\n' +
    `                              (default: ${defaultDb(env)})`;
  return head + COMMANDS + recordNames(schema) + db + OPTIONS;
}

/** What `--options` prints: one option per line, for shells. */
export function optionsText(): string {
  let text = '';
  for (const { name, short, arg } of GLOBAL_OPTIONS) {
    text += `--${name}${arg === 'none' ? '' : '=ARG'}\n`;
    if (short) text += `-${short}${arg === 'none' ? '' : ' ARG'}\n`;
  }
  return text;
}
