import { writeElement } from './element-codec.ts';
import type { ElementOptions } from './element-codec.ts';
import type { ElementValue, SetSchema, Verdict } from './schema.ts';
import { FAMILY, MAX_ELEMENTS_PER_MESSAGE, MSG, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, SUBSYS_NFTABLES } from './wire.ts';
import { MessageWriter } from './writer.ts';

/** add: an equal element is fine, a different value is EEXIST. create: any existing element is EEXIST. delete: a missing one is ENOENT. */
export type ElementOperation = 'add' | 'create' | 'delete';

const TYPE = { add: MSG.NEWSETELEM, create: MSG.NEWSETELEM, delete: MSG.DELSETELEM } as const;
const FLAGS = { add: NLM_F_REQUEST | NLM_F_CREATE, create: NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL, delete: NLM_F_REQUEST } as const;
const MAX_LIST_BYTES = 60_000;
const LIST_TABLE = 1, LIST_SET = 2, LIST_ELEMENTS = 3; // NFTA_SET_ELEM_LIST_*

/**
 * The element operations of one set, in the order they were asked for. Runs of the same operation share a message; the
 * sets of a transaction may interleave freely, since they take effect together.
 */
export class ElementBucket {
  readonly set: SetSchema;
  readonly writer = new MessageWriter(512);
  elements = 0;
  #operation: ElementOperation | undefined;
  #message = 0;
  #list = 0;
  #inMessage = 0;

  constructor(set: SetSchema) {
    this.set = set;
  }

  append(operation: ElementOperation, key: ElementValue, data: ElementValue | Verdict | undefined, options: ElementOptions | undefined): void {
    const { writer } = this;
    if (this.#operation !== operation || this.#inMessage >= MAX_ELEMENTS_PER_MESSAGE || writer.length - this.#list > MAX_LIST_BYTES) {
      this.close();
      this.#open(operation);
    }
    writeElement(writer, this.set, key, data, options);
    this.elements++;
    this.#inMessage++;
  }

  #open(operation: ElementOperation): void {
    const { writer, set } = this;
    this.#operation = operation;
    this.#inMessage = 0;
    this.#message = writer.beginMessage(SUBSYS_NFTABLES | TYPE[operation], FLAGS[operation], FAMILY[set.table.family]);
    writer.string(LIST_TABLE, set.table.name);
    writer.string(LIST_SET, set.name);
    this.#list = writer.beginNested(LIST_ELEMENTS);
  }

  /** Fills in the lengths of the open message. Appending afterwards opens a new one. */
  close(): void {
    if (this.#operation === undefined) return;
    this.#operation = undefined;
    if (this.#inMessage === 0) { // its only element was unusable: the message goes, or the kernel would refuse an empty list
      this.writer.length = this.#message;
      return;
    }
    this.writer.endNested(this.#list);
    this.writer.endMessage(this.#message);
  }
}
