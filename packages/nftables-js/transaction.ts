import { ElementBucket } from './bucket.ts';
import type { ElementOptions } from './element-codec.ts';
import { NftError } from './errors.ts';
import { writeExpressions } from './expressions.ts';
import type { Expression } from './expressions.ts';
import type { ElementValue, SetSchema, TableRef, Verdict } from './schema.ts';
import { FAMILY, MSG, NLM_F_APPEND, NLM_F_CREATE, NLM_F_REQUEST, SUBSYS_NFTABLES } from './wire.ts';
import { MessageWriter } from './writer.ts';

/** Changes of one table that take effect together or not at all. Collects; `Nft.commit` sends. */
export class Transaction {
  readonly table: TableRef;
  /** New chains and rules go first: a verdict element of the same transaction may name them. */
  readonly #first = new MessageWriter(256);
  readonly #buckets = new Map<SetSchema, ElementBucket>();
  /** Deleted rules and chains go last, when no element names them any more. */
  readonly #last = new MessageWriter(64);
  #others = 0;

  constructor(table: TableRef) {
    this.table = table;
  }

  /** How many operations it holds; 0: a commit does nothing. */
  get length(): number {
    let elements = this.#others;
    for (const bucket of this.#buckets.values()) elements += bucket.elements;
    return elements;
  }

  /** Bytes that a commit sends, roughly. */
  get byteLength(): number {
    let bytes = this.#first.length + this.#last.length;
    for (const bucket of this.#buckets.values()) bytes += bucket.writer.length;
    return bytes;
  }

  /**
   * `nft add element TABLE SET { KEY [: DATA] }`: nothing happens when the same element is there; EEXIST when the key has other data.
   * Throws NftError EUSAGE for values that do not fit the set; the transaction then is as before.
   */
  addElement(set: SetSchema, key: ElementValue, data?: ElementValue | Verdict, options?: ElementOptions): this {
    this.#bucket(set).append('add', key, data, options);
    return this;
  }

  /** `nft create element ...`: EEXIST when the key is there. */
  createElement(set: SetSchema, key: ElementValue, data?: ElementValue | Verdict, options?: ElementOptions): this {
    this.#bucket(set).append('create', key, data, options);
    return this;
  }

  /** `nft delete element TABLE SET { KEY }`: ENOENT when it is not there. */
  deleteElement(set: SetSchema, key: ElementValue, options?: ElementOptions): this {
    this.#bucket(set).append('delete', key, undefined, options);
    return this;
  }

  /** A changed map value is a deletion and an addition: the kernel has no other way. No packet sees the gap. */
  replaceElement(set: SetSchema, key: ElementValue, data: ElementValue | Verdict, options?: ElementOptions): this {
    return this.deleteElement(set, key).addElement(set, key, data, options);
  }

  /** `nft add element TABLE SET { FIRST - LAST }` or `{ ADDRESS/BITS }` in a single-field interval set; see cidrRange. */
  addRange(set: SetSchema, range: ElementRange): this {
    return this.#range('add', set, range);
  }

  deleteRange(set: SetSchema, range: ElementRange): this {
    return this.#range('delete', set, range);
  }

  #range(operation: 'add' | 'delete', set: SetSchema, { first, end }: ElementRange): this {
    if (!set.interval) throw new NftError(`range in ${set.name}`, 'EUSAGE', 'the set was not defined with { interval: true }');
    const bucket = this.#bucket(set);
    bucket.append(operation, first, undefined, undefined);
    if (end !== undefined) bucket.append(operation, end, undefined, { intervalEnd: true });
    return this;
  }

  /** `nft add chain TABLE NAME` (a regular chain); fine when it is there. */
  addChain(name: string): this {
    const writer = this.#first;
    const message = this.#begin(writer, MSG.NEWCHAIN, NLM_F_CREATE);
    writer.string(1, this.table.name);
    writer.string(3, name);
    return this.#end(writer, message);
  }

  /** `nft delete chain TABLE NAME`: with its rules. EBUSY while a rule or an element names it, ENOENT when it is not there. */
  deleteChain(name: string): this {
    this.flushChain(name, this.#last);
    const writer = this.#last;
    const message = this.#begin(writer, MSG.DELCHAIN, 0);
    writer.string(1, this.table.name);
    writer.string(3, name);
    return this.#end(writer, message);
  }

  /** `nft add rule TABLE CHAIN ...` at the end of the chain, from expressions. */
  addRule(chain: string, expressions: readonly Expression[]): this {
    const writer = this.#first;
    const message = this.#begin(writer, MSG.NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
    writer.string(1, this.table.name);
    writer.string(2, chain);
    writeExpressions(writer, 4, expressions);
    return this.#end(writer, message);
  }

  /** `nft delete rule TABLE CHAIN handle HANDLE` */
  deleteRule(chain: string, handle: bigint): this {
    const writer = this.#last;
    const message = this.#begin(writer, MSG.DELRULE, 0);
    writer.string(1, this.table.name);
    writer.string(2, chain);
    writer.u64be(3, handle);
    return this.#end(writer, message);
  }

  /** `nft flush chain TABLE CHAIN`; runs before the rules that the same transaction adds afterwards. */
  flushChain(chain: string, writer: MessageWriter = this.#first): this {
    const message = this.#begin(writer, MSG.DELRULE, 0);
    writer.string(1, this.table.name);
    writer.string(2, chain);
    return this.#end(writer, message);
  }

  /** `nft flush set TABLE SET` (or map): every element goes, before what this transaction adds to it. */
  flushSet(set: SetSchema): this {
    const writer = this.#first;
    const message = this.#begin(writer, MSG.DELSETELEM, 0);
    writer.string(1, set.table.name);
    writer.string(2, set.name);
    return this.#end(writer, message);
  }

  /** Every message in the order in which the kernel works through them. For drivers. */
  writeMessages(writer: MessageWriter): void {
    writer.append(this.#first);
    for (const bucket of this.#buckets.values()) {
      bucket.close();
      writer.append(bucket.writer);
    }
    writer.append(this.#last);
  }

  /** The sets that have operations here, by name. For drivers: names and types for errors. */
  sets(): ReadonlyMap<string, SetSchema> {
    return new Map([...this.#buckets.keys()].map((set) => [set.name, set]));
  }

  #bucket(set: SetSchema): ElementBucket {
    let bucket = this.#buckets.get(set);
    if (bucket === undefined) {
      if (set.table.name !== this.table.name || set.table.family !== this.table.family) {
        throw new NftError(`element of ${set.table.family} ${set.table.name} ${set.name}`, 'EUSAGE', `the transaction is of table ${this.table.family} ${this.table.name}`);
      }
      bucket = new ElementBucket(set);
      this.#buckets.set(set, bucket);
    }
    return bucket;
  }

  #begin(writer: MessageWriter, type: number, flags: number): number {
    this.#others++;
    return writer.beginMessage(SUBSYS_NFTABLES | type, NLM_F_REQUEST | flags, FAMILY[this.table.family]);
  }

  #end(writer: MessageWriter, message: number): this {
    writer.endMessage(message);
    return this;
  }
}

/** Half-open range of keys; without `end` it reaches to the last key there is. */
export interface ElementRange {
  readonly first: Uint8Array;
  readonly end?: Uint8Array;
}
