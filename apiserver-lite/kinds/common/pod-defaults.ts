import type { PodSpec, PodTemplateSpec, Volume } from 'kubernetes-types/core/v1.js';
import { defaultContainer } from './container-defaults.ts';
import type { Loose } from './loose.ts';
import { setDefault } from './loose.ts';

/** What kube-apiserver fills into a pod's spec, in a Pod and in every pod template. */
export function defaultPodSpec(spec: Loose<PodSpec>): void {
  setDefault(spec, 'restartPolicy', 'Always');
  setDefault(spec, 'terminationGracePeriodSeconds', 30);
  setDefault(spec, 'dnsPolicy', 'ClusterFirst');
  setDefault(spec, 'securityContext', {});
  setDefault(spec, 'schedulerName', 'default-scheduler');
  mirrorServiceAccount(spec);
  const hostNetwork = spec.hostNetwork === true;
  for (const container of [...(spec.initContainers ?? []), ...(spec.containers ?? []), ...(spec.ephemeralContainers ?? [])]) {
    defaultContainer(container, hostNetwork);
  }
  for (const volume of spec.volumes ?? []) defaultVolume(volume);
}

export function defaultPodTemplate(template: Loose<PodTemplateSpec> | undefined): void {
  if (template === undefined) return;
  setDefault(template, 'metadata', {});
  if (template.spec !== undefined) defaultPodSpec(template.spec);
}

/** `serviceAccount` is the old name of `serviceAccountName`; both are always shown. */
function mirrorServiceAccount(spec: Loose<PodSpec>): void {
  const name = spec.serviceAccountName ?? spec.serviceAccount;
  if (name === undefined || name === '') return;
  spec.serviceAccountName = name;
  spec.serviceAccount = name;
}

const FILE_MODE = 0o644;

function defaultVolume(volume: Loose<Volume>): void {
  const source = Object.keys(volume).find((key) => key !== 'name');
  if (source === undefined) volume.emptyDir = {};
  if (volume.secret !== undefined) setDefault(volume.secret, 'defaultMode', FILE_MODE);
  if (volume.configMap !== undefined) setDefault(volume.configMap, 'defaultMode', FILE_MODE);
  if (volume.hostPath !== undefined) setDefault(volume.hostPath, 'type', '');
  if (volume.downwardAPI !== undefined) {
    setDefault(volume.downwardAPI, 'defaultMode', FILE_MODE);
    defaultFieldRefs(volume.downwardAPI.items);
  }
  if (volume.projected !== undefined) {
    setDefault(volume.projected, 'defaultMode', FILE_MODE);
    for (const source of volume.projected.sources ?? []) {
      defaultFieldRefs(source.downwardAPI?.items);
      if (source.serviceAccountToken !== undefined) setDefault(source.serviceAccountToken, 'expirationSeconds', 3600);
    }
  }
  const claim = volume.ephemeral?.volumeClaimTemplate?.spec;
  if (claim !== undefined) setDefault(claim, 'volumeMode', 'Filesystem');
}

function defaultFieldRefs(items: readonly { fieldRef?: { apiVersion?: string | undefined } | undefined }[] | undefined): void {
  for (const { fieldRef } of items ?? []) if (fieldRef !== undefined) setDefault(fieldRef, 'apiVersion', 'v1');
}
