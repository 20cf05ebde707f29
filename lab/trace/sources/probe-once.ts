// One packet's worth of traffic, run inside the sender's network namespace: a TCP connect, or one UDP datagram.
// Arguments: tcp|udp HOST PORT TIMEOUT_MS PAYLOAD_HEX SOURCE_PORT (0: any). Prints one line of JSON: ProbeResult.
import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';

export interface ProbeResult {
  readonly outcome: 'answered' | 'refused' | 'timeout' | 'unsent';
  readonly sourcePort: number;
  /** The system's error code, when there was one. */
  readonly code?: string;
}

const [protocol = '', host = '', portText = '', timeoutText = '', payloadHex = '', sourcePortText = '0'] = process.argv.slice(2);
const port = Number(portText);
const timeoutMs = Number(timeoutText);
const localPort = Number(sourcePortText);

let isDone = false;
/** The first outcome counts: a refusal may be told both by the socket and by the send. */
const print = (result: ProbeResult): void => {
  if (isDone) return;
  isDone = true;
  process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));
};

const refusals = new Set(['ECONNREFUSED', 'ECONNRESET']);
const outcomeOf = (code: string): ProbeResult['outcome'] => (refusals.has(code) ? 'refused' : code === 'ETIMEDOUT' ? 'timeout' : 'unsent');

function probeTcp(): void {
  const socket = connect({ host, port, ...(localPort === 0 ? {} : { localPort }) });
  let sourcePort = 0;
  const timer = setTimeout(() => print({ outcome: 'timeout', sourcePort }), timeoutMs);
  const note = (): void => {
    sourcePort = socket.localPort ?? sourcePort;
  };
  setImmediate(note);
  socket.once('connect', () => {
    note();
    clearTimeout(timer);
    socket.destroy();
    print({ outcome: 'answered', sourcePort });
  });
  socket.once('error', (error: NodeJS.ErrnoException) => {
    clearTimeout(timer);
    const code = error.code ?? 'EUNKNOWN';
    print({ outcome: outcomeOf(code), sourcePort, code });
  });
}

function probeUdp(): void {
  const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
  const done = (outcome: ProbeResult['outcome'], code?: string): void => {
    print({ outcome, sourcePort: socket.address().port, ...(code === undefined ? {} : { code }) });
  };
  // A connected socket hears ICMP errors as ECONNREFUSED.
  socket.bind(localPort, () => socket.connect(port, host, () => {
    setTimeout(() => done('timeout'), timeoutMs);
    socket.once('message', () => done('answered'));
    socket.once('error', (error: NodeJS.ErrnoException) => done(outcomeOf(error.code ?? ''), error.code ?? 'EUNKNOWN'));
    socket.send(Buffer.from(payloadHex, 'hex'), (error) => {
      if (error !== null) done('unsent', (error as NodeJS.ErrnoException).code ?? 'EUNKNOWN');
    });
  }));
  socket.once('error', (error: NodeJS.ErrnoException) => done('unsent', error.code ?? 'EUNKNOWN'));
}

if (protocol === 'tcp') probeTcp();
else probeUdp();
