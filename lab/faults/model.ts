// What a fault is: something that is broken on purpose, found again by its name and taken back completely.
import type { KubeClient } from '@podwire/kube-client';
import type { Lab } from '../state/existing.ts';

/** Which node, towards which other, and what else a fault may be told. All optional on the command line: each fault has its own defaults. */
export interface FaultParams {
  readonly node: string;
  readonly peer: string;
  readonly port: number;
  readonly protocol: 'tcp' | 'udp';
  readonly mtu: number;
}

/** What was there before, in the words of the command that puts it back; plain data, because it is kept in a file. */
export type Saved = Readonly<Record<string, string>>;

export interface FaultContext {
  readonly lab: Lab;
  readonly client: KubeClient;
  /** A program inside the node's network; its standard output. Throws when it fails. */
  inside(node: string, argv: readonly string[]): Promise<string>;
  /** False when the node's container does not run: its network is gone, and with it all that was changed there. */
  isUp(node: string): Promise<boolean>;
}

export interface Fault {
  readonly name: string;
  /** What breaks, in one line. */
  readonly summary: string;
  /** What the parameters mean here, those that count. */
  readonly uses: readonly (keyof FaultParams)[];
  /** The agent puts right what it finds wrong: these nodes' overlays are told to look away meanwhile. */
  readonly pauses?: (params: FaultParams) => readonly string[];
  /** Only with VXLAN between the nodes. */
  readonly needsVxlan?: boolean;
  /** Undone by bringing the lab up again: what is missing is started. */
  readonly undoneByUp?: boolean;
  /** Reads what `undo` will need. Throws a LabError when the fault cannot be applied here. */
  observe(context: FaultContext, params: FaultParams): Promise<Saved>;
  /** Breaks it. Twice is the same as once. */
  apply(context: FaultContext, params: FaultParams, saved: Saved): Promise<void>;
  /** Puts back what was saved. Twice is the same as once; also right when `apply` was interrupted at any point. */
  undo(context: FaultContext, params: FaultParams, saved: Saved): Promise<void>;
}

/** A fault that is in force, as DIR/faults.json keeps it. */
export interface AppliedFault {
  readonly name: string;
  readonly params: FaultParams;
  readonly saved: Saved;
}

/** Equal for two applications of the same fault to the same thing. */
export const faultId = ({ name, params }: Pick<AppliedFault, 'name' | 'params'>, uses: readonly (keyof FaultParams)[]): string => [name, ...uses.map((key) => String(params[key]))].join(' ');
