/**
 * Nothing outside the root is ever read, written or deleted, whatever symbolic links are in it.
 *
 * On Linux without races: a path is opened without following a link in its last segment, and /proc/self/fd/N then says what was
 * really opened. Directories are held open while something is changed in them, and reached through /proc/self/fd/N/name, so that
 * a link that replaces one of them in between leads nowhere. (procfs never waits for a disk, so it is read synchronously.)
 * Elsewhere the parent's real path is compared, which a link made in the same instant could outrun.
 *
 *   root.at(key) ──open──▶ fd ──readlink /proc/self/fd/fd──▶ in the real parent?  yes: inside.  no: a link, or a race: look again
 */
import type { BigIntStats } from 'node:fs'
import { closeSync, existsSync, readlinkSync, realpathSync } from 'node:fs'
import { FileExistsError, quote } from '../../errors.ts'
import { basename, directoryPrefix, dirname, joinPath } from '../../path.ts'
import { HIDDEN_PREFIX } from './keys.ts'
import { errnoOf, isMissing, LinkError } from './local-errors.ts'
import { closeQuietly, factsOf, keepsFactsInMemory, lstat, lstatOrMissing, OPEN, open, realpath, unlinkQuietly } from './local-files.ts'

/** What becomes of symbolic links below the root: as if they were not there, an error, or followed while they stay inside. */
export type LinkPolicy = 'skip' | 'error' | 'follow'

const MAX_ATTEMPTS = 8 // each is lost only to another rename at the same instant
const MAX_KNOWN = 10_000

let procfs: boolean | undefined

function hasProcfs(): boolean {
  procfs ??= process.platform === 'linux' && existsSync('/proc/self/fd')
  return procfs
}

/** The directory of a disk, and the only way from a key to a place in the file system. Keys are paths without links in them. */
export class Root {
  readonly links: LinkPolicy
  readonly #procfs: boolean | undefined
  /** Absolute, as configured; without a slash at its end. */
  readonly #path: string
  #real: string | undefined
  /** Whether the real path is that of a root that is there. */
  #checked = false
  #inMemory = false
  readonly #known = new Set<string>()

  /** @param procfs whether descriptors tell what they opened; default: as the system says */
  constructor(path: string, links: LinkPolicy, procfs?: boolean) {
    this.#path = path.replace(/[/\\]$/, '')
    this.links = links
    this.#procfs = procfs
  }

  get procfs(): boolean {
    return this.#procfs ?? hasProcfs()
  }

  /** Where a key is, unchecked. */
  at(key: string): string {
    return key === '' ? this.#path || '/' : `${this.#path}/${key}`
  }

  /** The root's own real path, without a slash at its end. @throws ENOENT before the root is made */
  async real(): Promise<string> {
    if (this.#real !== undefined && this.#checked) return this.#real
    const [real, inMemory] = await Promise.all([realpath(this.at('')), keepsFactsInMemory(this.at(''))])
    this.#inMemory = inMemory
    this.#checked = true
    this.#real = trimmed(real)
    return this.#real
  }

  /** Whether the facts about an open file can be had without waiting. */
  get inMemory(): boolean {
    return this.#inMemory
  }

  /** The real path of a key, without a look at what is there. */
  realAt(key: string): string {
    this.#real ??= realSoFar(this.at(''))
    return joinPath(this.#real, key) || '/'
  }

  /** The real path of a path, the same on every disk whose root holds the file. Looks without waiting, and only where it must. */
  locate(path: string): string {
    const real = this.realAt(path)
    return this.links === 'follow' ? realSoFar(real) || '/' : real
  }

  /** The key that a path stands for: itself, unless links are followed. @throws LinkError when it leaves the root */
  async resolve(path: string): Promise<string> {
    if (this.links !== 'follow' || path === '') return path
    let target: string
    try {
      target = trimmed(await realpath(this.at(path)))
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error
      return joinPath(await this.resolve(dirname(path)), basename(path))
    }
    const real = await this.real()
    const key = target.slice(real.length + 1)
    if (target !== real && !target.startsWith(`${real}/`)) throw new LinkError(true)
    if (key !== path && `/${key}`.includes(`/${HIDDEN_PREFIX}`)) throw new LinkError(true)
    return key
  }

  /** The key of a path whose last segment is meant itself, also when it is a link. */
  async resolveParent(path: string): Promise<string> {
    return this.links === 'follow' ? joinPath(await this.resolve(dirname(path)), basename(path)) : path
  }

  /** Opens what is at the key itself. @throws LinkError when a link is on the way; what was created there is removed again */
  async open(key: string, flags: number, mode?: number): Promise<number> {
    if (!this.#checked) await this.real()
    for (let attempt = 1; ; attempt++) {
      const fd = await this.#openOnce(key, flags, mode)
      if (await this.#isInsideOrClose(fd, key)) return fd
      if (flags === OPEN.create) await unlinkQuietly(this.at(key))
      await this.#lookAgain(key, attempt)
    }
  }

  /** Facts about what is at the key itself. @throws LinkError when it is a link or beyond one */
  async stat(key: string): Promise<BigIntStats> {
    const stats = await this.lstat(key)
    if (stats.isSymbolicLink()) throw new LinkError(this.links === 'error')
    return stats
  }

  /** Facts about what is at the key, also when that is a link. @throws LinkError when it is beyond one */
  async lstat(key: string): Promise<BigIntStats> {
    if (!this.procfs) {
      await this.#checkParent(key)
      return lstat(this.at(key))
    }
    const fd = await this.open(key, OPEN.place)
    try {
      return await factsOf(fd, this.#inMemory)
    } finally {
      closeSync(fd) // of a place, so there is nothing to wait for
    }
  }

  /** Holds a directory while something is done in it. `at` is a way to it that no link can bend. */
  async within<T>(key: string, use: (at: string) => Promise<T>): Promise<T> {
    if (!this.procfs) {
      await this.#checkParent(joinPath(key, 'x'))
      return use(this.at(key))
    }
    const fd = await this.open(key, OPEN.directory)
    try {
      return await use(`/proc/self/fd/${fd}`)
    } finally {
      closeSync(fd)
    }
  }

  /** True when the directory was found to be inside before. What is created in it is checked again all the same. */
  isKnown(key: string): boolean {
    return this.#known.has(key)
  }

  remember(key: string): void {
    if (this.#known.size >= MAX_KNOWN) this.#known.clear()
    this.#known.add(key)
  }

  /** Where a file system finds one name under several spellings: a write must not replace a file under another. @throws FileExistsError */
  async checkSpelling(key: string): Promise<void> {
    if (this.procfs) return
    const [found, wanted] = [await this.#realSpelling(key), joinPath(await this.real(), key)]
    if (found !== wanted && folded(found) === folded(wanted)) {
      throw new FileExistsError(`this file system finds ${quote(basename(found))} under this name too`)
    }
  }

  async #openOnce(key: string, flags: number, mode?: number): Promise<number> {
    try {
      return await open(key === '' ? `${this.at('')}/.` : this.at(key), flags, mode) // the root itself may be a link
    } catch (error) {
      const errno = errnoOf(error)
      if (errno === 'ELOOP' || errno === 'ENOTDIR' || this.links === 'error') await this.#refuseLinks(key)
      throw error
    }
  }

  async #isInsideOrClose(fd: number, key: string): Promise<boolean> {
    let inside = false
    try {
      inside = await this.#isInside(fd, key)
    } finally {
      if (!inside) await closeQuietly(fd)
    }
    return inside
  }

  /** In the real parent, and not by way of a link. It may have been renamed or deleted there since. */
  async #isInside(fd: number, key: string): Promise<boolean> {
    if (!this.procfs) return (await this.#realSpelling(key)) === (joinPath(await this.real(), key) || '/')
    const real = this.#real as string
    const opened = readlinkSync(`/proc/self/fd/${fd}`)
    if (key === '') return opened === (real || '/')
    const prefix = `${real}/${directoryPrefix(dirname(key))}`
    return opened.startsWith(prefix) && !opened.includes('/', prefix.length)
  }

  /** Its real path, which is also how the name is really spelt; of a file that is gone already, by its parent. */
  async #realSpelling(key: string): Promise<string> {
    try {
      return await realpath(this.at(key))
    } catch (error) {
      if (!isMissing(error)) throw error
      return joinPath(trimmed(await realpath(this.at(dirname(key)))), basename(key))
    }
  }

  async #checkParent(key: string): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      if ((await realpath(this.at(dirname(key)))) === (await this.#realParent(key))) return
      await this.#lookAgain(key, attempt)
    }
  }

  async #realParent(key: string): Promise<string> {
    return joinPath(await this.real(), dirname(key)) || '/'
  }

  /** Why something else was opened: throws when a link was in the way, returns when it was a race, or when the root has moved. */
  async #lookAgain(key: string, attempt: number): Promise<void> {
    this.#checked = false
    this.#known.clear()
    await this.real()
    await this.#refuseLinks(key)
    if (attempt >= MAX_ATTEMPTS) throw new LinkError(this.links === 'error')
  }

  async #refuseLinks(key: string): Promise<void> {
    let at = ''
    for (const segment of key === '' ? [] : key.split('/')) {
      at = joinPath(at, segment)
      const stats = await lstatOrMissing(this.at(at))
      if (stats === undefined) return
      if (stats.isSymbolicLink()) throw new LinkError(this.links === 'error')
    }
  }
}

function folded(path: string): string {
  return path.normalize('NFC').toLowerCase()
}

function trimmed(path: string): string {
  return path === '/' ? '' : path
}

/** The real path of the part that exists, and the rest as it is. */
function realSoFar(path: string): string {
  let rest = ''
  for (let at = path; at !== ''; at = dirname(at)) {
    try {
      return joinPath(trimmed(realpathSync.native(at)), rest)
    } catch (error) {
      if (!isMissing(error)) break
      rest = joinPath(basename(at), rest)
    }
  }
  return path
}
