// ImageLocality: a node that already holds a pod's large images starts it sooner.
import type { ScorePlugin } from '../framework.ts';

const smallest = 23 * 2 ** 20;
const largestPerContainer = 1000 * 2 ** 20;

export const imageLocality: ScorePlugin = {
  name: 'ImageLocality',
  weight: 1,
  score: (pod, { node }, snapshot) => {
    const containers = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])];
    const sizeOn = (image: string): number => node.status?.images?.find(({ names }) => names?.includes(image) === true)?.sizeBytes ?? 0;
    const spread = (image: string): number => snapshot.nodes.filter((other) => other.node.status?.images?.some(({ names }) => names?.includes(image) === true) === true).length / Math.max(1, snapshot.nodes.length);
    // Scaled by how many nodes have the image, so that one node with a rare image does not draw every pod to itself.
    const sum = containers.reduce((total, { image }) => total + (image === undefined ? 0 : sizeOn(image) * spread(image)), 0);
    const largest = largestPerContainer * Math.max(1, containers.length);
    return (100 * (Math.min(Math.max(sum, smallest), largest) - smallest)) / (largest - smallest);
  },
};
