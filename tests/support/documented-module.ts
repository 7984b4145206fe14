/** A module that a guide writes, loaded from the very code of the page, over the sources of this repository. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { readPage, ROOT, snippetsOf } from '../examples/markdown.ts'

const STOWAGE = pathToFileURL(join(ROOT, 'src/index.ts')).href

/** @param file the name in the first line of the fence */
export async function documentedModule(page: string, file: string): Promise<unknown> {
  const snippet = snippetsOf(await readPage(page)).find((found) => found.file === file)
  if (snippet === undefined) throw new Error(`${page} has no ${file}`)
  const directory = await mkdtemp(join(ROOT, 'tests/.documented-')) // within the repository, because the code imports packages
  try {
    await writeFile(join(directory, file), snippet.code.replaceAll("from 'stowage'", `from '${STOWAGE}'`))
    return await import(join(directory, file))
  } finally {
    await rm(directory, { recursive: true })
  }
}
