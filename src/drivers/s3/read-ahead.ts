/**
 * The next page of a listing, asked for before its caller does: it arrives while the caller works on the page before.
 *
 * Only of listings without a limit, which are read to their end as a rule. A page that nobody comes for is given up; so is one in which
 * this disk changed something, and every page of a listing that begins anew: nobody is told what he knows to be otherwise.
 */
import type { ListOptions, Page } from '../../driver.ts'
import { compareUtf8, directoryPrefix } from '../../path.ts'

const KEEP_MS = 10_000
const MAX_PAGES = 16

interface Ahead {
  readonly directory: string
  /** What the page comes after. */
  readonly place: string
  readonly page: Promise<Page>
  /** It has its caller now, who asks for the one after it as soon as he can. */
  readonly keep: (onNext: OnNext) => void
  readonly drop: () => void
}

/** Called when the cursor of the next page is known, which may be before this one is ready. */
type OnNext = (cursor: string) => void

export type ListPage = (directory: string, options: ListOptions, onNext: OnNext) => Promise<Page>

export class ReadAhead {
  readonly #list: ListPage
  readonly #pages = new Map<string, Ahead>()

  constructor(list: ListPage) {
    this.#list = list
  }

  async list(directory: string, options: ListOptions): Promise<Page> {
    if (options.cursor === undefined) this.#restart(directory)
    let begun: string | undefined
    const begin = (cursor: string): void => {
      if (cursor !== begun && options.limit === undefined) this.#begin(directory, { ...options, cursor })
      begun = cursor
    }
    const page = await (this.#take(directory, options, begin) ?? this.#list(directory, options, begin))
    if (page.cursor !== undefined) begin(page.cursor)
    return page
  }

  /** Something at these paths is not what it was. */
  changed(paths: readonly string[]): void {
    for (const { directory, place, drop } of this.#pages.values()) {
      const prefix = directoryPrefix(directory)
      if (paths.some((path) => path.startsWith(prefix) && compareUtf8(path, place) > 0)) drop()
    }
  }

  /** Gives up what was asked for. */
  close(): void {
    for (const { drop } of this.#pages.values()) drop()
  }

  #restart(directory: string): void {
    for (const ahead of this.#pages.values()) if (ahead.directory === directory) ahead.drop()
  }

  #take(directory: string, options: ListOptions, onNext: OnNext): Promise<Page> | undefined {
    const ahead = this.#pages.get(keyOf(directory, options))
    if (ahead === undefined || options.signal?.aborted) return undefined
    ahead.keep(onNext)
    return whileNotAborted(ahead, options.signal)
  }

  #begin(directory: string, options: ListOptions & { readonly cursor: string }): void {
    if (options.signal?.aborted || this.#pages.size >= MAX_PAGES) return
    const key = keyOf(directory, options)
    const controller = new AbortController()
    let next: string | undefined
    let taker: OnNext | undefined
    const page = this.#list(directory, { ...options, signal: controller.signal }, (cursor) => {
      next = cursor
      taker?.(cursor)
    })
    page.catch(() => undefined) // whoever comes for it hears of it
    const forget = (): void => {
      clearTimeout(timer)
      this.#pages.delete(key)
    }
    const keep = (onNext: OnNext): void => {
      forget()
      taker = onNext
      if (next !== undefined) onNext(next)
    }
    const drop = (): void => {
      forget()
      controller.abort()
    }
    const timer = setTimeout(drop, KEEP_MS).unref()
    this.#pages.get(key)?.drop()
    this.#pages.set(key, { directory, place: options.cursor, page, keep, drop })
  }
}

/** Its request ends with the caller's signal from now on. */
async function whileNotAborted({ page, drop }: Ahead, signal: AbortSignal | undefined): Promise<Page> {
  if (signal === undefined) return page
  signal.addEventListener('abort', drop, { once: true })
  try {
    return await page
  } catch (error) {
    throw signal.aborted ? signal.reason : error
  } finally {
    signal.removeEventListener('abort', drop)
  }
}

function keyOf(directory: string, { recursive = false, after, cursor }: ListOptions): string {
  return JSON.stringify([directory, recursive, after, cursor])
}
