/**
 * Requests to the switch. Errors are always ApiError, with what to do next where that is known.
 *
 * Not for: what changes by itself (socket.ts).
 */
import { token } from './token.js';

export class ApiError extends Error {
  constructor(
    /** HTTP's status; 0: no answer. */
    readonly status: number,
    readonly code: string,
    message: string,
    readonly hint?: string,
  ) {
    super(message);
  }
}

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';

function headers(hasBody: boolean): Record<string, string> {
  const secret = token.get();
  return {
    ...(hasBody ? { 'content-type': 'application/json' } : {}),
    ...(secret === null ? {} : { authorization: `Bearer ${secret}` }),
  };
}

async function send(method: Method, path: string, body?: unknown): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(new URL(`api/v1/${path}`, document.baseURI), {
      method,
      headers: headers(body !== undefined),
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: 'no-store',
    });
  } catch {
    throw new ApiError(0, 'E_WEB_OFFLINE', 'The switch does not answer.');
  }
  if (response.ok) return response;
  if (response.status === 401) token.ask();
  const error = (await response.json().catch(() => ({}))) as Partial<ApiError>;
  const code = error.code ?? 'E_WEB_INTERNAL';
  const message = error.message ?? `The switch answered ${response.status}.`;
  throw new ApiError(response.status, code, message, error.hint);
}

async function json<T>(method: Method, path: string, body?: unknown): Promise<T> {
  const response = await send(method, path, body);
  return (response.status === 204 ? null : await response.json()) as T;
}

export const api = {
  get: <T>(path: string): Promise<T> => json<T>('GET', path),
  post: <T>(path: string, body: unknown): Promise<T> => json<T>('POST', path, body),
  patch: <T>(path: string, body: unknown): Promise<T> => json<T>('PATCH', path, body),
  del: <T>(path: string, body: unknown): Promise<T> => json<T>('DELETE', path, body),

  /** Fetches a file, with the token where there is one, and hands it to the browser to be saved. */
  async download(path: string, name: string): Promise<void> {
    const blob = await (await send('GET', path)).blob();
    const url = URL.createObjectURL(blob);
    const link = document.createElement('a');
    link.href = url;
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  },
};

/** `a/b` from parts that may hold anything. */
export function path(...parts: (string | number)[]): string {
  return parts.map((part) => encodeURIComponent(part)).join('/');
}
