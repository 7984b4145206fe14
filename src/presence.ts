/** Whether something is there. Only `not_found` says that it is not; every other failure is one. */
import type { Place } from './copy-between.ts'
import type { CallOptions } from './driver.ts'
import { isNotFound } from './errors.ts'

export async function isFile({ driver, path, signal }: Place & CallOptions): Promise<boolean> {
  return driver.stat(path, { signal }).then(
    () => true,
    (error: unknown) => {
      if (isNotFound(error)) return false
      throw error
    },
  )
}

/** The root always is one. Without real directories: something is in it. */
export async function isDirectory({ driver, path, signal }: Place & CallOptions): Promise<boolean> {
  if (path === '') return true
  if (driver.directories !== undefined) return driver.directories.exists(path, { signal })
  return (await driver.list(path, { recursive: true, limit: 1, stat: false, signal })).entries.length > 0
}
