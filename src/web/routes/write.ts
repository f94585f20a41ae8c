/**
 * What changes the switch: flow entries, and columns of ports. Only with --write, only with the
 * token, and every change is logged with who made it.
 */
import { type Static, Type } from '@sinclair/typebox';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { getLogger } from '../../common/log.js';
import { ApiError, Changed, FlowDelete, FlowText, PortChange } from '../api/index.js';
import type { Console } from '../console.js';
import { changeFlows } from '../flow-change.js';
import { type AccessRules, bearerOf, checkWriter } from '../http/access.js';
import { changePort } from '../port-change.js';
import { OfBridge } from '../topics/bridges.js';

const OfPort = Type.Object({ port: Type.String({ minLength: 1, maxLength: 64 }) });

const log = getLogger('web');

/** Refuses what has no right to change anything; before its body is read. */
export function onlyWriters(rules: AccessRules) {
  return async ({ headers }: FastifyRequest): Promise<void> => {
    checkWriter(bearerOf(headers), rules);
  };
}

/** Tells the log, and the client. */
export function changed(request: FastifyRequest, what: string): Changed {
  log.info(`${request.ip}: ${what.replace(/[^\x20-\x7e]/g, '?').slice(0, 1000)}`);
  return { changed: what };
}

export function addWriteRoutes(app: FastifyInstance, parts: Console, rules: AccessRules): void {
  const { subject, flows } = parts;
  const onRequest = onlyWriters(rules);
  const security = [{ token: [] }];
  const response = { 200: Changed, default: ApiError };
  app.post(
    '/bridges/:bridge/flows',
    {
      onRequest,
      schema: {
        ...{ summary: 'Adds a flow, or changes the one with its match and priority', security },
        ...{ params: OfBridge, body: FlowText, response },
      },
    },
    async (request) => {
      const { bridge } = request.params as OfBridge;
      const { flow } = request.body as FlowText;
      await changeFlows(subject, bridge, 'add', flow);
      await flows.renew(bridge);
      return changed(request, `${bridge}: added flow ${flow}`);
    },
  );
  app.delete(
    '/bridges/:bridge/flows',
    {
      onRequest,
      schema: {
        ...{ summary: 'Deletes flows: all that the match contains, or the one', security },
        ...{ params: OfBridge, body: FlowDelete, response },
      },
    },
    async (request) => {
      const { bridge } = request.params as OfBridge;
      const { flow, strict } = request.body as FlowDelete;
      await changeFlows(subject, bridge, strict ? 'delete_strict' : 'delete', flow);
      await flows.renew(bridge);
      return changed(request, `${bridge}: deleted flows ${flow}${strict ? ' (strict)' : ''}`);
    },
  );
  app.patch(
    '/ports/:port',
    {
      onRequest,
      schema: {
        ...{ summary: 'Changes columns of a port or bond', security },
        ...{ params: OfPort, body: PortChange, response },
      },
    },
    async (request) => {
      const { port } = request.params as Static<typeof OfPort>;
      return changed(request, await changePort(subject, port, request.body as PortChange));
    },
  );
}
