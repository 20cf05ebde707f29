import { NftError, Transaction } from 'nftables-js';
import type { Element, ElementValue, FieldValue, Nft, SetSchema } from 'nftables-js';

/** A row that belongs to an attachment: its comment is how DEL and GC find it again. */
export interface OwnedRow {
  readonly set: SetSchema;
  readonly key: ElementValue;
  readonly keyEnd?: ElementValue;
  readonly data?: ElementValue;
  readonly comment: string;
  /** 'create': a row that is there already is a conflict (EEXIST), not a row to share. */
  readonly mode: 'add' | 'create';
}

const attempts = 20;

/** Adds all rows in one transaction. The table is loaded when it is not there: the first ADD on a machine pays for it. */
export async function addRows(nft: Nft, ruleset: string, rows: readonly OwnedRow[], signal?: AbortSignal): Promise<void> {
  const commit = () => nft.commit(transactionOf(rows, (transaction, row) => {
    const options = { comment: row.comment, ...(row.keyEnd === undefined ? {} : { keyEnd: row.keyEnd }) };
    if (row.mode === 'create') transaction.createElement(row.set, row.key, row.data, options);
    else transaction.addElement(row.set, row.key, row.data, options);
  }), signal === undefined ? {} : { signal });
  try {
    await commit();
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
    await nft.loadRuleset(ruleset, signal === undefined ? {} : { signal });
    await commit();
  }
}

/** Every row of `sets` whose comment `isMine`, with its set. A table that is not there has none. */
export async function ownedRows(nft: Nft, sets: readonly SetSchema[], isMine: (comment: string) => boolean): Promise<readonly FoundRow[]> {
  const found: FoundRow[] = [];
  for (const set of sets) {
    try {
      for (const element of await nft.elements(set)) if (element.comment !== undefined && isMine(element.comment)) found.push({ set, element });
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error;
    }
  }
  return found;
}

export interface FoundRow {
  readonly set: SetSchema;
  readonly element: Element;
}

/** Removes such rows; when somebody else removes one at the same time, looks again. Returns what went. */
export async function deleteRows(nft: Nft, sets: readonly SetSchema[], isMine: (comment: string) => boolean): Promise<readonly FoundRow[]> {
  for (let attempt = 1; ; attempt++) {
    const found = await ownedRows(nft, sets, isMine);
    if (found.length === 0) return found;
    try {
      await nft.commit(transactionOf(found, (transaction, { set, element }) =>
        transaction.deleteElement(set, valueOf(element.key), element.keyEnd === undefined ? undefined : { keyEnd: valueOf(element.keyEnd) })));
      return found;
    } catch (error) {
      if (!hasCode(error, 'ENOENT') || attempt === attempts) throw error;
    }
  }
}

function transactionOf<T extends { readonly set: SetSchema }>(rows: readonly T[], write: (transaction: Transaction, row: T) => void): Transaction {
  const first = rows[0];
  if (first === undefined) throw new Error('a transaction of no rows');
  const transaction = new Transaction(first.set.table);
  for (const row of rows) write(transaction, row);
  return transaction;
}

const valueOf = (fields: readonly FieldValue[]): ElementValue => fields;

export const hasCode = (error: unknown, ...codes: readonly string[]): boolean => error instanceof NftError && codes.includes(error.code);
