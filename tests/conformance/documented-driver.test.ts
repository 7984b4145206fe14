/** The driver that the guide writes keeps what it says: the kit runs over the very code of the page. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll } from '@jest/globals'
import type { Driver } from '../../src/driver.ts'
import { describeDriver } from '../../src/testing/conformance/index.ts'
import { readPage, ROOT, snippetsOf } from '../examples/markdown.ts'

interface Documented {
  readonly SqliteDriver: new (file: string) => Driver
}

let directory: string | undefined
let loading: Promise<Documented> | undefined

/** Below this directory, because the code imports packages. */
async function load(): Promise<Documented> {
  const snippet = snippetsOf(await readPage('docs/writing-a-driver.md')).find(({ file }) => file === 'sqlite-driver.ts')
  if (snippet === undefined) throw new Error('the guide has no sqlite-driver.ts')
  directory = await mkdtemp(join(import.meta.dirname, '.documented-'))
  const file = join(directory, 'sqlite-driver.ts')
  await writeFile(file, snippet.code.replaceAll("from 'stowage'", `from '${pathToFileURL(join(ROOT, 'src/index.ts')).href}'`))
  return import(file) as Promise<Documented>
}

afterAll(async () => {
  if (directory !== undefined) await rm(directory, { recursive: true })
})

describeDriver('the driver of the guide', async () => {
  loading ??= load()
  const { SqliteDriver } = await loading
  return new SqliteDriver(':memory:')
})
