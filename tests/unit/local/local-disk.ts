/** What the tests of the local disk share: a directory of their own, and short ways to write and read. */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { collect, toContent } from '../../../src/content.ts'
import type { Driver, WriteOptions, WriteResult } from '../../../src/driver.ts'

/** A fresh directory, and what removes it. */
export async function freshDirectory(parent: string = tmpdir()): Promise<{ path: string; remove: () => Promise<void> }> {
  const path = await mkdtemp(join(parent, 'stowage-test-'))
  return { path, remove: () => rm(path, { recursive: true, force: true }) }
}

export function put(
  driver: Driver,
  path: string,
  contents: Parameters<typeof toContent>[0],
  options: WriteOptions = {},
): Promise<WriteResult> {
  return driver.write(path, toContent(contents), options)
}

export async function text(driver: Driver, path: string): Promise<string> {
  return (await collect((await driver.read(path, {})).body)).toString()
}

/** Every name in a directory and below, hidden ones too, sorted. */
export async function namesIn(directory: string): Promise<string[]> {
  return (await readdir(directory, { recursive: true })).sort()
}

/** The code that a promise rejects with; `undefined` when it does not. */
export async function codeOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise
    return undefined
  } catch (error) {
    return (error as { code?: unknown }).code
  }
}

export async function openDescriptors(): Promise<number> {
  return (await readdir('/proc/self/fd')).length
}
