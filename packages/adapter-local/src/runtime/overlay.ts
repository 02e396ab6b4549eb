import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeStubs } from '../isolation/stubs.js'
import type { LayerStore, ReadImage, View } from '../layers/index.js'
import type { Launch, Mount } from '../supervisor/api.js'

/** The image's unpacked layers below what each instance writes; names are looked up as on the host, whose network it shares. */
export async function overlayLaunch(
  { layers: store, made }: { readonly layers: LayerStore; readonly made: string },
  { image, view }: { readonly image: ReadImage; readonly view: View },
  launch: Omit<Launch, 'root'>,
  signal: AbortSignal,
): Promise<Launch> {
  const layers = await Promise.all(image.layers.map((layer) => store.ensure(layer, signal)))
  const networkFiles = ['hosts', 'resolv.conf'].map((name) => ({ name, path: view.resolve(`etc/${name}`) }))
  for (const { name } of networkFiles)
    await writeFile(join(made, name), await readHostFile(name, launch), { mode: 0o644 })
  const stubs = join(made, 'stubs')
  await makeStubs(stubs, view, [
    ...['proc', 'sys', 'dev', launch.workingDirectory.slice(1)].map((path) => ({ path, type: 'directory' as const })),
    ...networkFiles.map(({ path }) => ({ path, type: 'file' as const })),
    ...(await Promise.all(launch.mounts.map(placeOf))),
  ])
  const names = networkFiles.map(({ name, path }) => ({ source: join(made, name), target: path, readOnly: false }))
  return { ...launch, mounts: [...names, ...launch.mounts], root: { form: 'overlay', layers, stubs, made } }
}

async function placeOf({ source, target }: Mount) {
  const isDirectory = (await stat(source)).isDirectory()
  return { path: target, type: isDirectory ? ('directory' as const) : ('file' as const) }
}

/** A name server on a loopback address is this machine's own; from another network, those that it asks itself are reached. */
async function readHostFile(name: string, { network }: Pick<Launch, 'network'>): Promise<string> {
  const text = await readFile(`/etc/${name}`, 'utf8').catch(() => '')
  if (name !== 'resolv.conf' || network.kind === 'host' || !/^nameserver\s+127\./m.test(text)) return text
  return readFile('/run/systemd/resolve/resolv.conf', 'utf8').catch(() => text)
}
