/** Several controllers of one bridge over its control socket, and what each is told. */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Ofproto } from '../../../../src/ofproto/ofproto.js';
import type { FlowMod, OfMessage } from '../../../../src/openflow/messages.js';
import { parseFlow } from '../../../../src/openflow/syntax/flow-parse.js';
import { NO_NAMES } from '../../../../src/openflow/syntax/names.js';
import { OfConnection } from '../../../../src/openflow/vconn.js';
import { TestSwitch } from './bridge.js';

export function flow(text: string, command: FlowMod['command'] = 'add'): FlowMod {
  return parseFlow(text, command, NO_NAMES).flow;
}

/** A controller: `heard` keeps what nobody waited for. */
export class Peer {
  readonly heard: OfMessage[] = [];
  readonly connection: OfConnection;

  constructor(
    readonly socket: Socket,
    version: number,
  ) {
    this.connection = new OfConnection(socket, {
      versions: [version],
      onMessage: (msg) => this.heard.push(msg),
    });
  }

  send(msg: OfMessage, xid?: number): void {
    this.connection.send(msg, xid);
  }

  async ask(msg: OfMessage): Promise<OfMessage[]> {
    return this.connection.request(msg);
  }

  /** Everything sent before is done; what came of it has been heard. */
  async settled(): Promise<OfMessage[]> {
    await this.ask({ type: 'barrier_request' });
    return this.heard.splice(0);
  }
}

export class Controllers {
  readonly sw = new TestSwitch(true);
  readonly br: Ofproto;
  private readonly dir = mkdtempSync(join(tmpdir(), 'tapswitch-controllers-'));
  private readonly peers: Peer[] = [];

  private constructor() {
    this.br = this.sw.bridge('br0');
    for (const name of ['p1', 'p2']) this.sw.port(this.br, name);
  }

  static async open(): Promise<Controllers> {
    const controllers = new Controllers();
    await controllers.br.listenMgmt(join(controllers.dir, 'br0.mgmt'));
    controllers.br.flowMod(flow('', 'delete'));
    return controllers;
  }

  async join(version: number): Promise<Peer> {
    const peer = new Peer(connect(join(this.dir, 'br0.mgmt')), version);
    this.peers.push(peer);
    await peer.connection.whenOpen();
    return peer;
  }

  close(): void {
    for (const { socket } of this.peers) socket.destroy();
    this.sw.backer.close();
    rmSync(this.dir, { recursive: true });
  }
}
