import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve, sep } from 'node:path'
import { Disk } from '../../src/disk.ts'
import { LocalDriver } from '../../src/drivers/local/local-driver.ts'
import { scoped } from '../../src/decorators/scoped.ts'
import { isStorageError } from '../../src/errors.ts'
import { normalizePath } from '../../src/path.ts'
import { recorded } from '../support/recorded.ts'

let folder: string
let root: string
let disk: Disk

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stowage-containment-'))
  root = join(folder, 'a/root')
  await mkdir(root, { recursive: true })
  await writeFile(join(folder, 'secret'), 'secret')
  await writeFile(join(folder, 'a/secret'), 'secret')
  await writeFile(join(folder, 'a/rootsecret'), 'secret')
  disk = new Disk(new LocalDriver({ root }), { name: 'main' })
})

afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

const piece = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom('..', '.', '', 'a', 'b', 'secret', 'root', '...', '%2e%2e', '~', '\\..', '..\\', '\u2024\u2024', '\u200b..'),
  },
  { weight: 1, arbitrary: fc.string({ unit: 'grapheme', maxLength: 3 }) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 3 }) },
)
const anyPath = fc.array(piece, { minLength: 1, maxLength: 7 }).map((pieces) => pieces.join('/'))

describe('any path', () => {
  it('is resolved inside the root by the local driver, or refused', () => {
    const driver = new LocalDriver({ root })
    const scope = scoped('s/t')(driver)
    const home = driver.locate('')
    fc.assert(
      fc.property(anyPath, (path) => {
        const found = keyOf(path, driver)
        if (found === undefined) return true
        const at = resolve(root, found)
        const inScope = resolve(root, keyOf(path, scope) ?? '')
        return (
          (at === resolve(root) || at.startsWith(resolve(root) + sep)) &&
          (inScope === resolve(root, 's/t') || inScope.startsWith(resolve(root, 's/t') + sep))
        )
      }),
      { numRuns: 20_000 },
    )
    expect(home).toBeDefined()
  }, 30_000)

  it('reads and writes nothing beside the root of a local disk', async () => {
    const before = await readdir(folder, { recursive: true })
    await fc.assert(
      fc.asyncProperty(anyPath, async (path) => {
        for (const call of [disk.getOrNull(path), disk.put(path, 'x'), disk.copy('seed', path), disk.files(path)]) {
          const result: unknown = await call.catch((error: unknown) => error)
          if (Buffer.isBuffer(result)) expect(result.toString()).not.toBe('secret')
          else if (result instanceof Error) expect(isStorageError(result)).toBe(true)
        }
      }),
      { numRuns: 150 },
    )
    const outside = (entries: readonly string[]): string[] => entries.filter((entry) => !entry.startsWith(join('a', 'root') + sep)).sort()
    expect(outside(await readdir(folder, { recursive: true }))).toEqual(outside(before))
    for (const file of ['secret', 'a/secret', 'a/rootsecret']) expect(await readFile(join(folder, file), 'utf8')).toBe('secret')
  }, 60_000)

  it('reaches a driver in normal form only', async () => {
    const store = recorded()
    const any = new Disk(store)
    await fc.assert(
      fc.asyncProperty(anyPath, async (path) => {
        store.calls.length = 0
        await Promise.allSettled([any.exists(path), any.put(path, 'x'), any.list(path).next(), any.delete([path]), any.url(path)])
        for (const call of store.calls) {
          const seen = call.slice(call.indexOf(' ') + 1)
          if (seen !== '') expect(seen.split('/').some((segment) => segment === '' || segment === '.' || segment === '..')).toBe(false)
        }
      }),
      { numRuns: 1_000 },
    )
  }, 60_000)
})

/** The key that a driver would use for a path of its disk. */
function keyOf(path: string, driver: { locate(path: string): { readonly key: string } | undefined }): string | undefined {
  try {
    return driver.locate(normalizePath(path))?.key
  } catch (error) {
    expect(error).toMatchObject({ code: 'invalid_path' })
    return undefined
  }
}
