/** Every kind the API server serves. Adding one is adding its file and its line here; the order is that of discovery. */
import type { ResourceDefinition } from '../registry/definition.ts';
import { addServiceNetworkSchemas } from './common/added-schemas.ts';
import { configMap } from './config-map.ts';
import { controllerRevision } from './controller-revision.ts';
import { cronJob } from './cron-job.ts';
import { csiNode } from './csi-node.ts';
import { daemonSet } from './daemon-set.ts';
import { deployment } from './deployment.ts';
import { endpointSlice } from './endpoint-slice.ts';
import { endpoints } from './endpoints.ts';
import { eventView } from './event-view.ts';
import { event } from './event.ts';
import { horizontalPodAutoscalerView } from './horizontal-pod-autoscaler-view.ts';
import { horizontalPodAutoscaler } from './horizontal-pod-autoscaler.ts';
import { ingressClass } from './ingress-class.ts';
import { ingress } from './ingress.ts';
import { ipAddress } from './ip-address.ts';
import { job } from './job.ts';
import { lease } from './lease.ts';
import { limitRange } from './limit-range.ts';
import { namespace } from './namespace.ts';
import { networkPolicy } from './network-policy.ts';
import { node } from './node.ts';
import { persistentVolumeClaim } from './persistent-volume-claim.ts';
import { persistentVolume } from './persistent-volume.ts';
import { podDisruptionBudget } from './pod-disruption-budget.ts';
import { podTemplate } from './pod-template.ts';
import { pod } from './pod.ts';
import { priorityClass } from './priority-class.ts';
import { clusterRole, clusterRoleBinding, role, roleBinding } from './rbac.ts';
import { replicaSet } from './replica-set.ts';
import { replicationController } from './replication-controller.ts';
import { resourceQuota } from './resource-quota.ts';
import { runtimeClass } from './runtime-class.ts';
import { secret } from './secret.ts';
import { serviceAccount } from './service-account.ts';
import { serviceCidr } from './service-cidr.ts';
import { service } from './service.ts';
import { statefulSet } from './stateful-set.ts';
import { storageClass } from './storage-class.ts';

addServiceNetworkSchemas();

export const definitions: readonly ResourceDefinition[] = [
  configMap, endpoints, event, limitRange, namespace, node, persistentVolumeClaim, persistentVolume, pod, podTemplate,
  replicationController, resourceQuota, secret, serviceAccount, service,
  controllerRevision, daemonSet, deployment, replicaSet, statefulSet,
  horizontalPodAutoscaler, horizontalPodAutoscalerView,
  cronJob, job,
  lease,
  endpointSlice,
  eventView,
  ingressClass, ingress, ipAddress, networkPolicy, serviceCidr,
  runtimeClass,
  podDisruptionBudget,
  clusterRoleBinding, clusterRole, roleBinding, role,
  priorityClass,
  csiNode, storageClass,
];

export { selectorMatches } from './common/labels.ts';
