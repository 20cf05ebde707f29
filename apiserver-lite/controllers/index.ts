// The controllers: each one a loop that brings what is to what is wanted, through the API alone.
import type { KubeClient } from '@podwire/kube-client';
import { startGarbageCollector } from './cleanup/garbage-collector.ts';
import { startPodGarbageCollector } from './cleanup/pod-gc.ts';
import { startDeploymentController } from './deployment/controller.ts';
import { startEndpointSliceController } from './endpointslice/controller.ts';
import { startNamespaceController } from './namespace/namespace-controller.ts';
import { startNodeIpamController } from './node/ipam-controller.ts';
import { startNodeLifecycleController } from './node/lifecycle-controller.ts';
import { startReplicaSetController } from './replicaset/controller.ts';
import { startLoadBalancerController } from './service/load-balancer-controller.ts';
import { ControllerContext } from './shared/context.ts';
import type { ControllerSettings, Log } from './shared/context.ts';

export type { ControllerSettings, Log } from './shared/context.ts';

const controllers: readonly ((context: ControllerContext) => void)[] = [
  startDeploymentController, startReplicaSetController, startEndpointSliceController, startNodeIpamController, startNodeLifecycleController,
  startNamespaceController, startLoadBalancerController, startGarbageCollector, startPodGarbageCollector,
];

/** Starts all controllers over one client and one set of caches. They run until `signal` aborts; `stopped` then resolves. */
export function startControllers(options: { client: KubeClient; settings: ControllerSettings; log: Log; signal: AbortSignal }): { readonly stopped: Promise<void> } {
  const context = new ControllerContext(options);
  for (const start of controllers) start(context);
  const stopped = new Promise<void>((resolve, reject) => {
    const stop = (): void => void context.stop().then(resolve, reject);
    if (options.signal.aborted) stop();
    else options.signal.addEventListener('abort', stop, { once: true });
  });
  return { stopped };
}
