import type { IncomingMessage, ServerResponse } from 'node:http';
import { gzip } from 'node:zlib';
import { promisify } from 'node:util';
import type { Status } from './status-error.ts';

/** Smaller answers are not worth compressing. */
const gzipFromBytes = 128 * 1024;
const gzipAsync = promisify(gzip);

/** One `Warning:` header value, RFC 7234 with kubectl's code 299. */
const warningHeader = (text: string): string => `299 - "${text.replaceAll(/[\r\n]+/g, ' ').replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;

export type Answer = Readonly<{ code: number; json: string | Uint8Array; warnings?: readonly string[]; contentType?: string }>;

export async function sendAnswer(request: IncomingMessage, response: ServerResponse, { code, json, warnings = [], contentType = 'application/json' }: Answer): Promise<void> {
  let body: Buffer = typeof json === 'string' ? Buffer.from(json) : Buffer.from(json.buffer, json.byteOffset, json.byteLength);
  const headers: Record<string, string | number | string[]> = { 'Content-Type': contentType, 'Cache-Control': 'no-cache, private' };
  if (warnings.length > 0) headers['Warning'] = [...new Set(warnings)].map(warningHeader);
  if (body.length >= gzipFromBytes && /\bgzip\b/.test(request.headers['accept-encoding']?.toString() ?? '')) {
    body = await gzipAsync(body, { level: 1 });
    headers['Content-Encoding'] = 'gzip';
    headers['Vary'] = 'Accept-Encoding';
  }
  headers['Content-Length'] = body.length;
  response.writeHead(code, headers);
  response.end(request.method === 'HEAD' ? undefined : body);
}

export const sendStatus = (request: IncomingMessage, response: ServerResponse, status: Status): Promise<void> => {
  if (status.details?.retryAfterSeconds !== undefined) response.setHeader('Retry-After', status.details.retryAfterSeconds);
  return sendAnswer(request, response, { code: status.code, json: JSON.stringify(status) });
};
