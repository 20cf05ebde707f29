// Pods and observations for tests.
import type { Container, Pod, PodSpec } from '@podwire/kube-client';
import { labels } from '../labels.ts';
import { emptyMemory } from '../pods/observed.ts';
import type { Memory, Observed } from '../pods/observed.ts';
import type { RuntimeContainer } from '../runtime/runtime.ts';

export const sandboxId = 'sandbox-1';

export function aContainer(name: string, more: Partial<Container> & { readonly restartPolicy?: string } = {}): Container {
  return { name, image: 'app:1', ...more };
}

export function aPod(spec: Partial<PodSpec> = {}, more: Pod = {}): Pod {
  return { ...more, metadata: { name: 'web', namespace: 'default', uid: 'uid-1', ...more.metadata }, spec: { containers: [aContainer('main')], ...spec } };
}

export function aRuntimeContainer(name: string, more: Partial<RuntimeContainer> & { readonly attempt?: number; readonly crashes?: number; readonly sandbox?: string } = {}): RuntimeContainer {
  const { attempt = 0, crashes = 0, sandbox = sandboxId, ...rest } = more;
  return {
    id: `${name}-${attempt}`, name: `k8s_${name}`, role: name === 'POD' ? 'sandbox' : 'container', state: 'running', pid: 100, exitCode: 0, signal: 0, oomKilled: false, error: '',
    createdAt: 1000, startedAt: 1000, finishedAt: rest.state === 'exited' ? 2000 : 0, image: 'app:1', imageId: 'sha256:1', stopSignal: 'SIGTERM', tty: false,
    labels: {
      [labels.containerName]: name, [labels.restartCount]: String(attempt), [labels.crashCount]: String(crashes), [labels.sandboxId]: sandbox, [labels.podUid]: 'uid-1',
      [labels.specHash]: 'app:1',
    },
    ...rest,
  };
}

export const aSandbox = (more: Partial<RuntimeContainer> = {}): RuntimeContainer => aRuntimeContainer('POD', { id: sandboxId, ...more });

export function observed(containers: readonly RuntimeContainer[], more: Partial<Observed> = {}): Observed {
  return { sandboxes: [aSandbox()], network: { sandboxId, ips: ['10.244.1.5'] }, containers, ...more };
}

export const memory = (more: Partial<Memory> = {}): Memory => ({ ...emptyMemory, ...more });
