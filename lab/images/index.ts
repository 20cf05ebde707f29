// The lab's images. The nodes need `pause`; the rest may load while the nodes start.
import { nginx } from './nginx.ts';
import { pause, shell } from './small.ts';
import { probeRecipe } from '../probe/image.ts';
import type { Recipe } from './recipe.ts';

export const nodeImages: readonly Recipe[] = [pause];

/** The second nginx differs in its page only: something to roll out with `kubectl set image`. */
export const podImages: readonly Recipe[] = [shell, probeRecipe, nginx('1.22', 'edition 1'), nginx('1.22-alt', 'edition 2')];

export { buildImage, contentLabel, ensureImage } from './ensure-images.ts';
