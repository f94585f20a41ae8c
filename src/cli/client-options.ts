/**
 * Options that the clients of a database share: how tables look, and keys for ssl: remotes.
 *
 * Not for: `--format` and `--data`, whose errors each program words in its own way.
 */
import type { TlsFiles } from '../ovsdb/tls.js';
import type { TableStyle } from './vsctl/table.js';

/** What the setters below fill in. */
export interface ClientSettings {
  style: TableStyle;
  tls: { -readonly [K in keyof TlsFiles]: TlsFiles[K] };
}

/** By option name: what it does to the settings. */
export const CLIENT_SETTERS: Readonly<Record<string, (o: ClientSettings, value: string) => void>> =
  {
    'no-headings': (o) => {
      o.style.headings = false;
    },
    pretty: (o) => {
      o.style.pretty = true;
    },
    bare: (o) => {
      Object.assign(o.style, { format: 'list', cells: 'bare', headings: false });
    },
    'max-column-width': (o, value) => {
      o.style.maxColumnWidth = Number.parseInt(value, 10) || 0;
    },
    'private-key': (o, value) => {
      o.tls.privateKey = value;
    },
    certificate: (o, value) => {
      o.tls.certificate = value;
    },
    'ca-cert': (o, value) => {
      o.tls.caCert = value;
    },
    'bootstrap-ca-cert': (o, value) => {
      o.tls.caCert = value;
      o.tls.bootstrap = true;
    },
    'ssl-protocols': (o, value) => {
      o.tls.protocols = value;
    },
    'ssl-ciphers': (o, value) => {
      o.tls.ciphers = value;
    },
  };
