// Real nginx, from Debian's own packages.
import { createHash } from 'node:crypto';
import { globSync, lstatSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { debianPackages } from './debian-packages.ts';
import { tini, userland } from './machine-files.ts';
import { treeKey } from './tree.ts';
import type { Recipe } from './recipe.ts';
import type { Entry } from './tree.ts';

const packages = ['nginx', 'nginx-common', 'libc6', 'libcrypt1', 'libpcre2-8-0', 'libssl3', 'zlib1g'] as const;

/** Logs go to the container's own output; one line each, so that `kubectl logs` shows requests as they come. */
const configuration = `user www-data;
worker_processes 1;
error_log /dev/stderr notice;
pid /run/nginx.pid;
events { worker_connections 512; }
http {
  include /etc/nginx/mime.types;
  default_type application/octet-stream;
  access_log /dev/stdout;
  sendfile on;
  keepalive_timeout 65;
  server {
    listen 80;
    listen [::]:80;
    root /usr/share/nginx/html;
    index index.html;
    location = /hostname { default_type text/plain; return 200 "$hostname\\n"; }
    location = /client { default_type text/plain; return 200 "$remote_addr\\n"; }
  }
}
`;

/** nginx drops its connections on SIGTERM and ends in good order on SIGQUIT; `docker import` cannot set a stop signal. */
const serve = `#!/bin/sh
/usr/sbin/nginx -g 'daemon off;' &
nginx=$!
trap 'kill -QUIT $nginx' TERM INT
wait $nginx
trap - TERM INT
wait $nginx
`;

function page(edition: string): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Welcome to nginx!</title></head>
<body><h1>Welcome to nginx!</h1>
<p>Served by a Podwire pod (${edition}). <a href="/hostname">/hostname</a> names the pod, <a href="/client">/client</a> the address it saw.</p>
</body></html>
`;
}

function ownFiles(edition: string): readonly Entry[] {
  return [
    { kind: 'file', path: 'sbin/tini', source: tini(), mode: 0o755 },
    ...userland(),
    { kind: 'text', path: 'sbin/serve', text: serve, mode: 0o755 },
    { kind: 'text', path: 'etc/nginx/nginx.conf', text: configuration },
    { kind: 'text', path: 'usr/share/nginx/html/index.html', text: page(edition) },
    { kind: 'dir', path: 'var/lib/nginx', mode: 0o755 },
    { kind: 'dir', path: 'var/log/nginx', mode: 0o755 },
    { kind: 'dir', path: 'run', mode: 0o755 },
  ];
}

/** What of the packages goes in: the program, its libraries and its MIME types; not their documentation. */
const wanted = [/^usr\/sbin\/nginx$/u, /^etc\/nginx\/mime\.types$/u, /^(usr\/)?lib\/x86_64-linux-gnu\/[^/]+$/u, /^(usr\/)?lib\/aarch64-linux-gnu\/[^/]+$/u, /^lib64\/[^/]+$/u, /^lib\/ld-linux-aarch64\.so\.1$/u];

function unpackedEntries(folder: string): readonly Entry[] {
  return globSync('**/*', { cwd: folder }).flatMap((path): readonly Entry[] => {
    if (!wanted.some((pattern) => pattern.test(path))) return [];
    const source = join(folder, path);
    const info = lstatSync(source);
    if (info.isSymbolicLink()) return [{ kind: 'link', path, target: readlinkSync(source) }];
    return info.isFile() ? [{ kind: 'file', path, source, mode: info.mode & 0o777 }] : [];
  });
}

/** Fetches what the image is made from, unless the cache has it. Who builds the image where there is no network calls this before. */
export function fetchNginx(note: (text: string) => void): Promise<string> {
  return debianPackages('nginx-packages', packages, note);
}

export function nginx(tag: string, edition: string): Recipe {
  return {
    name: `podwire/nginx:${tag}`,
    key: () => createHash('sha256').update(`${packages.join()} ${process.arch} ${String(wanted)}`).update(treeKey('nginx', ownFiles(edition))).digest('hex').slice(0, 16),
    entries: async (note) => {
      const own = ownFiles(edition);
      const taken = new Set(own.map(({ path }) => path));
      return [...unpackedEntries(await fetchNginx(note)).filter(({ path }) => !taken.has(path)), ...own];
    },
    changes: ['ENV PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'EXPOSE 80', 'ENTRYPOINT ["/sbin/tini", "--"]', 'CMD ["/sbin/serve"]'],
  };
}
