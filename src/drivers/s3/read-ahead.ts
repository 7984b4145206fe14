/**
 * The next page of a listing, asked for before its caller does: as soon as the page before says where it begins, which is before the
 * keys of that page were read. It arrives while they are, and while the caller works on them.
 *
 * Only of listings without a limit, which are read to their end as a rule. A page that nobody comes for is given up; so is one in which
 * this disk changed something, and every page of a listing that begins anew: nobody is told what he knows to be otherwise.
 */
import type { ListOptions, Page } from '../../driver.ts'
import { compareUtf8, directoryPrefix } from '../../path.ts'
import type { Ahead, PageLink } from './listing.ts'
import type { KeyPage } from './requests.ts'

const KEEP_MS = 10_000
const MAX_PAGES = 16

interface Asked {
  readonly directory: string
  readonly answer: Promise<KeyPage>
  /** What the page comes after; undefined while the page before is not ready. */
  place: string | undefined
  /** It has its caller now, who asks for the one after it as soon as he can. */
  readonly keep: (onToken: OnToken) => void
  readonly drop: () => void
}

type OnToken = (token: string) => void

/** How pages are listed, and asked for ahead. */
export interface Listing {
  page(directory: string, options: ListOptions, link: PageLink): Promise<Page>
  ask(directory: string, options: ListOptions, ahead: Ahead): Promise<KeyPage>
}

export class ReadAhead {
  readonly #listing: Listing
  readonly #pages = new Set<Asked>()
  /** Those whose place is known. */
  readonly #placed = new Map<string, Asked>()

  constructor(listing: Listing) {
    this.#listing = listing
  }

  async list(directory: string, options: ListOptions): Promise<Page> {
    if (options.cursor === undefined) this.#restart(directory)
    let next: Asked | undefined
    const onToken = (token: string): void => {
      if (options.limit !== undefined) return
      next?.drop() // of an answer that was cut, and asked for again
      next = this.#begin(directory, options, token)
    }
    try {
      const page = await this.#listing.page(directory, options, { answer: this.#take(directory, options, onToken), onToken })
      if (page.cursor === undefined) next?.drop()
      else if (options.limit === undefined) {
        const rest = { ...options, cursor: page.cursor }
        next ??= this.#begin(directory, rest) // of a store that gives no token
        if (next !== undefined) this.#place(next, rest)
      }
      return page
    } catch (error) {
      next?.drop()
      throw error
    }
  }

  /** Something at these paths is not what it was. */
  changed(paths: readonly string[]): void {
    for (const { directory, place, drop } of this.#pages) {
      const prefix = directoryPrefix(directory)
      if (paths.some((path) => path.startsWith(prefix) && (place === undefined || compareUtf8(path, place) > 0))) drop()
    }
  }

  /** Gives up what was asked for. */
  close(): void {
    for (const { drop } of this.#pages) drop()
  }

  #restart(directory: string): void {
    for (const ahead of this.#pages) if (ahead.directory === directory) ahead.drop()
  }

  #take(directory: string, options: ListOptions, onToken: OnToken): Promise<KeyPage> | undefined {
    const ahead = this.#placed.get(keyOf(directory, options))
    if (ahead === undefined || options.signal?.aborted) return undefined
    ahead.keep(onToken)
    return whileNotAborted(ahead, options.signal)
  }

  /** For whoever comes with the cursor of the page before; unless it was given up meanwhile. */
  #place(ahead: Asked, options: ListOptions & { readonly cursor: string }): void {
    if (!this.#pages.has(ahead)) return
    const key = keyOf(ahead.directory, options)
    this.#placed.get(key)?.drop()
    ahead.place = options.cursor
    this.#placed.set(key, ahead)
  }

  /** @param token in place of the cursor */
  #begin(directory: string, options: ListOptions, token?: string): Asked | undefined {
    if (options.signal?.aborted || this.#pages.size >= MAX_PAGES) return undefined
    const controller = new AbortController()
    let next: string | undefined
    let taker: OnToken | undefined
    const onToken = (told: string): void => {
      next = told
      taker?.(told)
    }
    const answer = this.#listing.ask(directory, { ...options, signal: controller.signal }, { token, onToken })
    answer.catch(() => undefined) // whoever comes for it hears of it
    const forget = (): void => {
      clearTimeout(timer)
      this.#pages.delete(ahead)
      if (ahead.place === undefined) return
      const key = keyOf(directory, { ...options, cursor: ahead.place })
      if (this.#placed.get(key) === ahead) this.#placed.delete(key)
    }
    const keep = (told: OnToken): void => {
      forget()
      taker = told
      if (next !== undefined) told(next)
    }
    const drop = (): void => {
      forget()
      controller.abort()
    }
    const timer = setTimeout(drop, KEEP_MS).unref()
    const ahead: Asked = { directory, answer, place: undefined, keep, drop }
    this.#pages.add(ahead)
    return ahead
  }
}

/** Its request ends with the caller's signal from now on. */
async function whileNotAborted({ answer, drop }: Asked, signal: AbortSignal | undefined): Promise<KeyPage> {
  if (signal === undefined) return answer
  signal.addEventListener('abort', drop, { once: true })
  try {
    return await answer
  } catch (error) {
    throw signal.aborted ? signal.reason : error
  } finally {
    signal.removeEventListener('abort', drop)
  }
}

function keyOf(directory: string, { recursive = false, after, cursor }: ListOptions): string {
  return JSON.stringify([directory, recursive, after, cursor])
}
