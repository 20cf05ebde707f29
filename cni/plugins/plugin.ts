import type { AttachmentId, AttachmentRequest } from '../plan/request.ts';
import type { CommonConfig } from '../protocol/config.ts';
import type { Invocation } from '../protocol/environment.ts';

/** One call of an executable: who, where, with which configuration. */
export interface Call {
  readonly invocation: Invocation;
  readonly config: CommonConfig;
  readonly request: AttachmentRequest;
  readonly warn: (text: string) => void;
}

/** What stands behind one executable name. ADD answers with the JSON result, already in the configuration's version. */
export interface Plugin {
  readonly about: string;
  readonly add: (call: Call) => Promise<object>;
  readonly del: (call: Call) => Promise<void>;
  readonly check: (call: Call) => Promise<void>;
  readonly gc: (call: Call, valid: readonly AttachmentId[]) => Promise<void>;
  readonly status: (call: Call) => Promise<void>;
}
