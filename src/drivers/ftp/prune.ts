/** What crashed writers left: temporary files, known by their names, as old as the server and their names say. */
import type { CallOptions } from '../../driver.ts'
import { removeFile } from './directories.ts'
import { joinKey, tempTimeOf } from './keys.ts'
import { modifiedOf } from './look.ts'
import { readDirectory } from './read-directory.ts'
import type { Session } from './session.ts'

/** Deletes temporary files below a directory that were begun before a moment, and not written to since. @returns how many */
export async function pruneTree(
  session: Session,
  key: string,
  { before, signal }: CallOptions & { readonly before: Date },
): Promise<number> {
  let pruned = 0
  for (const { name, type, modified } of (await readDirectory(session, key, { signal })) ?? []) {
    signal?.throwIfAborted()
    const inner = joinKey(key, name)
    if (type === 'directory') pruned += await pruneTree(session, inner, { before, signal })
    const begun = tempTimeOf(name)
    if (type !== 'file' || begun === undefined || begun >= before.getTime()) continue
    const written = modified ?? (await modifiedOf(session, inner, { signal }))
    if (written !== undefined && written >= before) continue // an upload that takes long
    if (await removeFile(session, inner, { signal })) pruned++
  }
  return pruned
}
