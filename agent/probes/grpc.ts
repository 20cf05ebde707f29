// grpc.health.v1.Health/Check over HTTP/2, by hand: one request message with one field, one response message with one field.
import http2 from 'node:http2';
import type { Socket } from 'node:net';

const serving = 1;

/** HealthCheckRequest { string service = 1 } in a gRPC frame. */
export function healthRequest(service: string): Buffer {
  const name = Buffer.from(service);
  if (name.length > 127) throw new RangeError(`gRPC probe: service name "${service}" is longer than 127 bytes`);
  const message = name.length === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0x0a, name.length]), name]);
  const header = Buffer.alloc(5);
  header.writeUInt32BE(message.length, 1);
  return Buffer.concat([header, message]);
}

/** HealthCheckResponse { ServingStatus status = 1 }: its status, 0 when unset. */
export function healthStatus(frame: Buffer): number {
  return frame.length >= 7 && frame.readUInt8(5) === 0x08 ? frame.readUInt8(6) : 0;
}

export function grpcCheck(socket: Socket, authority: string, service: string, timeoutMs: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const session = http2.connect(`http://${authority}`, { createConnection: () => socket });
    const finish = (problem: string | undefined): void => {
      clearTimeout(timer);
      session.destroy();
      socket.destroy();
      resolve(problem);
    };
    const timer = setTimeout(() => finish(`timeout: health rpc did not complete within ${timeoutMs / 1000}s`), timeoutMs);
    session.on('error', (error: Error) => finish(`error: failed to connect: ${error.message}`));
    const request = session.request({ ':method': 'POST', ':path': '/grpc.health.v1.Health/Check', 'content-type': 'application/grpc', te: 'trailers' });
    const chunks: Buffer[] = [];
    let grpcStatus: string | undefined;
    request.on('response', (headers) => { grpcStatus = headers['grpc-status'] as string | undefined; });
    request.on('trailers', (trailers: Record<string, unknown>) => { grpcStatus = (trailers['grpc-status'] as string | undefined) ?? grpcStatus; });
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('error', (error: Error) => finish(`error: health rpc failed: ${error.message}`));
    request.on('end', () => {
      const status = healthStatus(Buffer.concat(chunks));
      if (grpcStatus !== undefined && grpcStatus !== '0') finish(`error: health rpc failed: grpc-status ${grpcStatus}`);
      else finish(status === serving ? undefined : `service unhealthy (responded with status ${status})`);
    });
    request.end(healthRequest(service));
  });
}
