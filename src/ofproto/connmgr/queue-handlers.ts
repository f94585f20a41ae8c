/** Requests about the transmit queues of ports. Ports whose device names no queues have none. */
import { OFPP } from '../../openflow/actions.js';
import { fail } from '../../openflow/errors.js';
import type { OfMessage } from '../../openflow/messages.js';
import type {
  QueueDescRequest,
  QueueStatsEntry,
  QueueStatsRequest,
} from '../../openflow/messages-stats.js';
import type { Ofproto } from '../ofproto.js';
import type { OfPort } from '../port.js';

const QUEUE_ALL = 0xffffffff;
/** A counter, or a time, that nobody keeps. */
const UNKNOWN64 = 0xffffffffffffffffn;
const UNKNOWN32 = 0xffffffff;

function portsOf(ofproto: Ofproto, port: number): OfPort[] {
  if (port === OFPP.NONE || port === OFPP.ALL) return ofproto.ports();
  return [ofproto.portByNo(port) ?? fail('OFPQOFC_BAD_PORT')];
}

/** Devices that never have a queue that was asked for; others have not got it. */
const WITHOUT_QUEUES = new Set(['dummy', 'patch']);

const queuesOf = (port: OfPort): readonly number[] =>
  port.device.queueIds?.() ?? classesOf(port).map(({ queueId }) => queueId);

/** Classes that QoS made of the port, with their counters. */
function classesOf({ odpPort, ofproto }: OfPort) {
  if (odpPort === null) return [];
  return ofproto.backer.dpif.pmds?.txPorts(odpPort)[0]?.classes ?? [];
}

function counted(port: OfPort, id: number): Omit<QueueStatsEntry, 'port' | 'queue'> {
  const found = classesOf(port).find(({ queueId }) => queueId === id);
  if (!found) {
    const counters = { txBytes: UNKNOWN64, txPackets: UNKNOWN64, txErrors: UNKNOWN64 };
    return { ...counters, durationSec: UNKNOWN32, durationNsec: UNKNOWN32 };
  }
  const ageMs = Math.max(0, port.ofproto.clock.now() - found.createdMs);
  return {
    txBytes: BigInt(found.bytes),
    txPackets: BigInt(found.packets),
    txErrors: BigInt(found.dropped),
    durationSec: Math.floor(ageMs / 1000),
    durationNsec: Math.floor(ageMs % 1000) * 1_000_000,
  };
}

/** @throws OfpError for ports and queues that are not there */
export function queueStats(ofproto: Ofproto, { port, queue }: QueueStatsRequest): OfMessage {
  const entries: QueueStatsEntry[] = portsOf(ofproto, port).flatMap((each) =>
    queuesOf(each)
      .filter((id) => queue === QUEUE_ALL || queue === id)
      .map((id) => ({
        port: each.ofPort,
        queue: id,
        ...counted(each, id),
      })),
  );
  if (entries.length === 0 && queue !== QUEUE_ALL) fail('OFPQOFC_BAD_QUEUE');
  return { type: 'queue_stats_reply', entries };
}

/** @throws OfpError OFPQOFC_BAD_PORT */
export function queueConfig(ofproto: Ofproto, port: number): OfMessage {
  const queues = portsOf(ofproto, port).flatMap((each) =>
    queuesOf(each).map((queue) => ({ port: each.ofPort, queue })),
  );
  return { type: 'queue_get_config_reply', port, queues };
}

/** @throws OfpError OFPQOFC_BAD_PORT, OFPQOFC_BAD_QUEUE; or NXQOFC_QUEUE_ERROR */
export function queueDescs(ofproto: Ofproto, { port, queue }: QueueDescRequest): OfMessage {
  const ports = portsOf(ofproto, port);
  const entries = ports.flatMap((each) =>
    queuesOf(each)
      .filter((id) => queue === QUEUE_ALL || queue === id)
      .map((id) => ({ port: each.ofPort, queue: id })),
  );
  if (entries.length === 0 && queue !== QUEUE_ALL) {
    const mayHave = ports.length === 1 && !WITHOUT_QUEUES.has(ports[0].device.type);
    fail(mayHave ? 'NXQOFC_QUEUE_ERROR' : 'OFPQOFC_BAD_QUEUE');
  }
  return { type: 'queue_desc_reply', entries };
}
