/** POST flows/check and GET flows/complete: help with the flow syntax; nothing is sent anywhere. */
import type { FastifyInstance } from 'fastify';
import { ApiError, CompleteQuery, Completion, FlowCheck, FlowText } from '../api/index.js';
import type { Console } from '../console.js';
import { checkFlow } from '../flow-text/check.js';
import { completeFlow } from '../flow-text/complete.js';
import { namesOf } from '../subject/names.js';
import { portRows } from '../topics/port-rows.js';

export function addFlowTextRoutes(app: FastifyInstance, { subject }: Console): void {
  app.post(
    '/flows/check',
    {
      schema: {
        summary: 'Whether a flow can be read, and where the fault is if not',
        body: FlowText,
        response: { 200: FlowCheck, default: ApiError },
      },
    },
    (request) => {
      const { flow, bridge } = request.body as FlowText;
      return checkFlow(flow, namesOf(subject, bridge));
    },
  );
  app.get(
    '/flows/complete',
    {
      schema: {
        summary: 'What could stand at a place of a flow',
        querystring: CompleteQuery,
        response: { 200: Completion, default: ApiError },
      },
    },
    (request) => {
      const { text, cursor, bridge } = request.query as CompleteQuery;
      const rows = portRows(subject).filter(({ bridgeName }) => bridgeName === bridge);
      return completeFlow(text, Math.min(cursor ?? text.length, text.length), {
        ports: rows.map(({ name }) => name),
        names: namesOf(subject, bridge).ports,
      });
    },
  );
}
