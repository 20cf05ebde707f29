// The Kubernetes object types under their plain names, so that other parts need one import only.
import type { ListMeta, ObjectMeta } from 'kubernetes-types/meta/v1.js';

export type { Condition, DeleteOptions, LabelSelector, ListMeta, ObjectMeta, OwnerReference, Status, StatusCause } from 'kubernetes-types/meta/v1.js';
export type {
  ConfigMap, Container, ContainerState, ContainerStatus, Endpoints, EnvVar, LoadBalancerIngress, Namespace, Node, NodeAddress, NodeCondition, NodeSelectorTerm, ObjectReference,
  Pod, PodAffinityTerm, PodCondition, PodIP, PodSpec, PodStatus, PodTemplateSpec, Probe, Secret, Service, ServiceAccount, ServicePort, ServiceSpec, Taint, Toleration, TopologySpreadConstraint, Volume, VolumeMount,
} from 'kubernetes-types/core/v1.js';
export type { Event as CoreEvent } from 'kubernetes-types/core/v1.js';
export type { Endpoint, EndpointConditions, EndpointHints, EndpointPort, EndpointSlice } from 'kubernetes-types/discovery/v1.js';
export type { DaemonSet, Deployment, ReplicaSet, StatefulSet } from 'kubernetes-types/apps/v1.js';
export type { Job } from 'kubernetes-types/batch/v1.js';
export type { Lease } from 'kubernetes-types/coordination/v1.js';
export type { NetworkPolicy } from 'kubernetes-types/networking/v1.js';

/** What every API object has in common. Concrete kinds (`Pod`, `Service`, ...) are assignable to it. */
export interface KubeObject {
  apiVersion?: string;
  kind?: string;
  metadata?: ObjectMeta;
}

/** One page (or the whole) of a list, as the API server answers it. */
export interface KubeList<T> {
  apiVersion?: string;
  kind?: string;
  metadata?: ListMeta;
  items: T[];
}

/** networking.k8s.io/v1 ServiceCIDR; not in kubernetes-types 1.30. */
export interface ServiceCIDR extends KubeObject {
  spec?: { cidrs?: string[] };
  status?: { conditions?: { type: string; status: string; reason?: string; message?: string; lastTransitionTime?: string }[] };
}

/** networking.k8s.io/v1 IPAddress; not in kubernetes-types 1.30. */
export interface IPAddress extends KubeObject {
  spec?: { parentRef?: { group?: string; resource?: string; namespace?: string; name?: string } };
}

/** The address of one object: `namespace` is absent for cluster-scoped kinds. */
export interface ObjectName {
  readonly name: string;
  readonly namespace?: string;
}

/** `namespace/name`, or `name` for a cluster-scoped object: the key of every store and queue. */
export function keyOf(object: KubeObject): string {
  const name = object.metadata?.name ?? '';
  const namespace = object.metadata?.namespace;
  return namespace === undefined || namespace === '' ? name : `${namespace}/${name}`;
}

/** The inverse of `keyOf`. */
export function parseKey(key: string): ObjectName {
  const slash = key.indexOf('/');
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}
