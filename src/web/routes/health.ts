/** GET /health, /ready, /metrics: for containers and Prometheus. */
import { Type } from '@sinclair/typebox';
import type { FastifyInstance } from 'fastify';
import type { Console } from '../console.js';

const Health = Type.Object({ status: Type.String(), reason: Type.Optional(Type.String()) });

export function addHealthRoutes(app: FastifyInstance, { subject, metrics }: Console): void {
  const config = { open: true, rateLimit: false as const };
  app.get(
    '/health',
    { config, schema: { summary: 'The console runs', response: { 200: Health } } },
    () => ({ status: 'ok' }),
  );
  app.get(
    '/ready',
    {
      config,
      schema: { summary: 'The switch answers', response: { 200: Health, 503: Health } },
    },
    async (_request, reply) => {
      const reason = await notReady(subject);
      if (reason === null) return { status: 'ready' };
      return reply.code(503).send({ status: 'not ready', reason });
    },
  );
  app.get('/metrics', { schema: { summary: 'Prometheus metrics' } }, async (_request, reply) => {
    const { text, type } = await metrics.render();
    return reply.type(type).send(text);
  });
}

async function notReady(subject: Console['subject']): Promise<string | null> {
  if (!subject.idl.live) return 'the database does not answer';
  if ((await subject.kind()) === 'none') return 'the control socket does not answer';
  const [row] = subject.rows('Open_vSwitch');
  if (!row) return 'the database is empty';
  const behind = row.get<number>('cur_cfg') < row.get<number>('next_cfg');
  return behind ? 'the configuration is not in force yet' : null;
}
