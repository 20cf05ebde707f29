import { KubeClient, loadKubeconfig } from '@podwire/kube-client';
import type { LabNames } from '../state/names.ts';

/** The lab's administrator. Close it when done. */
export function adminClient(names: LabNames): KubeClient {
  return new KubeClient(loadKubeconfig(names.kubeconfig), { userAgent: 'podwire-lab' });
}
