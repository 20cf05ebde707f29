// What an image is made from. Recipes are data; `ensure-images.ts` builds and loads them.
import type { Entry } from './tree.ts';

export interface Recipe {
  /** "podwire/nginx:1.22" */
  readonly name: string;
  /** The files; may fetch packages (`note` says so to whoever watches). */
  readonly entries: (note: (text: string) => void) => Promise<readonly Entry[]>;
  /** Identifies the content without building it, where that is possible: a cached tar of this key is used as it is. */
  readonly key: () => string;
  /** Dockerfile instructions: ENTRYPOINT, CMD, EXPOSE, STOPSIGNAL ... */
  readonly changes: readonly string[];
}
