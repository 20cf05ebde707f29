import type { ApiObject } from '../registry/definition.ts';

/**
 * One stored object as the server holds it. The text lacks `metadata.resourceVersion` (the store gives the
 * revision only at commit); it is spliced in when the object is sent. Parsing happens when first needed.
 */
export class CachedObject {
  readonly key: string;
  readonly revision: number;
  readonly #text: string;
  #object: ApiObject | undefined;

  constructor(key: string, text: string, revision: number) {
    this.key = key;
    this.#text = text;
    this.revision = revision;
  }

  /** JSON as sent to clients. */
  get json(): string {
    const at = this.#text.indexOf(metadataStart) + metadataStart.length;
    const comma = this.#text[at] === '}' ? '' : ',';
    return `${this.#text.slice(0, at)}"resourceVersion":"${this.revision}"${comma}${this.#text.slice(at)}`;
  }

  /** Shared and never to be changed: `copy()` before writing. */
  get object(): Readonly<ApiObject> {
    return (this.#object ??= this.copy());
  }

  copy(): ApiObject {
    const object = JSON.parse(this.#text) as ApiObject;
    object.metadata.resourceVersion = String(this.revision);
    return object;
  }

  /** The same content seen at another revision: a DELETED event carries the revision of the deletion. */
  at(revision: number): CachedObject {
    return new CachedObject(this.key, this.#text, revision);
  }
}

const metadataStart = '"metadata":{';

/** The text to store: kind, apiVersion and metadata first (CachedObject.json relies on it), no resourceVersion. */
export function storedText(object: ApiObject): string {
  const { kind, apiVersion, metadata, ...rest } = object;
  const { resourceVersion: _, ...kept } = metadata;
  return JSON.stringify({ kind, apiVersion, metadata: kept, ...rest });
}
