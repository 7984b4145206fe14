/** Real directories: made with their parents, deleted with all they hold. */
import type { CallOptions, Visibility } from '../../driver.ts'
import { FileExistsError } from '../../errors.ts'
import { isRefused } from './ftp-errors.ts'
import { joinKey, parentKey, tempTimeOf } from './keys.ts'
import { changeMode, kindOf } from './look.ts'
import { readDirectory } from './read-directory.ts'
import type { Session } from './session.ts'

const ATTEMPTS = 5

/** With its parents; one that is there is fine, and stays as it is. @throws FileExistsError where a file is */
export async function makeDirectories(
  session: Session,
  key: string,
  options: CallOptions & { readonly visibility?: Visibility | undefined },
): Promise<void> {
  const { signal, visibility } = options
  if (key === '/') return
  for (let attempt = 1; ; attempt++) {
    const made = await makeOne(session, key, { signal, last: attempt === ATTEMPTS })
    if (made === 'made' && visibility !== undefined) await changeMode(session, key, { visibility, type: 'directory', signal })
    if (made !== 'refused') return
    if ((await kindOf(session, parentKey(key), { signal })) !== 'directory') await makeDirectories(session, parentKey(key), options)
  }
}

/** Refused: the directory above was missing, a moment ago. */
async function makeOne(
  session: Session,
  key: string,
  { signal, last }: CallOptions & { readonly last: boolean },
): Promise<'made' | 'there' | 'refused'> {
  try {
    await session.command(`MKD ${key}`, signal)
    return 'made'
  } catch (error) {
    if (!isRefused(error)) throw error
    const kind = await kindOf(session, key, { signal })
    if (kind === 'directory') return 'there'
    if (kind !== undefined) throw new FileExistsError('a file is where a directory has to be', { cause: error })
    if (last) throw error
    return 'refused'
  }
}

/** Deletes what a directory holds, and the directory unless it is to be kept. @returns how many files it deleted; our own do not count */
export async function removeTree(
  session: Session,
  key: string,
  { signal, keep = false }: CallOptions & { keep?: boolean },
): Promise<number> {
  let deleted = 0
  for (let attempt = 1; ; attempt++) {
    deleted += await emptyDirectory(session, key, { signal, plain: attempt > 1 })
    if (keep) return deleted
    try {
      if (!session.dialect.facts) await session.ask(`CWD ${parentKey(key)}`, signal) // Windows deletes no directory that somebody is in
      await session.command(`RMD ${key}`, signal)
      return deleted
    } catch (error) {
      if (!isRefused(error)) throw error
      if ((await kindOf(session, key, { signal })) !== 'directory') return deleted // somebody else was faster
      if (attempt === ATTEMPTS) throw error // else somebody has put something into it meanwhile
    }
  }
}

async function emptyDirectory(session: Session, key: string, options: CallOptions & { readonly plain: boolean }): Promise<number> {
  const { signal } = options
  let deleted = 0
  for (const { name, type } of (await readDirectory(session, key, options)) ?? []) {
    const inner = joinKey(key, name)
    if (type === 'directory') {
      deleted += await removeTree(session, inner, { signal })
      continue
    }
    if (await removeFile(session, inner, { signal })) deleted += tempTimeOf(name) === undefined && type === 'file' ? 1 : 0
  }
  return deleted
}

/** @returns whether there was one. @throws PermissionDeniedError when it stays */
export async function removeFile(session: Session, key: string, { signal }: CallOptions): Promise<boolean> {
  try {
    await session.command(`DELE ${key}`, signal)
    return true
  } catch (error) {
    if (!isRefused(error)) throw error
    const kind = await kindOf(session, key, { signal })
    if (kind === undefined || kind === 'directory') return false
    throw error
  }
}
