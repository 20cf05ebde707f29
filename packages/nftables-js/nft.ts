import type { Element, ElementView } from './element-codec.ts';
import type { Listing } from './listing.ts';
import type { MonitorEvent } from './monitor.ts';
import type { ElementValue, SetSchema, TableRef } from './schema.ts';
import type { Transaction } from './transaction.ts';

export interface CommitOptions {
  /** Only when the ruleset is still at this generation; else ERESTART and nothing happens. */
  readonly generation?: number;
  readonly signal?: AbortSignal;
}

export type ElementVisitor = (element: ElementView) => void;

/** What a program needs of nf_tables; KernelNft is the kernel, FakeNft keeps it in memory. One contract test runs both. */
export interface Nft {
  /** `nft -f -`: the text takes effect as one transaction. Throws NftError SYNTAX with the line, or the kernel's refusal. */
  loadRuleset(text: string, options?: { signal?: AbortSignal }): Promise<void>;
  /** Sends the transaction: all of it takes effect, or NftError names the failing operation with the kernel's text. Commits run in the order they were called. */
  commit(transaction: Transaction, options?: CommitOptions): Promise<void>;
  /** Tables, chains, sets and rules: `nft list ruleset` without elements; one table, or all. */
  list(table?: TableRef): Promise<Listing>;
  /**
   * Every element of a set or map; with `{ keys }` only those that are there of the given ones, which costs microseconds where reading all of a
   * large map takes seconds. With `visit` nothing is kept and [] comes back; the view is valid during the call. Throws ENOENT for a missing set.
   */
  elements(set: SetSchema, select?: ElementVisitor | { readonly keys: readonly ElementValue[] }): Promise<readonly Element[]>;
  /** Number of the ruleset's generation; every transaction of anybody raises it. */
  generation(): Promise<number>;
  /** Calls `onEvent` for changes by others than this object, until `signal` aborts. Own commits are told apart by port id. */
  monitor(onEvent: (event: MonitorEvent) => void, signal: AbortSignal): void;
}
