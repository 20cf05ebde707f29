import { NETLINK_NETFILTER, NetlinkError, NetlinkSocket, subscribe } from '@podwire/netlink';
import { parseConntrack, writeConntrackTuple } from './conntrack-codec.ts';
import type { ConntrackEntry, ConntrackFilter } from './conntrack-codec.ts';
import { matchesConntrack } from './conntrack-codec.ts';
import { NftError } from './errors.ts';
import { GROUP_CONNTRACK_DESTROY, GROUP_CONNTRACK_NEW, GROUP_CONNTRACK_UPDATE, NLM_F_CREATE, NLM_F_DUMP, NLM_F_REQUEST, SUBSYS_CTNETLINK } from './wire.ts';
import { MessageWriter } from './writer.ts';

const CT_NEW = 0, CT_GET = 1, CT_DELETE = 2; // IPCTNL_MSG_CT_*
const AF = { ip: 2, ip6: 10 } as const;
const FILTER_MARK = 8, FILTER_MARK_MASK = 21, ID = 12; // CTA_*

export type ConntrackEvent =
  | { readonly kind: 'new' | 'update' | 'destroy'; readonly entry: ConntrackEntry }
  /** Events were lost (ENOBUFS). */
  | { readonly kind: 'dirty' };

/** Connection tracking of one network namespace. */
export class Conntrack implements Disposable {
  readonly #socket: NetlinkSocket;
  readonly #netns: string | undefined;

  private constructor(socket: NetlinkSocket, netns: string | undefined) {
    this.#socket = socket;
    this.#netns = netns;
  }

  static open(options: { netns?: string } = {}): Conntrack {
    return new Conntrack(NetlinkSocket.open(NETLINK_NETFILTER, options), options.netns);
  }

  close(): void { this.#socket.close(); }
  [Symbol.dispose](): void { this.close(); }

  /** `conntrack -L [-f ipv4|ipv6] [-m MARK/MASK] ...`: the family and mark are filtered by the kernel, the rest here. */
  list(filter: ConntrackFilter = {}): readonly ConntrackEntry[] {
    const families = filter.family === undefined ? (['ip', 'ip6'] as const) : [filter.family];
    return families.flatMap((family) => {
      const request = new MessageWriter(64);
      if (filter.mark !== undefined) {
        request.u32be(FILTER_MARK, filter.mark.value);
        request.u32be(FILTER_MARK_MASK, filter.mark.mask ?? 0xffffffff);
      }
      return this.#request(CT_GET, NLM_F_DUMP, AF[family], request, 'conntrack -L')
        .map((payload) => parseConntrack(payload)).filter((entry) => matchesConntrack(entry, filter));
    });
  }

  /**
   * `conntrack -D`: this one connection, by its original tuple and id; false when it was gone already. The id keeps a new
   * connection with the same tuple alive.
   */
  delete(entry: Pick<ConntrackEntry, 'family' | 'original' | 'protocol' | 'id' | 'zone'>): boolean {
    const request = new MessageWriter(128);
    writeConntrackTuple(request, entry);
    request.u32be(ID, entry.id);
    return this.#ignoringAbsence(() => this.#request(CT_DELETE, 0, AF[entry.family], request, 'conntrack -D'));
  }

  /** Deletes what matches; returns the deleted entries. Connections that ended meanwhile are not among them. */
  deleteMatching(filter: ConntrackFilter): readonly ConntrackEntry[] {
    return this.list(filter).filter((entry) => this.delete(entry));
  }

  /** `conntrack -U --mark MARK`: false when the connection is gone. */
  setMark(entry: Pick<ConntrackEntry, 'family' | 'original' | 'protocol' | 'id' | 'zone'>, mark: number): boolean {
    const request = new MessageWriter(128);
    writeConntrackTuple(request, entry);
    request.u32be(FILTER_MARK, mark);
    return this.#ignoringAbsence(() => this.#request(CT_NEW, 0, AF[entry.family], request, 'conntrack -U'));
  }

  /** `conntrack -E`, until `signal` aborts. Returns when the subscription stands. */
  watch(onEvent: (event: ConntrackEvent) => void, signal: AbortSignal, options: { kinds?: readonly ('new' | 'update' | 'destroy')[] } = {}): void {
    const groups = { new: GROUP_CONNTRACK_NEW, update: GROUP_CONNTRACK_UPDATE, destroy: GROUP_CONNTRACK_DESTROY };
    const kinds = options.kinds ?? (['new', 'update', 'destroy'] as const);
    subscribe(NETLINK_NETFILTER, kinds.map((kind) => groups[kind]), (message) => {
      if (message.type >>> 8 !== SUBSYS_CTNETLINK >>> 8) return;
      const isNew = (message.flags & NLM_F_CREATE) !== 0;
      const kind = (message.type & 0xff) === CT_DELETE ? 'destroy' : isNew ? 'new' : 'update';
      onEvent({ kind, entry: parseConntrack(message.payload) });
    }, signal, { ...(this.#netns === undefined ? {} : { netns: this.#netns }), receiveBufferBytes: 16 << 20, onOverrun: () => onEvent({ kind: 'dirty' }) });
  }

  #ignoringAbsence(run: () => unknown): boolean {
    try {
      run();
      return true;
    } catch (error) {
      if (error instanceof NftError && error.code === 'ENOENT') return false;
      throw error;
    }
  }

  #request(type: number, flags: number, family: number, attributes: MessageWriter, operation: string): Buffer[] {
    const payload = Buffer.alloc(4 + attributes.length);
    payload[0] = family;
    attributes.bytes.copy(payload, 4, 0, attributes.length);
    try {
      return this.#socket.request(SUBSYS_CTNETLINK | type, NLM_F_REQUEST | flags, payload, { operation }).map((message) => message.payload);
    } catch (cause) {
      if (cause instanceof NetlinkError) throw new NftError(operation, cause.code, cause.kernelText, { cause });
      throw cause;
    }
  }
}
