/**
 * Looking at one place on the server: by MLST where there is one, else by SIZE, MDTM and CWD. A refusal is never taken at its word:
 * 550 may mean that nothing is there, or that nobody may see it, and only a look at the directories above tells which.
 */
import type { CallOptions, Visibility } from '../../driver.ts'
import { FileExistsError, FileNotFoundError, PermissionDeniedError, UnsupportedError } from '../../errors.ts'
import { basename } from '../../path.ts'
import { type Fact, parseMlst, parseTime } from './facts.ts'
import { isRefused } from './ftp-errors.ts'
import { parentKey } from './keys.ts'
import { readDirectory } from './read-directory.ts'
import type { Session } from './session.ts'

export interface FileFacts {
  readonly size: number
  readonly modified: Date
  readonly visibility: Visibility | undefined
}

/** What is there; undefined where nothing is, or nothing that we may see. */
export async function kindOf(session: Session, key: string, { signal }: CallOptions): Promise<Fact['type'] | undefined> {
  if (session.dialect.facts) {
    const reply = await session.ask(`MLST ${key}`, signal)
    const fact = reply && parseMlst(reply.message)
    if (fact !== undefined) return fact.type
    if (reply !== undefined) return (await session.ask(`CWD ${key}`, signal)) === undefined ? 'file' : 'directory'
    return undefined
  }
  if ((await session.ask(`CWD ${key}`, signal)) !== undefined) return 'directory'
  return (await session.ask(`SIZE ${key}`, signal)) === undefined ? undefined : 'file'
}

/** @throws FileNotFoundError also for a directory; PermissionDeniedError where a directory above is closed to us */
export async function lookAtFile(session: Session, key: string, { signal }: CallOptions): Promise<FileFacts> {
  if (session.dialect.facts) {
    const reply = await session.ask(`MLST ${key}`, signal)
    const fact = reply && parseMlst(reply.message)
    if (fact !== undefined && fact.type !== 'file') throw new FileNotFoundError()
    if (fact?.size !== undefined && fact.modified !== undefined && !fact.mayBeLink) {
      return { size: fact.size, modified: fact.modified, visibility: fact.visibility }
    }
    if (reply === undefined) throw await absence(session, key, { signal })
  }
  const [size, modified] = [await sizeOf(session, key, { signal }), await session.ask(`MDTM ${key}`, signal)]
  if (size === undefined) throw await absence(session, key, { signal })
  return { size, modified: parseTime(modified?.message ?? '') ?? new Date(0), visibility: undefined }
}

/** In bytes, as the server stores it; undefined where there is no file. */
export async function sizeOf(session: Session, key: string, { signal }: CallOptions): Promise<number | undefined> {
  const reply = await session.ask(`SIZE ${key}`, signal)
  const [, digits] = /^\d{3}[ -](\d+)/.exec(reply?.message ?? '') ?? []
  return digits === undefined ? undefined : Number(digits)
}

export async function modifiedOf(session: Session, key: string, { signal }: CallOptions): Promise<Date | undefined> {
  const reply = await session.ask(`MDTM ${key}`, signal)
  return parseTime(reply?.message.slice(4) ?? '')
}

/** Why nothing was found: nothing is there, or a directory above may not be entered. */
export async function absence(session: Session, key: string, options: CallOptions): Promise<FileNotFoundError | PermissionDeniedError> {
  for (let above = parentKey(key); ; above = parentKey(above)) {
    if ((await session.ask(`CWD ${above}`, options.signal)) !== undefined) return new FileNotFoundError()
    if (above === '/') return new PermissionDeniedError('the server does not let us into its root directory')
    if ((await kindOf(session, above, options)) === 'directory') {
      return new PermissionDeniedError('the server does not let us into a directory above')
    }
  }
}

/** @throws FileNotFoundError where no file is */
export async function requireFile(session: Session, key: string, options: CallOptions): Promise<void> {
  if ((await kindOf(session, key, options)) !== 'file') throw await absence(session, key, options)
}

/** Why the server refused to write there: a directory is in the way, or a file where a directory has to be; else what it said. */
export async function whyNotWritten(session: Session, key: string, options: CallOptions & { readonly error: unknown }): Promise<unknown> {
  const { error } = options
  if (!isRefused(error)) return error
  if ((await kindOf(session, key, options)) === 'directory') return new FileExistsError('a directory is in the way', { cause: error })
  for (let above = parentKey(key); above !== '/'; above = parentKey(above)) {
    const kind = await kindOf(session, above, options)
    if (kind === 'file') return new FileExistsError('a file is where a directory has to be', { cause: error })
    if (kind === 'directory') return error
  }
  return error
}

/** Undefined where the server does not tell modes. @throws FileNotFoundError */
export async function visibilityOfFile(session: Session, key: string, options: CallOptions): Promise<Visibility | undefined> {
  return (await lookAtFile(session, key, options)).visibility ?? (await listedFact(session, key, options))?.visibility
}

/** The line of the directory's listing, where nothing else tells. */
async function listedFact(session: Session, key: string, options: CallOptions): Promise<Fact | undefined> {
  const facts = await readDirectory(session, parentKey(key), options)
  return facts?.find(({ name, type }) => type === 'file' && name === basename(key))
}

const MODES = { file: { public: '644', private: '600' }, directory: { public: '755', private: '700' } } as const

/** @throws UnsupportedError where the server has no SITE CHMOD */
export async function changeMode(
  session: Session,
  key: string,
  { visibility, type = 'file', signal }: CallOptions & { readonly visibility: Visibility; readonly type?: 'file' | 'directory' },
): Promise<void> {
  try {
    await session.command(`SITE CHMOD ${MODES[type][visibility]} ${key}`, signal)
  } catch (error) {
    if (!isRefused(error, 500, 501, 502, 504)) throw error
    throw new UnsupportedError('the server does not change permissions (SITE CHMOD): configure the disk with "permissions: false"', {
      cause: { code: error.code },
    })
  }
}
