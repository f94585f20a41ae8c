/** The GETs: one for each resource. */
import type { FastifyInstance } from 'fastify';
import { ApiError } from '../api/index.js';
import type { Console } from '../console.js';
import type { Query } from '../topics/resource.js';

export function addReadRoutes(app: FastifyInstance, { resources }: Console): void {
  for (const { path, summary, params, query, answer, read } of resources) {
    const schema = {
      summary,
      response: { 200: answer, default: ApiError },
      ...(params === undefined ? {} : { params }),
      ...(query === undefined ? {} : { querystring: query }),
    };
    app.get(path, { schema }, (request) =>
      read({ ...(request.query as Query), ...(request.params as Query) }),
    );
  }
}
