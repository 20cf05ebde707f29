// One client per engine socket. Everything the lab asks of Docker goes through here.
import Docker from 'dockerode';
import { LabError } from '../errors.ts';

export function socketPath(host: string): string {
  if (!host.startsWith('unix://')) {
    throw new LabError('EUSAGE', `Docker host '${host}': the lab reaches into the containers' network namespaces, so the engine must be on this machine; give unix:///path/docker.sock`);
  }
  return host.slice('unix://'.length);
}

export function dockerClient(host: string): Docker {
  return new Docker({ socketPath: socketPath(host), timeout: 60_000 });
}

/** Whether an engine answers there. */
export async function answers(host: string): Promise<boolean> {
  try {
    await dockerClient(host).ping();
    return true;
  } catch (error) {
    const { code, statusCode } = error as NodeJS.ErrnoException & { readonly statusCode?: number };
    if (code !== undefined || statusCode !== undefined) return false;
    throw error;
  }
}

/** undefined instead of the engine's 404. */
export async function ifFound<T>(request: Promise<T>): Promise<T | undefined> {
  try {
    return await request;
  } catch (error) {
    if ((error as { readonly statusCode?: number }).statusCode === 404) return undefined;
    throw error;
  }
}
