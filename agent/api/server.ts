// The node API: HTTPS on port 10250, the kubelet's own paths. Clients are known by a certificate of the cluster's CA.
import { readFile } from 'node:fs/promises';
import { STATUS_CODES } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import type { Logger } from 'pino';
import type { AgentConfig } from '../config.ts';
import type { PodManager } from '../manager.ts';
import type { Machine } from '../node/machine.ts';
import { attemptsOf, runningSandbox, uidOf } from '../pods/observed.ts';
import type { PodWorker } from '../pods/worker.ts';
import type { ContainerRuntime, RuntimeContainer } from '../runtime/runtime.ts';
import { relay } from './channels.ts';
import { serveLogs } from './logs.ts';
import { metricsText, statsSummary } from './stats.ts';
import { connectInNetns } from './netns-connect.ts';
import { servePortForward } from './port-forward.ts';
import type { Dial } from './port-forward.ts';
import { HttpError, parsePodPath, parseStreamOptions, refusal } from './request.ts';
import type { PodPath } from './request.ts';
import { spdyChannels } from './spdy-channels.ts';
import { acceptSpdy, acceptWebsocket, chooseProtocol, offered, upgradeKind, websocketBytes } from './upgrade.ts';
import { channelProtocols, websocketChannels } from './websocket-channels.ts';

export interface NodeApiDeps {
  readonly config: AgentConfig;
  readonly runtime: ContainerRuntime;
  readonly manager: PodManager;
  readonly machine: Machine;
  readonly log: Logger;
}

export interface NodeApi {
  readonly port: number;
  close(): Promise<void>;
}

const spdyForward = 'portforward.k8s.io';
const tunnelForward = 'SPDY/3.1+portforward.k8s.io';

export async function startNodeApi(deps: NodeApiDeps): Promise<NodeApi> {
  const { config, log } = deps;
  const server = https.createServer({
    cert: await readFile(config.tlsCertFile), key: await readFile(config.tlsPrivateKeyFile), ca: await readFile(config.clientCaFile),
    requestCert: true, rejectUnauthorized: false,
  });
  const stop = new AbortController();
  server.on('request', (request, response) => void answer(deps, request, response, stop.signal));
  server.on('upgrade', (request, socket: Duplex, head) => {
    socket.on('error', () => socket.destroy());
    void upgrade(deps, request, socket, head, stop.signal).catch((error: unknown) => {
      const { code, body } = refusal(error);
      if (code === 500) log.warn({ err: error, url: request.url }, 'stream failed');
      if (!socket.destroyed) socket.end(`HTTP/1.1 ${code} ${STATUS_CODES[code] ?? ''}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(error.code === 'EADDRINUSE'
      ? new Error(`node API: ${config.address}:${config.port} is in use: another agent, or a kubelet, runs on this node; stop it, or pass --port`) : error));
    server.listen(config.port, config.address, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      stop.abort();
      server.closeAllConnections();
      await new Promise((resolve) => { server.close(resolve); });
    },
  };
}

/** Any user of the cluster CA may ask for health; what shows or enters pods is for the API server and administrators. */
function authorize(request: IncomingMessage, pathname: string): void {
  const { socket } = request;
  if (!(socket instanceof TLSSocket) || !socket.authorized) throw new HttpError(401, 'Unauthorized: present a client certificate of the cluster CA');
  const subject = socket.getPeerCertificate().subject;
  const groups = [subject.O].flat();
  if (pathname === '/healthz' || subject.CN === 'kube-apiserver-kubelet-client' || subject.CN === 'kube-apiserver' || groups.includes('system:masters')) return;
  throw new HttpError(403, `Forbidden (user=${String(subject.CN)}, path=${pathname})`);
}

async function answer(deps: NodeApiDeps, request: IncomingMessage, response: ServerResponse, stop: AbortSignal): Promise<void> {
  const url = new URL(request.url ?? '/', 'https://node');
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const signal = AbortSignal.any([gone.signal, stop]);
  try {
    authorize(request, url.pathname);
    if (url.pathname === '/healthz') respond(response, 200, 'text/plain; charset=utf-8', 'ok');
    else if (url.pathname === '/pods') respond(response, 200, 'application/json', JSON.stringify({ kind: 'PodList', apiVersion: 'v1', metadata: {}, items: [...deps.manager.workers].map((worker) => worker.pod) }));
    else if (url.pathname === '/stats/summary') respond(response, 200, 'application/json', JSON.stringify(await statsSummary(deps, signal)));
    else if (url.pathname === '/metrics') respond(response, 200, 'text/plain; version=0.0.4; charset=utf-8', await metricsText(deps));
    else if (url.pathname.startsWith('/containerLogs/')) {
      const path = parsePodPath(url.pathname);
      await serveLogs(deps.runtime, await findWorker(deps, path), path, url.searchParams, response, signal);
    } else if (/^\/(exec|attach|portForward)\//u.test(url.pathname)) throw new HttpError(400, 'Upgrade request required');
    else throw new HttpError(404, '404 page not found');
  } catch (error) {
    const { code, body } = refusal(error);
    if (!response.headersSent) respond(response, code, 'application/json', body);
    else response.destroy();
  }
}

function respond(response: ServerResponse, code: number, type: string, body: string): void {
  response.writeHead(code, { 'content-type': type, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

async function findWorker(deps: NodeApiDeps, path: PodPath): Promise<PodWorker> {
  await deps.manager.whenSynced;
  const worker = deps.manager.find(path.namespace, path.pod);
  if (worker === undefined || (path.uid !== undefined && path.uid !== uidOf(worker.pod))) throw new HttpError(404, `pod "${path.namespace}/${path.pod}" does not exist on node ${deps.config.nodeName}`);
  return worker;
}

async function findRunning(worker: PodWorker, path: PodPath): Promise<RuntimeContainer> {
  const known = attemptsOf(worker.observed, path.container ?? '')[0];
  // The worker has not looked yet when the agent has just started.
  const found = known?.state === 'running' ? known : attemptsOf(await worker.look(), path.container ?? '')[0];
  if (found?.state !== 'running') throw new HttpError(404, `container not found ("${path.container ?? ''}"): it does not run in pod ${path.namespace}/${path.pod}`);
  return found;
}

async function upgrade(deps: NodeApiDeps, request: IncomingMessage, socket: Duplex, head: Buffer, stop: AbortSignal): Promise<void> {
  const url = new URL(request.url ?? '/', 'https://node');
  authorize(request, url.pathname);
  const path = parsePodPath(url.pathname);
  const kind = upgradeKind(request);
  const worker = await findWorker(deps, path);
  if (path.verb === 'portForward') return portForward(deps, worker, kind, request, socket, head);
  if (path.verb !== 'exec' && path.verb !== 'attach') throw new HttpError(404, '404 page not found');
  const container = await findRunning(worker, path);
  const options = parseStreamOptions(url.searchParams);
  const signal = stop;
  const streams = deps.runtime.streams;
  const open = path.verb === 'exec'
    ? () => streams.exec(container.id, { command: options.command, stdin: options.stdin, tty: options.tty }, signal)
    : () => streams.attach(container.id, { stdin: options.stdin, tty: container.tty }, signal);
  if (kind === 'websocket') {
    const protocol = chooseProtocol(channelProtocols, offered(request, 'sec-websocket-protocol'));
    const websocket = await acceptWebsocket(request, socket, head, protocol);
    await relay(websocketChannels(websocket, options), open);
    return;
  }
  const protocol = chooseProtocol(['v4.channel.k8s.io'], offered(request, 'x-stream-protocol-version'));
  if (head.length > 0) socket.unshift(head);
  acceptSpdy(socket, protocol);
  await relay(await spdyChannels(socket, options), open);
}

async function portForward(deps: NodeApiDeps, worker: PodWorker, kind: 'websocket' | 'spdy', request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
  const sandbox = runningSandbox(worker.observed);
  if (sandbox === undefined) throw new HttpError(404, `pod ${worker.pod.metadata?.name ?? ''} does not run`);
  const netns = `/proc/${sandbox.pid}/ns/net`;
  const dial: Dial = (port) => {
    if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new Error(`"${port}" is not a port`);
    return connectInNetns(netns, port);
  };
  const onError = (message: string): void => deps.log.debug({ pod: worker.pod.metadata?.name }, message);
  if (kind === 'websocket') {
    const protocol = chooseProtocol([tunnelForward], offered(request, 'sec-websocket-protocol'));
    const websocket = await acceptWebsocket(request, socket, head, protocol);
    return servePortForward(websocketBytes(websocket), dial, onError);
  }
  const protocol = chooseProtocol([spdyForward], offered(request, 'x-stream-protocol-version'));
  if (head.length > 0) socket.unshift(head);
  acceptSpdy(socket, protocol);
  return servePortForward(socket, dial, onError);
}
