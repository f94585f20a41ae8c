/**
 * Captures and examples of drops. A capture shows what people say to each other, so it takes the
 * right to write; examples of drops are headers only, unless the token is shown.
 */
import { type Static, Type } from '@sinclair/typebox';
import type { FastifyInstance } from 'fastify';
import { TapswitchError } from '../../common/errors.js';
import { ApiError, Capture, CaptureRequest, DropExamples, Packets } from '../api/index.js';
import type { Console } from '../console.js';
import { type AccessRules, bearerOf, isToken } from '../http/access.js';
import { packetRow } from '../packets/packet-row.js';
import { changed, onlyWriters } from './write.js';

const OfCapture = Type.Object({ id: Type.String({ pattern: '^[0-9a-f]{16}$' }) });
const PacketsQuery = Type.Object({
  offset: Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000_000 })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500 })),
});
const OfReason = Type.Object({ reason: Type.String({ pattern: '^[a-z_]{1,64}$' }) });
const ExamplesQuery = Type.Object({
  seconds: Type.Optional(Type.Integer({ minimum: 1, maximum: 30 })),
  packets: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })),
});

/** Bytes of a dropped packet that everybody sees: Ethernet, IP and TCP headers. */
const HEADER_BYTES = 64;

export function addCaptureRoutes(app: FastifyInstance, parts: Console, rules: AccessRules): void {
  const { captures } = parts;
  const onRequest = onlyWriters(rules);
  const security = [{ token: [] }];
  app.post(
    '/captures',
    {
      onRequest,
      schema: {
        ...{ summary: 'Starts a capture of a port', security, body: CaptureRequest },
        response: { 200: Capture, default: ApiError },
      },
    },
    (request) => {
      const capture = captures.start(request.body as CaptureRequest);
      changed(request, `capture of ${capture.port} for ${capture.seconds} s, '${capture.filter}'`);
      return capture;
    },
  );
  app.get(
    '/captures/:id',
    {
      onRequest,
      schema: {
        ...{ summary: 'State of a capture', security, params: OfCapture },
        response: { 200: Capture, default: ApiError },
      },
    },
    ({ params }) => captures.get((params as Static<typeof OfCapture>).id).capture,
  );
  app.get(
    '/captures/:id/packets',
    {
      onRequest,
      schema: {
        ...{ summary: 'Packets of a capture, decoded', security },
        ...{ params: OfCapture, querystring: PacketsQuery },
        response: { 200: Packets, default: ApiError },
      },
    },
    ({ params, query }): Packets => {
      const { capture, packets } = captures.get((params as Static<typeof OfCapture>).id);
      const { offset = 0, limit = 200 } = query as Static<typeof PacketsQuery>;
      const rows = packets.slice(offset, offset + limit).map(({ timeNs, ...packet }, i) => {
        const raw = { ...packet, at: Number(timeNs / 1000n) / 1000, port: null, reason: null };
        return packetRow(raw, offset + i, null);
      });
      return { capture, total: packets.length, offset, rows };
    },
  );
  app.get(
    '/captures/:id.pcapng',
    {
      onRequest,
      schema: { summary: 'A capture as pcapng', security, params: OfCapture },
    },
    ({ params }, reply) => {
      const { id } = params as Static<typeof OfCapture>;
      const { capture } = captures.get(id);
      const name = `${capture.port.replace(/[^\w.-]/g, '_')}-${id}.pcapng`;
      return reply
        .type('application/vnd.tcpdump.pcap')
        .header('content-disposition', `attachment; filename="${name}"`)
        .send(captures.file(id));
    },
  );
  addDropRoutes(app, parts, rules);
}

interface Example {
  at: number;
  port: string;
  leaving: boolean;
  reason: string;
  length: number;
  data: string;
}

function addDropRoutes(app: FastifyInstance, { subject }: Console, rules: AccessRules): void {
  let busy = false;
  app.get(
    '/drops/:reason/examples',
    {
      schema: {
        summary: 'Packets that are dropped for a reason; answers when there are some',
        params: OfReason,
        querystring: ExamplesQuery,
        response: { 200: DropExamples, default: ApiError },
      },
    },
    async (request): Promise<DropExamples> => {
      const { reason } = request.params as Static<typeof OfReason>;
      const { seconds = 5, packets = 20 } = request.query as Static<typeof ExamplesQuery>;
      const commands = await subject.control.commands();
      if (!commands.has('tapswitch/capture-drops')) {
        throw new TapswitchError('E_WEB_UNKNOWN', 'this switch cannot show what it drops');
      }
      if (busy) throw new TapswitchError('E_WEB_BUSY', 'somebody else looks at drops right now');
      busy = true;
      try {
        const args = [reason, `${packets}`, `${seconds}`];
        const patience = (seconds + 5) * 1000;
        const text = await subject.control.askAlone('tapswitch/capture-drops', args, patience);
        const whole = isToken(bearerOf(request.headers), rules);
        const rows = (JSON.parse(text) as Example[]).map((example, i) => {
          const data = Buffer.from(example.data, 'hex');
          const direction = example.leaving ? 'out' : 'in';
          return packetRow({ ...example, data, direction }, i, whole ? null : HEADER_BYTES);
        });
        return { reason, seconds, rows };
      } finally {
        busy = false;
      }
    },
  );
}
