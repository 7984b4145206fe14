/**
 * Directories: made with their parents, emptied one at a time. Nothing is made, and nothing removed, beyond a symbolic link;
 * links that a removed directory holds are removed themselves.
 */
import type { Dirent } from 'node:fs'
import { dirname as parentPath } from 'node:path'
import { FileExistsError, UnavailableError } from '../../errors.ts'
import type { Visibility } from '../../driver.ts'
import { basename, dirname, joinPath } from '../../path.ts'
import type { Root } from './containment.ts'
import { errnoOf, isMissing } from './local-errors.ts'
import { lstat, mkdir, mkdirAll, readdir, rmdir, syncDirectory, unlink } from './local-files.ts'
import { eachOf } from './pool.ts'
import { HIDDEN_PREFIX } from './keys.ts'
import { fitMode } from './modes.ts'
import type { LocalSettings } from './settings.ts'

const MAX_ATTEMPTS = 4 // against others that remove, or fill, the same directory at the same time

/** Makes a directory and its parents; existing ones stay as they are. @throws FileExistsError where a file is */
export async function makeDirectories(disk: LocalSettings, key: string, visibility: Visibility | undefined): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await makeMissing(disk, key, disk.directoryModes[visibility ?? disk.visibility])
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT' || attempt === MAX_ATTEMPTS) throw error
    }
  }
}

async function makeMissing(disk: LocalSettings, key: string, mode: number): Promise<void> {
  const { root } = disk
  try {
    return await root.within(key, async () => undefined)
  } catch (error) {
    if (errnoOf(error) === 'ENOTDIR') throw new FileExistsError('a file is in the way', { cause: error })
    if (errnoOf(error) !== 'ENOENT') throw error
  }
  if (key === '') return makeRoot(disk, mode)
  await makeMissing(disk, dirname(key), mode)
  const made = await root.within(dirname(key), async (at) => {
    const made = await makeOne(`${at}/${basename(key)}`, mode)
    if (made && disk.durable) await syncDirectory(at)
    return made
  })
  if (made) await root.within(key, async (at) => fitMode(`${at}/.`, await lstat(`${at}/.`), mode))
}

async function makeOne(path: string, mode: number): Promise<boolean> {
  try {
    await mkdir(path, mode)
    return true
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false
    throw error
  }
}

async function makeRoot({ root, durable }: LocalSettings, mode: number): Promise<void> {
  const path = root.at('')
  const first = await mkdirAll(path, mode)
  if (first === undefined) return
  await fitMode(path, await lstat(path), mode)
  if (!durable) return
  for (let made = path; made.length >= first.length; made = parentPath(made)) await syncDirectory(parentPath(made))
}

/** Removes a directory with all it holds; of the root only what it holds. @returns the number of files, without the disk's own */
export async function removeTree(root: Root, key: string, signal: AbortSignal | undefined): Promise<number> {
  let files = 0
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    signal?.throwIfAborted()
    const { removed, directories } = await removeFiles(root, key)
    files += removed
    for (const name of directories) files += await removeTree(root, joinPath(key, name), signal)
    if (key === '' || (await removeEmpty(root, key))) return files
  }
  throw new UnavailableError('the directory could not be emptied: others write into it, or it holds names that are not UTF-8')
}

async function removeFiles(root: Root, key: string): Promise<{ removed: number; directories: readonly string[] }> {
  const directories: string[] = []
  let removed = 0
  await ignoringMissing(async () => {
    await root.within(key, async (at) => {
      await eachOf(await readdir(at), async (entry) => {
        if (entry.isDirectory()) directories.push(entry.name)
        else if ((await removeFile(`${at}/${entry.name}`)) && isFile(entry)) removed++
      })
    })
  })
  return { removed, directories }
}

function isFile(entry: Dirent): boolean {
  return entry.isFile() && !entry.name.startsWith(HIDDEN_PREFIX)
}

async function removeFile(path: string): Promise<boolean> {
  try {
    await unlink(path)
    return true
  } catch (error) {
    if (isMissing(error)) return false
    throw error
  }
}

/** @returns false when somebody has put something in meanwhile */
async function removeEmpty(root: Root, key: string): Promise<boolean> {
  try {
    await ignoringMissing(() => root.within(dirname(key), (at) => rmdir(`${at}/${basename(key)}`)))
    return true
  } catch (error) {
    if (errnoOf(error) === 'ENOTEMPTY' || errnoOf(error) === 'EEXIST') return false
    throw error
  }
}

/** Ignores what a missing directory gives. */
async function ignoringMissing(run: () => Promise<void>): Promise<void> {
  try {
    await run()
  } catch (error) {
    if (!isMissing(error)) throw error
  }
}
