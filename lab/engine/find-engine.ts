// Which Docker engine the lab uses: the one it was made with, the caller's DOCKER_HOST, the machine's own when it answers, else a private one.
import { LabError } from '../errors.ts';
import { answers, dockerClient } from './client.ts';
import { ensurePrivateEngine, privateHost } from './private-engine.ts';
import type { LabNames } from '../state/names.ts';

export interface Engine {
  readonly kind: 'private' | 'foreign';
  /** unix:///path */
  readonly host: string;
  readonly started: boolean;
  /** Something the user should know about this engine. */
  readonly warning?: string;
}

const systemHost = 'unix:///var/run/docker.sock';

/** `wanted`: "private", "unix:///..." or nothing for the usual order. */
export async function chooseEngine(wanted: string | undefined, remembered: { readonly kind: 'private' | 'foreign'; readonly host: string } | undefined): Promise<{ readonly kind: 'private' | 'foreign'; readonly host?: string }> {
  if (remembered?.kind === 'private' || wanted === 'private') return { kind: 'private' };
  const named = wanted ?? remembered?.host ?? process.env['DOCKER_HOST'];
  if (named !== undefined && named !== '') {
    if (await answers(named)) return { kind: 'foreign', host: named };
    throw new LabError('ENEED', `Docker does not answer on ${named}; start it, or pass --docker-host private for an engine of the lab's own`);
  }
  return (await answers(systemHost)) ? { kind: 'foreign', host: systemHost } : { kind: 'private' };
}

export async function ensureEngine(names: LabNames, choice: { readonly kind: 'private' | 'foreign'; readonly host?: string }): Promise<Engine> {
  if (choice.kind === 'private' || choice.host === undefined) {
    return { kind: 'private', host: privateHost(names), started: (await ensurePrivateEngine(names)) === 'started' };
  }
  const info = (await dockerClient(choice.host).info()) as { readonly LiveRestoreEnabled?: boolean };
  return {
    kind: 'foreign', host: choice.host, started: false,
    ...(info.LiveRestoreEnabled === true ? {} : { warning: `the Docker engine on ${choice.host} runs without live-restore: when it restarts, every node dies with it, and 'podwire up' rebuilds them` }),
  };
}
