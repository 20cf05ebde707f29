// The plugins in the order in which kube-scheduler asks them; their weights are the defaults of its configuration.
import type { FilterPlugin, ScorePlugin } from '../framework.ts';
import { imageLocality } from './image-locality.ts';
import { nodeAffinity, nodeName } from './node-affinity.ts';
import { nodePorts } from './node-ports.ts';
import { interPodAffinity } from './pod-affinity.ts';
import { balancedAllocation, nodeResourcesFit } from './resources.ts';
import { nodeUnschedulable, taintToleration } from './taints.ts';
import { podTopologySpread } from './topology-spread.ts';

export const defaultFilters: readonly FilterPlugin[] = [nodeUnschedulable, nodeName, taintToleration, nodeAffinity, nodePorts, nodeResourcesFit, podTopologySpread, interPodAffinity];
export const defaultScorers: readonly ScorePlugin[] = [taintToleration, nodeAffinity, podTopologySpread, interPodAffinity, nodeResourcesFit, balancedAllocation, imageLocality];
