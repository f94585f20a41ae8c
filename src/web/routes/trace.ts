/**
 * POST trace: what the switch would do with a packet.
 *
 * A frame is turned into the flow that it belongs to: tracing the frame itself would have addresses
 * learned from it, and a console that only reads changes nothing.
 */
import type { FastifyInstance } from 'fastify';
import { TapswitchError } from '../../common/errors.js';
import { ApiError, TraceAnswer, TraceRequest } from '../api/index.js';
import type { Console } from '../console.js';
import { flowOfPacket } from '../packets/flow-of-packet.js';
import { type PortFacts, traceFromJson, traceFromText } from '../packets/trace.js';
import type { Subject } from '../subject/subject.js';
import { portRows } from '../topics/port-rows.js';

export function addTraceRoutes(app: FastifyInstance, parts: Console): void {
  const schema = {
    summary: 'What the switch would do with a packet, step by step; nothing changes by it',
    body: TraceRequest,
    response: { 200: TraceAnswer, default: ApiError },
  };
  app.post('/trace', { schema }, (request) => trace(parts, request.body as TraceRequest));
}

async function trace(parts: Console, request: TraceRequest): Promise<TraceAnswer> {
  const { subject } = parts;
  const { bridge } = request;
  subject.mustHaveDatabase();
  subject.mustHaveBridge(bridge);
  const flow = flowText(subject, request);
  const bonds = await parts.bonds.get().catch(() => []);
  const names = new Set(portRows(subject).map(({ name }) => name));
  const facts: PortFacts = { bridge, names, bonds };
  const { control } = subject;
  if ((await subject.kind()) === 'tapswitch') {
    const text = await control.ask('ofproto/trace', ['--json', '--names', bridge, flow]);
    return traceFromJson(text, facts);
  }
  return traceFromText(await control.ask('ofproto/trace', ['--names', bridge, flow]), facts);
}

/** @throws TapswitchError E_WEB_REQUEST */
function flowText(subject: Subject, request: TraceRequest): string {
  const { bridge, flow, packetHex, inPort } = request;
  if ((flow === undefined) === (packetHex === undefined)) {
    throw new TapswitchError('E_WEB_REQUEST', 'give either a flow or a packet');
  }
  const port = inPort === undefined ? '' : `in_port=${portNumber(subject, bridge, inPort)}`;
  const text = packetHex === undefined ? (flow ?? '') : flowOfPacket(Buffer.from(packetHex, 'hex'));
  if (text.startsWith('-')) throw new TapswitchError('E_WEB_REQUEST', 'that is no flow');
  return [port, text].filter((part) => part !== '').join(',');
}

function portNumber(subject: Subject, bridge: string, port: string): string {
  if (/^\d{1,10}$/.test(port) || port === 'LOCAL') return port;
  const row = portRows(subject).find((r) => r.name === port && r.bridgeName === bridge);
  const ofport = row?.iface.get<number | null>('ofport') ?? 0;
  if (ofport > 0) return ofport === 65534 ? 'LOCAL' : `${ofport}`;
  throw new TapswitchError('E_WEB_NOT_FOUND', `${bridge} has no port ${port}`);
}
