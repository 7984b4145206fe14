/**
 * One file for what every import of Stowage needs, instead of some sixty: Node spends half a millisecond on each module that it
 * loads, and cold starts are paid for. Types stay as the compiler wrote them, a file per source.
 */
import { readFileSync } from 'node:fs'

const { exports } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'))
const entries = Object.values(exports)
  .map((target) => target.default)
  .filter((file) => file !== undefined)
  .map((file) => file.replace(/^\.\/dist\/(.*)\.js$/, '$1'))

/** What only one subpath needs stays with it. */
const APART = /\/build\/(?:http|testing\/(?:conformance|index|faulty|fake-file|matchers))\b/

export default {
  input: Object.fromEntries(entries.map((name) => [name, `build/${name}.js`])),
  external: (id) => !id.startsWith('.') && !id.startsWith('/') && !id.startsWith('build/'),
  output: {
    dir: 'dist',
    format: 'es',
    entryFileNames: '[name].js',
    chunkFileNames: '[name].js',
    hoistTransitiveImports: false,
    manualChunks: (id) => (APART.test(id) ? undefined : 'stowage'),
  },
}
