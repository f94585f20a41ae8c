/**
 * The HTTP server: limits, access, errors, and which routes there are.
 *
 *     request ─> Host ─> other sites? ─> rate ─> token ─> schema ─> route ─> answer
 *
 * Not for: what a route answers (routes/, ../topics), the WebSocket (live.ts).
 */
import { existsSync } from 'node:fs';
import type { Socket } from 'node:net';
import rateLimit from '@fastify/rate-limit';
import fastifyStatic from '@fastify/static';
import swagger from '@fastify/swagger';
import type { TSchema } from '@sinclair/typebox';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { TapswitchError } from '../../common/errors.js';
import type { Console } from '../console.js';
import { addCaptureRoutes } from '../routes/captures.js';
import { addFlowTextRoutes } from '../routes/flow-text.js';
import { addHealthRoutes } from '../routes/health.js';
import { addReadRoutes } from '../routes/read.js';
import { addTraceRoutes } from '../routes/trace.js';
import { addWriteRoutes } from '../routes/write.js';
import { checker } from '../schema-check.js';
import { type AccessRules, bearerOf, checkHost, checkReader, checkSite } from './access.js';
import { limitConnections } from './connections.js';
import { answerTo } from './errors.js';
import { SECURITY_HEADERS } from './headers.js';

/** The largest request body; a packet of 64 KiB in hexadecimal fits. */
const BODY_BYTES_MAX = 256 * 1024;
const HEADER_BYTES_MAX = 16 * 1024;
const REQUEST_MS_MAX = 30_000;
/** Until the headers of a request are whole. */
const HEADERS_MS_MAX = 10_000;
const LOOK_MS = 2_000;
/** Connections of all, and of one address. */
const CONNECTIONS_MAX = 512;
const CONNECTIONS_OF_ADDRESS_MAX = 320;
/** Requests of one address. A page needs a few when it is opened, and none after. */
const RATE = { max: 600, timeWindow: 10_000 };

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Needs no token, wherever the console listens. */
    open?: boolean;
  }
}

export interface HttpOptions {
  rules: AccessRules;
  /** Folder of the built page. */
  page: string;
  version: string;
}

export async function buildServer(parts: Console, options: HttpOptions): Promise<FastifyInstance> {
  const app = Fastify({
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: REQUEST_MS_MAX,
    connectionTimeout: 60_000,
    keepAliveTimeout: 30_000,
    forceCloseConnections: true,
    return503OnClosing: false,
    routerOptions: { maxParamLength: 200, ignoreTrailingSlash: false },
    http: {
      maxHeaderSize: HEADER_BYTES_MAX,
      headersTimeout: HEADERS_MS_MAX,
      connectionsCheckingInterval: LOOK_MS,
    },
    exposeHeadRoutes: true,
    // An address that cannot be decoded meets neither hooks nor the error handler.
    frameworkErrors: (error, _request, reply: FastifyReply) => {
      const { status, body } = answerTo(error);
      void reply.headers(SECURITY_HEADERS).code(status).send(body);
    },
    clientErrorHandler: refuseBytes,
  });
  app.server.maxConnections = CONNECTIONS_MAX;
  limitConnections(app.server, CONNECTIONS_OF_ADDRESS_MAX);
  // JSON alone: a form of another site cannot send it.
  app.removeContentTypeParser('text/plain');
  app.setValidatorCompiler<TSchema>(({ schema, httpPart = '' }) => {
    const check = checker(schema, httpPart, httpPart !== 'body');
    return (value: unknown) => {
      try {
        return { value: check(value) };
      } catch (error) {
        return { error: error as Error };
      }
    };
  });
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(SECURITY_HEADERS);
    checkRequest(request, options.rules);
  });
  app.setErrorHandler((error, _request, reply) => {
    const { status, body } = answerTo(error);
    void reply.code(status).send(body);
  });
  app.setNotFoundHandler((request, reply) => {
    reply.headers(SECURITY_HEADERS);
    const { status, body } = answerTo(notFound(request));
    void reply.code(status).send(body);
  });
  await app.register(rateLimit, { global: true, ...RATE });
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'tapswitch console', version: options.version },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
    },
  });
  addHealthRoutes(app, parts);
  await app.register(
    async (api) => {
      addReadRoutes(api, parts);
      addTraceRoutes(api, parts);
      addFlowTextRoutes(api, parts);
      addCaptureRoutes(api, parts, options.rules);
      addWriteRoutes(api, parts, options.rules);
      const config = { open: true };
      api.get('/openapi.json', { schema: { hide: true }, config }, () => app.swagger());
    },
    { prefix: '/api/v1' },
  );
  await addPage(app, options.page);
  return app;
}

/** @throws TapswitchError for what must not be answered */
function checkRequest(request: FastifyRequest, rules: AccessRules): void {
  const { headers, method, routeOptions, url } = request;
  checkHost(headers, rules);
  const reads = method === 'GET' || method === 'HEAD';
  const isApi = url.startsWith('/api/') || url.startsWith('/metrics');
  if (isApi || !reads) checkSite(headers, !reads);
  if (isApi && !routeOptions.config.open) checkReader(bearerOf(headers), rules);
}

/** Why bytes are not a request, and what is answered; others are no HTTP at all. */
const BYTES_REFUSED: Readonly<Record<string, readonly [status: string, message: string]>> = {
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'the headers are too long'],
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'the request did not come to its end in time'],
};

/** What cannot be read as a request is answered, and the connection ended. */
function refuseBytes(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  const known = BYTES_REFUSED[error.code ?? ''];
  const [status, message] = known ?? ['400 Bad Request', 'that is no HTTP request'];
  const body = JSON.stringify({ code: 'E_WEB_REQUEST', message });
  const head = `Content-Type: application/json\r\nContent-Length: ${body.length}`;
  if (socket.writable)
    socket.write(`HTTP/1.1 ${status}\r\n${head}\r\nConnection: close\r\n\r\n${body}`);
  socket.destroySoon();
}

function notFound({ url, method }: FastifyRequest): TapswitchError {
  const path = url.split('?')[0].slice(0, 100);
  return new TapswitchError('E_WEB_NOT_FOUND', `there is no ${method} ${path}`);
}

/** The page's files; '/' is its index. What is not there is no file. */
async function addPage(app: FastifyInstance, folder: string): Promise<void> {
  if (!existsSync(folder)) {
    const text = 'The page has not been built: npm run build:web. The API is at /api/v1.\n';
    app.get('/', { schema: { hide: true } }, (_request, reply) =>
      reply.type('text/plain').send(text),
    );
    return;
  }
  await app.register(fastifyStatic, {
    root: folder,
    dotfiles: 'deny',
    index: 'index.html',
    // Names of assets carry a digest of their contents; the index is asked for each time.
    cacheControl: false,
    setHeaders: (response, path) => {
      const isAsset = path.includes('/assets/');
      const caching = isAsset ? 'public, max-age=31536000, immutable' : 'no-cache';
      response.setHeader('cache-control', caching);
    },
  });
}
