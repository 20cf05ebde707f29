// One probe, once: undefined when it passes, else why not. Sockets come from the caller, who knows the namespaces.
import http from 'node:http';
import type { Socket } from 'node:net';
import tls from 'node:tls';
import type { Container, Probe } from '@podwire/kube-client';
import { grpcCheck } from './grpc.ts';

export type Handler = Pick<Probe, 'exec' | 'httpGet' | 'tcpSocket'> & { readonly grpc?: { readonly port: number; readonly service?: string } };

export interface CheckTarget {
  readonly podIP: string;
  readonly container: Container;
  /** Connects from the node to the pod. */
  connect(host: string, port: number): Socket;
  /** Runs a command in the container; its exit code and output. */
  exec(command: readonly string[], timeoutMs: number): Promise<{ readonly exitCode: number; readonly output: string }>;
}

/** A port given by number or by the name of one of the container's ports. */
export function resolvePort(port: number | string, container: Container): number {
  const number = typeof port === 'number' ? port : /^\d+$/u.test(port) ? Number(port) : (container.ports ?? []).find((one) => one.name === port)?.containerPort;
  if (number === undefined || number < 1 || number > 65_535) throw new RangeError(`container ${container.name} has no port named "${port}"`);
  return number;
}

export async function runCheck(handler: Handler, target: CheckTarget, timeoutMs: number): Promise<string | undefined> {
  try {
    if (handler.exec !== undefined) {
      const result = await target.exec(handler.exec.command ?? [], timeoutMs);
      return result.exitCode === 0 ? undefined : result.output.trim() === '' ? `command ${JSON.stringify(handler.exec.command)} exited with ${result.exitCode}` : result.output.trim().slice(0, 500);
    }
    if (handler.httpGet !== undefined) return await httpCheck(handler.httpGet, target, timeoutMs);
    if (handler.tcpSocket !== undefined) {
      const { host, port } = handler.tcpSocket;
      return await tcpCheck(target.connect(host ?? target.podIP, resolvePort(port, target.container)), timeoutMs);
    }
    if (handler.grpc !== undefined) {
      const socket = target.connect(target.podIP, handler.grpc.port);
      return await grpcCheck(socket, `${bracket(target.podIP)}:${handler.grpc.port}`, handler.grpc.service ?? '', timeoutMs);
    }
    return 'the probe has no handler';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const bracket = (host: string): string => (host.includes(':') ? `[${host}]` : host);

function tcpCheck(socket: Socket, timeoutMs: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const finish = (problem: string | undefined): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(problem);
    };
    const timer = setTimeout(() => finish('dial tcp: i/o timeout'), timeoutMs);
    socket.once('connect', () => finish(undefined));
    socket.on('error', (error) => finish(`dial tcp: ${error.message}`));
  });
}

type HttpGet = NonNullable<Probe['httpGet']>;

function httpCheck(get: HttpGet, target: CheckTarget, timeoutMs: number): Promise<string | undefined> {
  const host = get.host ?? target.podIP;
  const port = resolvePort(get.port, target.container);
  const secure = get.scheme === 'HTTPS';
  const path = get.path === undefined || get.path === '' ? '/' : get.path.startsWith('/') ? get.path : `/${get.path}`;
  const headers: Record<string, string> = { 'user-agent': 'kube-probe/1.32', accept: '*/*', connection: 'close' };
  for (const header of get.httpHeaders ?? []) headers[header.name.toLowerCase()] = header.value;
  const url = `${secure ? 'https' : 'http'}://${bracket(host)}:${port}${path}`;
  return new Promise((resolve) => {
    const plain = target.connect(host, port);
    // A probe asks whether the pod answers, not who it is: its certificate is not checked, as in the kubelet.
    const socket = secure ? tls.connect({ socket: plain, rejectUnauthorized: false }) : plain;
    plain.on('error', (error) => socket.destroy(error));
    const request = http.request({ host, port, path, headers, agent: false, createConnection: () => socket });
    const finish = (problem: string | undefined): void => {
      clearTimeout(timer);
      request.destroy();
      socket.destroy();
      plain.destroy();
      resolve(problem);
    };
    const timer = setTimeout(() => finish(`Get "${url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`), timeoutMs);
    request.on('response', (response) => {
      const code = response.statusCode ?? 0;
      finish(code >= 200 && code < 400 ? undefined : `HTTP probe failed with statuscode: ${code}`);
    });
    request.on('error', (error) => finish(`Get "${url}": ${error.message}`));
    request.end();
  });
}
