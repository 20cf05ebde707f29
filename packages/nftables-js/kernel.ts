import { NETLINK_NETFILTER, NetlinkError, NetlinkSocket, TimeSlices, parseAck, subscribe } from '@podwire/netlink';
import type { NetlinkAck } from '@podwire/netlink';
import { eachAttribute, parseAttributes } from './attributes.ts';
import { ElementView } from './element-codec.ts';
import type { Element } from './element-codec.ts';
import { NftError } from './errors.ts';
import { parseChain, parseRule, parseSet, parseTable } from './listing.ts';
import type { Listing } from './listing.ts';
import { parseMonitorMessage } from './monitor.ts';
import type { MonitorEvent } from './monitor.ts';
import type { CommitOptions, ElementVisitor, Nft } from './nft.ts';
import { dump, dumpInSlices } from './kernel-dump.ts';
import { lookUp, requireSet } from './kernel-lookup.ts';
import { describeFailure } from './failure.ts';
import { loadRuleset } from './ruleset.ts';
import type { ElementValue, SetSchema, TableRef } from './schema.ts';
import { sendInThreadPool } from './send-async.ts';
import type { Transaction } from './transaction.ts';
import { BATCH_BEGIN, BATCH_END, FAMILY, GROUP_NFTABLES, MSG, NLM_F_REQUEST, SUBSYS_NFTABLES } from './wire.ts';
import { MessageWriter } from './writer.ts';

export interface KernelNftOptions {
  /** Path of a network namespace; default: the caller's. The object serves that namespace for its whole life. */
  readonly netns?: string;
}

/** The longest batch: a limit of the socket, not memory that is set aside. */
const SEND_BUFFER = 512 << 20;
/** Beyond this many bytes the kernel works longer than a few milliseconds; then it works on a pool thread, and Node goes on. */
const ASYNC_BYTES = 128 << 10;
const REMEMBERED_CHILDREN = 16;
const SET_ELEM_LIST_ELEMENTS = 3;

/** nf_tables of one network namespace, over one netlink socket. */
export class KernelNft implements Nft, Disposable {
  readonly #socket: NetlinkSocket;
  readonly #netns: string | undefined;
  readonly #batch = new MessageWriter(4096);
  /** Process ids of our latest `nft` children; netlink gives a process its pid as port id. */
  readonly #children: number[] = [];
  #sequence = 1;
  /** Commits that are on their way; undefined when none is. */
  #queue: Promise<void> | undefined;

  private constructor(socket: NetlinkSocket, netns: string | undefined) {
    this.#socket = socket;
    this.#netns = netns;
  }

  static open(options: KernelNftOptions = {}): KernelNft {
    return new KernelNft(NetlinkSocket.open(NETLINK_NETFILTER, { ...options, sendBufferBytes: SEND_BUFFER, receiveBufferBytes: 16 << 20 }), options.netns);
  }

  /** Own changes carry it in the monitor of others. */
  get portId(): number { return this.#socket.portId; }

  close(): void { this.#socket.close(); }
  [Symbol.dispose](): void { this.close(); }

  async loadRuleset(text: string, options: { signal?: AbortSignal } = {}): Promise<void> {
    await loadRuleset(text, {
      netns: this.#netns,
      signal: options.signal,
      onProcess: (pid) => {
        this.#children.push(pid);
        if (this.#children.length > REMEMBERED_CHILDREN) this.#children.shift();
      },
    });
  }

  commit(transaction: Transaction, options: CommitOptions = {}): Promise<void> {
    if (transaction.length === 0) return this.#queue ?? Promise.resolve();
    if (this.#queue === undefined && transaction.byteLength < ASYNC_BYTES) return this.#commitHere(transaction, options);
    const turn = (this.#queue ?? Promise.resolve()).then(() => transaction.byteLength < ASYNC_BYTES ? this.#commitHere(transaction, options) : this.#commitInPool(transaction, options));
    const settled: Promise<void> = turn.then(() => undefined, () => undefined).then(() => {
      if (this.#queue === settled) this.#queue = undefined;
    });
    this.#queue = settled;
    return turn;
  }

  // Asynchronous only in its signature: the change is in the kernel when the call returns.
  // eslint-disable-next-line @typescript-eslint/require-await
  async #commitHere(transaction: Transaction, options: CommitOptions): Promise<void> {
    options.signal?.throwIfAborted();
    this.#commitNow(transaction, options);
  }

  #commitNow(transaction: Transaction, options: CommitOptions): void {
    const writer = this.#batch;
    writer.length = 0;
    this.#writeBatch(writer, transaction, options);
    const bytes = writer.bytes.subarray(0, writer.length);
    const report = this.#socket.transact(bytes, 'nft transaction');
    const [first] = report.errors;
    if (first !== undefined) throw describeFailure(bytes, first, transaction);
    if (report.isOverrun) throw overrun();
    if (writer.bytes.length > ASYNC_BYTES * 4) this.#batch.bytes = Buffer.allocUnsafeSlow(4096);
  }

  async #commitInPool(transaction: Transaction, options: CommitOptions): Promise<void> {
    options.signal?.throwIfAborted();
    const writer = new MessageWriter(transaction.byteLength + 256);
    this.#writeBatch(writer, transaction, options);
    const bytes = writer.bytes.subarray(0, writer.length);
    await sendInThreadPool(this.#socket.fd, bytes);
    const answers = this.#drain();
    const [first] = answers.errors;
    if (first !== undefined) throw describeFailure(bytes, first, transaction);
    if (answers.isOverrun) throw overrun();
  }

  /** The kernel has worked through the batch when send returns, and every refusal is queued: nothing is waited for. */
  #drain(): { errors: readonly NetlinkAck[]; isOverrun: boolean } {
    const errors: NetlinkAck[] = [];
    let isOverrun = false;
    for (;;) {
      try {
        const messages = this.#socket.tryReceive(0, 'nft transaction');
        if (messages === undefined) return { errors, isOverrun };
        errors.push(...messages.filter((message) => message.type === 2).map(parseAck).filter((ack) => ack.errno !== 0));
      } catch (error) {
        if (!(error instanceof NetlinkError) || error.code !== 'ENOBUFS') throw error;
        isOverrun = true;
      }
    }
  }

  /** BEGIN, the messages with their sequence numbers, END. */
  #writeBatch(writer: MessageWriter, transaction: Transaction, options: CommitOptions): void {
    const begin = writer.beginMessage(BATCH_BEGIN, NLM_F_REQUEST, 0, SUBSYS_NFTABLES >>> 8);
    if (options.generation !== undefined) writer.u32be(1, options.generation);
    writer.endMessage(begin);
    transaction.writeMessages(writer);
    const end = writer.beginMessage(BATCH_END, NLM_F_REQUEST, 0, SUBSYS_NFTABLES >>> 8);
    writer.endMessage(end);
    const { bytes } = writer;
    for (let at = 0; at < writer.length; at += bytes.readUInt32LE(at)) {
      bytes.writeUInt32LE(this.#sequence, at + 8);
      this.#sequence = (this.#sequence + 1) >>> 0;
    }
  }

  async list(table?: TableRef): Promise<Listing> {
    await this.#queue;
    const family = table === undefined ? 0 : FAMILY[table.family];
    const mine = (ref: TableRef): boolean => table === undefined || (ref.name === table.name && ref.family === table.family);
    return {
      tables: dump(this.#socket, MSG.GETTABLE, family, 'list tables').map(parseTable).filter(mine),
      chains: dump(this.#socket, MSG.GETCHAIN, family, 'list chains').map(parseChain).filter((chain) => mine(chain.table)),
      sets: dump(this.#socket, MSG.GETSET, family, 'list sets').map(parseSet).filter((set) => mine(set.table)),
      rules: dump(this.#socket, MSG.GETRULE, family, 'list rules').map(parseRule).filter((rule) => mine(rule.table)),
    };
  }

  async elements(set: SetSchema, select?: ElementVisitor | { readonly keys: readonly ElementValue[] }): Promise<readonly Element[]> {
    await this.#queue;
    if (typeof select === 'object') return this.#lookUp(set, select.keys);
    const visit = select;
    const operation = `list ${set.data === undefined ? 'set' : 'map'} ${set.table.family} ${set.table.name} ${set.name}`;
    const kept: Element[] = [];
    const slices = new TimeSlices();
    const request = new MessageWriter(128);
    request.string(1, set.table.name);
    request.string(2, set.name);
    for (const payload of await dumpInSlices(this.#netns, MSG.GETSETELEM, FAMILY[set.table.family], operation, request)) {
      const list = parseAttributes(payload, 4).get(SET_ELEM_LIST_ELEMENTS);
      if (list === undefined) continue;
      if (slices.isOver) await slices.next();
      for (const { value } of eachAttribute(list)) {
        const view = new ElementView(set, value);
        if (visit === undefined) kept.push(view.decode());
        else visit(view);
      }
    }
    return kept;
  }

  #lookUp(set: SetSchema, keys: readonly ElementValue[]): readonly Element[] {
    requireSet(this.#socket, set);
    const found: Element[] = [];
    lookUp(this.#socket, set, keys, (view) => found.push(view.decode()));
    return found;
  }

  async generation(): Promise<number> {
    await this.#queue;
    const [message] = this.#socket.request(SUBSYS_NFTABLES | MSG.GETGEN, NLM_F_REQUEST, Buffer.alloc(4), { operation: 'nft generation' });
    const event = message === undefined ? undefined : parseMonitorMessage(MSG.NEWGEN, message.portId, message.payload);
    if (event?.kind !== 'generation') throw new NftError('nft generation', 'EPROTO', 'the kernel answered without a generation');
    return event.generation;
  }

  monitor(onEvent: (event: MonitorEvent) => void, signal: AbortSignal): void {
    subscribe(NETLINK_NETFILTER, [GROUP_NFTABLES], (message) => {
      if (this.#children.includes(message.portId)) return;
      const event = parseMonitorMessage(message.type, message.portId, message.payload);
      if (event === undefined || (event.kind === 'generation' && this.#children.includes(event.pid))) return;
      onEvent(event);
    }, signal, { ...(this.#netns === undefined ? {} : { netns: this.#netns }), ignorePortId: this.portId, receiveBufferBytes: 32 << 20, onOverrun: () => onEvent({ kind: 'dirty' }) });
  }
}

function overrun(): NftError {
  return new NftError('nft transaction', 'ENOBUFS', 'the kernel refused so many operations that its answers were lost; read the tables back');
}

