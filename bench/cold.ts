/** Cold start: what a fresh process pays to import a library and construct a local disk, and for its first put and get. */
import { IMPLEMENTATIONS } from './implementations.ts'

const [name = '', root = ''] = process.argv.slice(2)
const begin = performance.now()
const disk = name === 'nothing' ? undefined : await IMPLEMENTATIONS[name]?.(root)
const constructed = performance.now()
await disk?.put('first', Buffer.from('content'))
await disk?.get('first')
process.stdout.write(JSON.stringify({ importMs: constructed - begin, firstMs: performance.now() - constructed }))
