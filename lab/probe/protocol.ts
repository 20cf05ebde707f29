// What probe client and server say to one another, over TCP and over dgram-rpc.

/** What a server says about itself and about who asked. */
export interface ProbeAnswer {
  /** POD_NAME, or '' outside of pods. */
  readonly pod: string;
  readonly node: string;
  /** The source address and port that the server saw. */
  readonly source: string;
  readonly sourcePort: number;
  /** The address the request was sent to, as the server saw it (TCP only): after DNAT. */
  readonly local?: string;
  /** The client's, to match request and answer. */
  readonly nonce: string;
}

/** TCP: one line, then `size` bytes; the answer is one line of JSON, then as many bytes. */
export function requestLine(nonce: string, size: number): string {
  return `probe ${nonce} ${size}\n`;
}

export function parseRequestLine(line: string): { readonly nonce: string; readonly size: number } | undefined {
  const [, nonce, size] = /^probe ([\w-]{1,64}) (\d{1,8})$/.exec(line) ?? [];
  return nonce === undefined || size === undefined ? undefined : { nonce, size: Number(size) };
}

/** UDP: the same line, padded to `size` bytes; the answer is JSON, padded with spaces. */
export function padded(text: string, size: number): Buffer {
  const bytes = Buffer.from(text, 'utf8');
  return bytes.length >= size ? bytes : Buffer.concat([bytes, Buffer.alloc(size - bytes.length, 0x20)]);
}

export function parseAnswer(text: string): ProbeAnswer | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  const { pod, node, source, sourcePort, nonce, local } = value as Partial<ProbeAnswer>;
  if (typeof pod !== 'string' || typeof node !== 'string' || typeof source !== 'string' || typeof sourcePort !== 'number' || typeof nonce !== 'string') return undefined;
  return { pod, node, source, sourcePort, nonce, ...(typeof local === 'string' ? { local } : {}) };
}

/** A dual-stack TCP socket shows IPv4 peers as ::ffff:10.0.0.1. */
export function plainAddress(address: string): string {
  return address.startsWith('::ffff:') ? address.slice(7) : address;
}

/** A name to be resolved first, by this server. */
export interface Lookup {
  /** Made longer by the search list of /etc/resolv.conf, unless it ends with a dot. */
  readonly name: string;
  readonly record: 'A' | 'AAAA';
  readonly server: string;
  readonly port: number;
  readonly transport: 'udp' | 'tcp';
}

/** One attempt that a client is asked for: a line of JSON on its standard input. */
export interface ProbeRequest {
  readonly id: string;
  /** connect: TCP without the probe's protocol, for servers of other kinds. */
  readonly protocol: 'tcp' | 'udp' | 'connect';
  readonly host: string;
  readonly port: number;
  readonly timeoutMs: number;
  readonly size?: number;
  readonly sourcePort?: number;
  /** Instead of `host`. */
  readonly lookup?: Lookup;
}

/** Its result: a line of JSON on standard output. */
export interface ProbeResult {
  readonly id: string;
  readonly ok: boolean;
  /** Nobody listens, a firewall rejects, or the DNS says that there is no such name. */
  readonly refused: boolean;
  readonly timeout: boolean;
  readonly ms: number;
  /** Anything else that went wrong: the errno. */
  readonly error?: string;
  readonly answer?: ProbeAnswer;
  /** The addresses that the lookup gave. */
  readonly resolved?: readonly string[];
  /** It did not come to the request itself. */
  readonly failedAt?: 'lookup';
}
