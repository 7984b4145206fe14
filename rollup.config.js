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
 * The chunk of a module: `stowage` for what every import needs; else, under its own name, the first target of an `import()` that
 * reaches it. What a chunk shares with an earlier one it imports from there.
 */
function chunkOf(id, { getModuleInfo, getModuleIds }) {
  if (APART.test(id)) return undefined
  chunks ??= chunksOf([...getModuleIds()], getModuleInfo)
  return chunks.get(id)
}

let chunks

function chunksOf(ids, getModuleInfo) {
  const known = new Map()
  const take = (id, chunk) => {
    if (known.has(id) || APART.test(id)) return
    known.set(id, chunk)
    for (const imported of getModuleInfo(id)?.importedIds ?? []) take(imported, chunk)
  }
  for (const id of ids) if (getModuleInfo(id).isEntry) take(id, 'stowage')
  // In the order in which they are met, so that what loads comes before what it loads in turn.
  const targets = new Set(ids.filter((id) => known.has(id)))
  for (const id of targets) {
    for (const target of getModuleInfo(id).dynamicallyImportedIds) {
      take(target, target.replace(/^.*\/build\/(.*)\.js$/, '$1'))
      for (const [reached] of known) targets.add(reached)
    }
  }
  return known
}

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
    manualChunks: chunkOf,
  },
}
