/** Flow monitors: what they hear, when they pause, and how they go on. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OFPP } from '../../../src/openflow/actions.js';
import { matchAny } from '../../../src/openflow/match.js';
import type { OfMessage } from '../../../src/openflow/messages.js';
import { OFPG } from '../../../src/openflow/messages-groups.js';
import {
  type FlowMonitor,
  type FlowUpdate,
  MONITOR_FLAG,
} from '../../../src/openflow/messages-monitor.js';
import { Controllers, flow, type Peer } from './support/controllers.js';

const { INITIAL, ADD, REMOVED, MODIFY, INSTRUCTIONS, ONLY_OWN } = MONITOR_FLAG;
const ALL = INITIAL | ADD | REMOVED | MODIFY | INSTRUCTIONS;

let all: Controllers;

beforeEach(async () => {
  all = await Controllers.open();
});
afterEach(() => all.close());

const monitor = (extra: Partial<FlowMonitor> = {}): FlowMonitor => ({
  ...{ id: 1, command: 'add', flags: ALL, outPort: OFPP.NONE, outGroup: OFPG.ANY, table: 255 },
  match: matchAny(),
  ...extra,
});

const ask = (...entries: FlowMonitor[]): OfMessage => ({ type: 'flow_monitor_request', entries });

const updatesOf = (messages: readonly OfMessage[]): FlowUpdate[] =>
  messages.flatMap((msg) => (msg.type === 'flow_monitor_reply' ? msg.entries : []));

/** 'added 5' for each update, by its cookie. */
const short = (updates: readonly FlowUpdate[]): string[] =>
  updates.map((u) => ('cookie' in u ? `${u.event} ${u.cookie}` : u.event));

async function heard(peer: Peer): Promise<string[]> {
  return short(updatesOf(await peer.settled()));
}

describe.each([1, 2, 3, 4, 5, 6])('in version %i', (version) => {
  it('a monitor hears of what is there and of what others change', async () => {
    const [watcher, other] = [await all.join(version), await all.join(4)];
    other.send(flow('cookie=1,in_port=1,actions=output:2'));
    await other.settled();
    const initial = updatesOf(await watcher.ask(ask(monitor())));
    expect(short(initial)).toEqual([version >= 5 ? 'initial 1' : 'added 1']);
    other.send(flow('cookie=2,in_port=2,actions=output:1'));
    other.send(flow('in_port=2,actions=drop', 'modify'));
    other.send(flow('in_port=2,actions=drop', 'modify'));
    other.send(flow('in_port=2', 'delete'));
    await other.settled();
    expect(await heard(watcher)).toEqual(['added 2', 'modified 2', 'removed 2']);
  });

  it('its own changes are abbreviated unless it asked for them in full', async () => {
    const peer = await all.join(version);
    await peer.ask(ask(monitor()));
    peer.send(flow('cookie=1,in_port=1,actions=output:2'), 0x77);
    peer.send(flow('in_port=1', 'delete'), 0x78);
    expect(updatesOf(await peer.settled())).toEqual([
      { event: 'abbrev', xid: 0x77 },
      { event: 'abbrev', xid: 0x78 },
    ]);
    await peer.ask(ask(monitor({ id: 2, flags: ALL | ONLY_OWN })));
    peer.send(flow('cookie=1,in_port=1,actions=output:2'));
    expect(await heard(peer)).toEqual(['added 1']);
  });
});

describe('a monitor', () => {
  it('hears of nothing but what it asked for', async () => {
    const [watcher, other] = [await all.join(5), await all.join(5)];
    const { match } = flow('in_port=1', 'delete');
    await watcher.ask(ask(monitor({ match, table: 1, outPort: 2, flags: ADD | MODIFY })));
    other.send(flow('table=1,cookie=1,in_port=1,ip,actions=output:2'));
    other.send(flow('table=0,cookie=2,in_port=1,actions=output:2'));
    other.send(flow('table=1,cookie=3,in_port=2,actions=output:2'));
    other.send(flow('table=1,cookie=4,in_port=1,arp,actions=output:3'));
    other.send(flow('table=1,in_port=1,ip,actions=drop', 'modify'));
    other.send(flow('table=1', 'delete'));
    await other.settled();
    // That it no longer sends to the port is news about the port, too.
    expect(await heard(watcher)).toEqual(['added 1', 'modified 1']);
  });

  it('hears why entries go', async () => {
    const [watcher, other] = [await all.join(4), await all.join(4)];
    await watcher.ask(ask(monitor()));
    other.send(flow('cookie=1,in_port=1,hard_timeout=1,actions=drop'));
    await other.settled();
    await watcher.settled();
    all.sw.advance(2000);
    const [update] = updatesOf(await watcher.settled());
    expect(update).toMatchObject({ event: 'removed', reason: 1, cookie: 1n });
  });

  it('ends when it is cancelled, and is known by its number alone', async () => {
    const peer = await all.join(1);
    await peer.ask(ask(monitor()));
    const [exists] = await peer.ask(ask(monitor({ id: 2 }), monitor()));
    expect(exists).toMatchObject({ type: 'error', error: 'OFPMOFC_MONITOR_EXISTS' });
    // The request that was refused left nothing behind.
    await peer.ask(ask(monitor({ id: 2, flags: ADD })));
    peer.send({ type: 'flow_monitor_cancel', id: 1 });
    peer.send({ type: 'flow_monitor_cancel', id: 2 });
    peer.send({ type: 'flow_monitor_cancel', id: 2 });
    peer.send(flow('cookie=1,in_port=1,actions=drop'));
    const rest = await peer.settled();
    expect(rest).toHaveLength(1);
    expect(rest[0]).toMatchObject({ type: 'error', error: 'OFPMOFC_UNKNOWN_MONITOR' });
  });

  it('is changed and ended by 1.4s commands', async () => {
    const peer = await all.join(6);
    await peer.ask(ask(monitor({ flags: ALL | ONLY_OWN })));
    await peer.ask(ask(monitor({ command: 'modify', flags: REMOVED | ONLY_OWN })));
    peer.send(flow('cookie=1,in_port=1,actions=drop'));
    peer.send(flow('in_port=1', 'delete'));
    expect(await heard(peer)).toEqual(['removed 1']);
    await peer.ask(ask(monitor({ command: 'delete' })));
    const [unknown] = await peer.ask(ask(monitor({ command: 'delete' })));
    expect(unknown).toMatchObject({ error: 'OFPMOFC_UNKNOWN_MONITOR' });
  });

  it('hears of a whole bundle in one message, and of none that was refused', async () => {
    const [watcher, other] = [await all.join(5), await all.join(5)];
    await watcher.ask(ask(monitor()));
    const bundle = async (...texts: string[]): Promise<void> => {
      const [flags, id] = [3, 9];
      const control = (ctrl: 'open_request' | 'commit_request'): OfMessage => ({
        ...{ type: 'bundle_control', bundle: id, ctrl, flags },
      });
      await other.ask(control('open_request'));
      const { encodeMessage } = await import('../../../src/openflow/codec/index.js');
      for (const [i, text] of texts.entries()) {
        const frame = encodeMessage(5, flow(text), 100 + i);
        other.send({ type: 'bundle_add_message', bundle: id, flags, frame }, 100 + i);
      }
      await other.ask(control('commit_request'));
    };
    await bundle('cookie=1,in_port=1,actions=drop', 'cookie=2,in_port=2,actions=group:77');
    expect(await watcher.settled()).toEqual([]);
    await bundle('cookie=1,in_port=1,actions=drop', 'cookie=2,in_port=2,actions=drop');
    const messages = await watcher.settled();
    expect(messages).toHaveLength(1);
    expect(short(updatesOf(messages))).toEqual(['added 1', 'added 2']);
  });
});

describe('a peer that does not read', () => {
  it('is told that it is not told, and what it missed once it reads', async () => {
    const [watcher, other] = [await all.join(5), await all.join(5)];
    other.send(flow('cookie=5,in_port=1,actions=drop'));
    await other.settled();
    await watcher.ask(ask(monitor()));
    watcher.socket.pause();
    const many = 20_000;
    for (let i = 0; i < many; i++) other.send(flow(`cookie=6,reg1=${i},actions=drop`));
    other.send(flow('cookie=7,in_port=2,actions=drop'));
    other.send(flow('in_port=1,actions=output:2', 'modify'));
    other.send(flow('cookie=6/-1', 'delete'));
    await other.settled();
    const all_ = updatesOf(watcher.heard.splice(0));
    watcher.socket.resume();
    while (!short(all_).includes('resumed')) {
      await watcher.settled().then((messages) => all_.push(...updatesOf(messages)));
    }
    const told = short(all_);
    const added = told.filter((text) => text === 'added 6').length;
    expect(added).toBeGreaterThan(100);
    expect(added).toBeLessThan(many);
    // What it had heard of and is gone, it is told; what it had not heard of, it is not.
    expect(told.filter((text) => text === 'removed 6')).toHaveLength(added);
    const tail = told.slice(told.lastIndexOf('paused'));
    expect(tail.filter((text) => text !== 'removed 6')).toEqual([
      'paused',
      ...['modified 5', 'added 7'].sort((a, b) => tail.indexOf(a) - tail.indexOf(b)),
      'resumed',
    ]);
    other.send(flow('cookie=8,udp,actions=drop'));
    await other.settled();
    expect(await heard(watcher)).toEqual(['added 8']);
  }, 60_000);
});
