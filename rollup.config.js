/**
 * One file for what every import of Stowage needs, instead of some sixty, and one for each of the things that an operation loads: Node
 * spends half a millisecond on each module that it loads, V8 as much on each 30 KB of code, and cold starts are paid for. Types stay as
 * the compiler wrote them, a file per source.
 */
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join, posix } from 'node:path'

const { exports } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'))
const entries = Object.values(exports)
  .map((target) => target.default)
  .filter((file) => file !== undefined)
  .map((file) => file.replace(/^\.\/dist\/(.*)\.js$/, '$1'))

/** What only one subpath needs stays with it. */
const APART = /\/build\/(?:http|testing\/(?:conformance|index|faulty|fake-file|matchers))\b/

/** Removes the types that no entry reaches: those of a driver's inner modules name SDKs, which an app need not have. */
const reachableTypes = {
  name: 'reachable-types',
  writeBundle({ dir }) {
    const reached = new Set()
    const follow = (file) => {
      if (reached.has(file)) return
      reached.add(file)
      const code = readFileSync(join(dir, file), 'utf8').replace(/\/\*.*?\*\//gs, '')
      const imported = code.matchAll(/(?:from|import|declare module) ?\(?'(\.[^']+)'/g)
      for (const [, path] of imported) follow(posix.join(posix.dirname(file), path).replace(/\.ts$/, '.d.ts'))
    }
    for (const name of entries) follow(`${name}.d.ts`)
    const written = readdirSync(dir, { recursive: true }).filter((file) => file.endsWith('.d.ts'))
    for (const file of written) if (!reached.has(file.replaceAll('\\', '/'))) rmSync(join(dir, file))
  },
}

/**
 * The chunk of each module: `stowage` for what every import needs, and for what several parts share; else, under its own name, the
 * target of an `import()` that reaches it, the one that reaches most first. What a chunk shares with another of its part it imports
 * from there: nothing is there twice, and no chunk is a crumb.
 */
function chunksOf(ids, getModuleInfo) {
  const chunks = new Map()
  const reach = (id, found = new Set()) => {
    if (chunks.has(id) || found.has(id) || APART.test(id)) return found
    found.add(id)
    for (const imported of getModuleInfo(id)?.importedIds ?? []) reach(imported, found)
    return found
  }
  for (const id of ids) if (getModuleInfo(id).isEntry) for (const reached of reach(id)) chunks.set(reached, 'stowage')
  for (;;) {
    const targets = new Set([...chunks.keys()].flatMap((id) => getModuleInfo(id)?.dynamicallyImportedIds ?? []))
    const [next] = [...targets].filter((id) => reach(id).size > 0).sort((a, b) => reach(b).size - reach(a).size)
    if (next === undefined) return chunks
    for (const reached of reach(next)) chunks.set(reached, partOf(reached) === partOf(next) ? nameOf(next) : 'stowage')
  }
}

/** `drivers/s3/operations` */
const nameOf = (id) => id.replace(/^.*\/build\/(.*)\.js$/, '$1')

/** `drivers/s3`, of whatever lies in or below it. */
const partOf = (id) => /^(?:drivers|decorators)\/[^/]+(?=\/)|^.*(?=\/)|^/.exec(nameOf(id))[0]

let chunks

export default {
  input: Object.fromEntries(entries.map((name) => [name, `build/${name}.js`])),
  external: (id) => !id.startsWith('.') && !id.startsWith('/') && !id.startsWith('build/'),
  plugins: [reachableTypes],
  output: {
    dir: 'dist',
    format: 'es',
    entryFileNames: '[name].js',
    chunkFileNames: '[name].js',
    hoistTransitiveImports: false,
    manualChunks: (id, { getModuleIds, getModuleInfo }) => {
      chunks ??= chunksOf([...getModuleIds()], getModuleInfo)
      return chunks.get(id)
    },
  },
}
