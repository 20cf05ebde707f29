import type { KubeClient } from '@podwire/kube-client';
import type { Cell, CellResult } from './model.ts';
import type { Places } from './places.ts';

export interface MatrixHooks {
  /** A long step begins: "12 probe pods". */
  readonly onPhase?: (text: string) => void;
  readonly onCell?: (result: CellResult, done: number, total: number) => void;
  /** Follows a packet of a failed cell; what it returns (a verdict line) goes into the report. Called one after another. */
  readonly trace?: (cell: Cell) => Promise<string | undefined>;
}

export interface MatrixOptions {
  readonly client: KubeClient;
  readonly places: Places;
  /** See parseFilter. */
  readonly filter?: string;
  /** The probe's image; default: the lab's own. */
  readonly image?: string;
  /** Also change endpoints under load for so many seconds and count lost requests, kill pods for as long, then lose a node. */
  readonly churnSeconds?: number;
  /** Remove the probe pods and Services afterwards; default: they stay, so that the next run starts at once. */
  readonly removeAfterwards?: boolean;
  /** Multiplies every deadline: 1 (default) for this machine's own speed, more where the nodes are emulated. */
  readonly patience?: number;
  readonly signal?: AbortSignal;
  readonly hooks?: MatrixHooks;
}
