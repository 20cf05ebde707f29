import type { IncomingMessage } from 'node:http';
import { StatusError } from './status-error.ts';

/** Kubernetes' limit on request bodies. */
export const maxBodyBytes = 3 * 1024 * 1024;

/** The whole body, at most 3 MiB. Plain listeners: an async iterator costs more than the rest of a small request. */
export function readBody(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= maxBodyBytes) chunks.push(chunk);
      else {
        request.pause();
        reject(new StatusError(413, 'RequestEntityTooLarge', `Request entity too large: limit is ${maxBodyBytes}`));
      }
    });
    request.once('end', () => resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, size)));
    request.once('error', reject);
    request.once('close', () => {
      if (!request.complete) reject(new StatusError(400, 'BadRequest', 'the client closed the connection before the end of the body'));
    });
  });
}
