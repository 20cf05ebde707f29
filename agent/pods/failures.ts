// What a failed action means for the pod: the reason in its status, the Event, whether a back-off is counted. Pure.
import { RuntimeError } from '../runtime/runtime.ts';
import { ContainerConfigError } from './env.ts';
import { ImageError } from './images.ts';
import type { Action } from './plan.ts';
import { VolumeError } from './volume-files.ts';

export interface Failure {
  readonly reason: string;
  readonly message: string;
  readonly event: string | undefined;
  /** A container that was created and then failed to start is in the engine: its own exit code drives the back-off. */
  readonly counts: boolean;
}

export function failureOf(action: Action, error: unknown): Failure {
  const message = error instanceof Error ? error.message : String(error);
  if (action.kind !== 'start-container') {
    const sandbox = action.kind === 'create-sandbox' || action.kind === 'attach-network';
    return { reason: 'FailedCreatePodSandBox', message: sandbox ? `Failed to create pod sandbox: ${message}` : message, event: sandbox ? 'FailedCreatePodSandBox' : undefined, counts: true };
  }
  if (error instanceof ImageError) return { reason: error.code, message, event: 'Failed', counts: true };
  if (error instanceof ContainerConfigError) return { reason: 'CreateContainerConfigError', message, event: 'Failed', counts: true };
  if (error instanceof VolumeError) return { reason: 'ContainerCreating', message: `MountVolume.SetUp failed: ${message}`, event: 'FailedMount', counts: true };
  const started = error instanceof RuntimeError && error.message.startsWith('start container');
  return { reason: started ? 'RunContainerError' : 'CreateContainerError', message: `Error: ${message}`, event: 'Failed', counts: !started };
}
