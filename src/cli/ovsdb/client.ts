/**
 * A connection to an OVSDB server for one command: requests, and the notifications that come.
 *
 * Not for: following a database for long (src/ovsdb/idl).
 */
import type { JsonValue } from '../../common/json.js';
import { JsonRpcConnection, JsonRpcReplyError } from '../../common/jsonrpc.js';
import { sortedText } from '../../ovsdb/error.js';
import { openRemote, type TlsFiles } from '../../ovsdb/idl/remote.js';
import { DatabaseSchema } from '../../ovsdb/schema.js';
import { connectionErrorText } from '../vsctl/connection.js';

/** What ends a command with a message and status 1. */
export class ClientError extends Error {
  override readonly name = 'ClientError';
}

/** A dump of a large database is one message. */
const MESSAGE_BYTES_MAX = 512 * 1024 * 1024;

export class OvsdbClient {
  /** Called for each notification. */
  onNotify: (method: string, params: JsonValue[]) => void = () => {};
  private ended!: (error?: Error) => void;
  /** Resolves when the connection ends. */
  readonly end = new Promise<Error | undefined>((resolve) => {
    this.ended = resolve;
  });
  private connection!: JsonRpcConnection;

  private constructor(readonly server: string) {}

  /** Connects. Throws ClientError. */
  static async connect(server: string, tls: TlsFiles): Promise<OvsdbClient> {
    const client = new OvsdbClient(server);
    const socket = await openRemote(server, tls).catch((error: Error) => {
      throw new ClientError(`failed to connect to "${server}" (${connectionErrorText(error)})`);
    });
    const handlers = {
      onRequest: (_method: string, _params: JsonValue[], id: JsonValue) =>
        client.connection.replyError(id, 'unknown method'),
      onNotify: (method: string, params: JsonValue[]) => client.onNotify(method, params),
      onClose: (error?: Error) => client.ended(error),
    };
    const options = { name: server, maxBytes: MESSAGE_BYTES_MAX };
    client.connection = new JsonRpcConnection(socket, handlers, options);
    return client;
  }

  /** Asks. Throws ClientError, in ovsdb-client's words, when there is no good answer. */
  async ask(method: string, params: JsonValue[]): Promise<JsonValue> {
    try {
      return await this.connection.request(method, params);
    } catch (error) {
      if (error instanceof JsonRpcReplyError) {
        throw new ClientError(`transaction returned error: ${sortedText(error.error)}`);
      }
      throw new ClientError(`transaction failed (${endReason(this.server, await this.end)})`);
    }
  }

  /** Names of databases, sorted. */
  async databases(): Promise<string[]> {
    return ((await this.ask('list_dbs', [])) as string[]).sort();
  }

  async schema(database: string): Promise<DatabaseSchema> {
    return DatabaseSchema.fromJson(await this.ask('get_schema', [database]));
  }

  /** Runs operations; every one must succeed. Returns their results. Throws ClientError. */
  async transact(database: string, operations: JsonValue[]): Promise<JsonValue[]> {
    const results = (await this.ask('transact', [database, ...operations])) as JsonValue[];
    for (const result of results) {
      if (result && typeof result === 'object' && 'error' in result) {
        throw new ClientError(`server returned error reply: ${sortedText(result)}`);
      }
    }
    return results;
  }

  close(): void {
    this.connection.close();
  }
}

/** Why the connection ended. Over TLS it may be that the server does not take our certificate. */
function endReason(server: string, error: Error | undefined): string {
  const code = (error as NodeJS.ErrnoException | undefined)?.code ?? '';
  const alert = /ALERT_(.+)$/.exec(code)?.[1];
  if (alert !== undefined) {
    return `the server refused the certificate: ${alert.toLowerCase().replaceAll('_', ' ')}`;
  }
  if (!server.startsWith('ssl:')) return 'End of file';
  return 'End of file; a server that does not trust the certificate ends the connection so';
}
