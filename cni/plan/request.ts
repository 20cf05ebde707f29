/** What one attachment is: who asks (container, interface) and where (namespace). */
export interface AttachmentRequest {
  /** The runtime's id of the container or sandbox; `^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`. */
  readonly containerId: string;
  /** Path of the container's network namespace, e.g. `/proc/1234/ns/net`. Empty or gone is fine for `detach`. */
  readonly netns: string;
  /** Name of the interface to make in the container, normally `eth0`. */
  readonly ifname: string;
  /** CNI_ARGS as key and value: `MAC`, `IP`, `IgnoreUnknown`, `K8S_POD_NAME` ... */
  readonly args?: Readonly<Record<string, string>>;
  /** Written into the host interface's alias, so that `ip link` names the pod. */
  readonly podIdentity?: PodIdentity;
}

export interface PodIdentity {
  readonly namespace: string;
  readonly name: string;
  readonly uid?: string;
}

/** An entry of `cni.dev/valid-attachments`. */
export interface AttachmentId {
  readonly containerId: string;
  readonly ifname: string;
}
