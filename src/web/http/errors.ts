/** Errors as answers: {code, message, hint?} with the HTTP status that fits. */
import type { FastifyError } from 'fastify';
import { TapswitchError } from '../../common/errors.js';
import { getLogger } from '../../common/log.js';
import type { ApiError } from '../api/index.js';

const STATUS: Readonly<Record<string, number>> = {
  E_WEB_REQUEST: 400,
  E_WEB_TOKEN: 401,
  E_WEB_READ_ONLY: 403,
  E_WEB_ORIGIN: 403,
  E_WEB_NOT_FOUND: 404,
  E_WEB_BUSY: 409,
  E_WEB_HOST: 421,
  E_WEB_REFUSED: 422,
  E_WEB_LIMIT: 429,
  E_WEB_CONTROL: 503,
  E_WEB_DATABASE: 503,
  E_WEB_OPENFLOW: 503,
  E_WEB_UNKNOWN: 501,
};

const log = getLogger('web');

/** What a client is told. Of what nobody foresaw it learns nothing but that it happened. */
export function answerTo(error: unknown): { status: number; body: ApiError } {
  if (error instanceof TapswitchError) {
    const { code, message, hint } = error;
    return { status: STATUS[code] ?? 500, body: { code, message, ...(hint ? { hint } : {}) } };
  }
  const { statusCode = 500, message, validation } = error as Partial<FastifyError>;
  if (validation !== undefined || (statusCode >= 400 && statusCode < 500)) {
    const code = statusCode === 429 ? 'E_WEB_LIMIT' : 'E_WEB_REQUEST';
    return { status: statusCode, body: { code, message: message ?? 'not a request' } };
  }
  log.err(`a request failed: ${error instanceof Error ? (error.stack ?? message) : error}`);
  return { status: 500, body: { code: 'E_WEB_INTERNAL', message: 'the console failed to answer' } };
}
