// How a worker gets its credentials. All machines know one secret (64 random hexadecimal digits that Vagrant gives them). The control
// plane serves each node's credentials sealed with a key derived from it: only who knows the secret can read them or make them up,
// so the answer needs no other protection and the worker needs no certificate beforehand.
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { LabError } from '../errors.ts';

/** File name to content. */
export type Bundle = Readonly<Record<string, string>>;

const cipher = 'aes-256-gcm';
const nonceBytes = 12;
const tagBytes = 16;

/** Throws a LabError for a secret that can be guessed. */
export function checkToken(token: string): string {
  if (!/^[0-9a-f]{64}$/u.test(token)) throw new LabError('EUSAGE', 'the join token must be 64 hexadecimal digits; make one with: openssl rand -hex 32');
  return token;
}

/** One key per node: what is sealed for one cannot pass for another's. */
function keyOf(token: string, node: string): Buffer {
  return Buffer.from(hkdfSync('sha256', Buffer.from(checkToken(token), 'hex'), Buffer.alloc(0), `podwire join ${node}`, 32));
}

export function seal(token: string, node: string, bundle: Bundle): Buffer {
  const nonce = randomBytes(nonceBytes);
  const box = createCipheriv(cipher, keyOf(token, node), nonce, { authTagLength: tagBytes });
  const text = Buffer.concat([box.update(JSON.stringify(bundle), 'utf8'), box.final()]);
  return Buffer.concat([nonce, box.getAuthTag(), text]);
}

/** Throws a LabError when it was not sealed with this secret for this node. */
export function unseal(token: string, node: string, sealed: Buffer): Bundle {
  try {
    const box = createDecipheriv(cipher, keyOf(token, node), sealed.subarray(0, nonceBytes), { authTagLength: tagBytes });
    box.setAuthTag(sealed.subarray(nonceBytes, nonceBytes + tagBytes));
    return JSON.parse(Buffer.concat([box.update(sealed.subarray(nonceBytes + tagBytes)), box.final()]).toString('utf8')) as Bundle;
  } catch (cause) {
    if (cause instanceof LabError) throw cause;
    throw new LabError('EFAILED', `the credentials for ${node} were not sealed with this machine's join token; provision the control plane and this machine with the same token`, { cause });
  }
}

/** GET /join/NODE */
export function joinServer(token: string, bundleOf: (node: string) => Promise<Bundle | undefined>): Server {
  checkToken(token);
  const answer = async (url: string): Promise<{ readonly status: number; readonly body: Buffer | string }> => {
    const node = /^\/join\/([a-z0-9-]{1,63})$/u.exec(url)?.[1];
    const bundle = node === undefined ? undefined : await bundleOf(node);
    return node === undefined || bundle === undefined ? { status: 404, body: 'no such node\n' } : { status: 200, body: seal(token, node, bundle) };
  };
  return createServer((request, response) => {
    answer(request.method === 'GET' ? (request.url ?? '') : '').then(
      ({ status, body }) => response.writeHead(status, { 'content-type': status === 200 ? 'application/octet-stream' : 'text/plain' }).end(body),
      (error: unknown) => {
        process.stderr.write(`podwire join: ${error instanceof Error ? error.message : String(error)}\n`);
        response.writeHead(500).end('failed; see the log of podwire-join\n');
      },
    );
  });
}

export interface FetchOptions {
  /** The control plane may still be starting. */
  readonly timeoutMs: number;
}

/** The credentials of a node, from `http://HOST:6444`. Throws a LabError that says what to look at. */
export async function fetchBundle(url: string, token: string, node: string, { timeoutMs }: FetchOptions): Promise<Bundle> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    let problem: string;
    try {
      const response = await fetch(`${url}/join/${node}`, { signal: AbortSignal.timeout(10_000) });
      if (response.status === 200) return unseal(token, node, Buffer.from(await response.arrayBuffer()));
      if (response.status === 404) throw new LabError('EFAILED', `the control plane at ${url} does not know ${node}; provision it with a roster that has ${node} in it`);
      problem = `HTTP ${response.status}`;
    } catch (error) {
      if (error instanceof LabError) throw error;
      problem = error instanceof Error ? (error.cause instanceof Error ? error.cause.message : error.message) : String(error);
    }
    if (performance.now() > deadline) throw new LabError('EFAILED', `${url} gives no credentials (${problem}); look at: systemctl status podwire-join, on the control plane`);
    await delay(500);
  }
}
