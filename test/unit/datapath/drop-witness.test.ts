/** Dropped packets are shown while somebody looks: which, with what reason, and of which port. */
import { beforeEach, describe, expect, it } from 'vitest';
import { DropReason, dropsAreShown, N_DROP_REASONS } from '../../../src/datapath/drop-reasons.js';
import type { OdpAction } from '../../../src/datapath/odp-actions.js';
import { CTL_CAPTURE_DROPS } from '../../../src/datapath/shared-stats.js';
import { UPCALL_DROP } from '../../../src/datapath/upcall-sink.js';
import { newFlow, W_IN_PORT } from '../../../src/packet/flow-layout.js';
import { EngineFixture } from './engine-fixture.js';

const FRAME = Uint8Array.from({ length: 60 }, (_, i) => i);
const EMSGSIZE = 90;
const ENETDOWN = 100;

let fixture: EngineFixture;

beforeEach(() => {
  fixture = new EngineFixture();
  fixture.stats.control[CTL_CAPTURE_DROPS] = 1;
});

/** What is shown of one frame that came in by port 3. */
function shown(frame: Uint8Array, actions: readonly OdpAction[]) {
  fixture.flow(0, newFlow(), newFlow(), actions);
  fixture.receive(frame, 3);
  return fixture.upcalls
    .filter(({ kind }) => kind === UPCALL_DROP)
    .map(({ frame: data, key, words }) => ({
      ...{ data, port: key[W_IN_PORT], reason: words[0], leaving: words[1] === 1 },
    }));
}

describe('what is dropped', () => {
  it('by the tables is shown with the port that it came in by', () => {
    const drop = { data: FRAME, port: 3, reason: DropReason.pipeline, leaving: false };
    expect(shown(FRAME, [])).toEqual([drop]);
  });

  it.each([
    ['is down', ENETDOWN, DropReason.portDown],
    ['takes no frame so long', EMSGSIZE, DropReason.txTooBig],
  ])('on its way out is shown with the port that %s', (_, errno, reason) => {
    fixture.answer = (port) => (port === 7 ? -errno : 0);
    const sent = shown(FRAME, [
      { type: 'output', port: 5 },
      { type: 'output', port: 7 },
    ]);
    expect(sent).toEqual([{ data: FRAME, port: 7, reason, leaving: true }]);
  });

  it('because there is no such port is shown, too', () => {
    const [drop] = shown(FRAME, [{ type: 'output', port: 9999 }]);
    expect(drop).toMatchObject({ port: 9999, reason: DropReason.invalidPort, leaving: true });
  });

  it('as no frame at all is shown as the bytes that there are', () => {
    const short = FRAME.subarray(0, 9);
    const drop = { data: short, port: 3, reason: DropReason.rxInvalidPacket, leaving: false };
    expect(shown(short, [])).toEqual([drop]);
  });

  it('is counted alone while nobody looks', () => {
    fixture.stats.control[CTL_CAPTURE_DROPS] = 0;
    fixture.answer = () => -ENETDOWN;
    expect(shown(FRAME, [{ type: 'output', port: 7 }])).toEqual([]);
    expect(fixture.stats.drops[DropReason.portDown]).toBe(1);
  });
});

it('most reasons have packets that can be shown', () => {
  const all = Array.from({ length: N_DROP_REASONS }, (_, reason) => reason);
  expect(all.filter((reason) => !dropsAreShown(reason)).length).toBe(7);
  expect(dropsAreShown(DropReason.portDown)).toBe(true);
  expect(dropsAreShown(DropReason.rxCopyFailed)).toBe(false);
});
