/**
 * What mirrors still have to be told, as files on the primary: written before a change, removed when every mirror has it.
 *
 *   stowage-journal/<milliseconds>-<random>.json      { "paths": [ … ] }  or  { "directory": … }
 *
 * An entry says only where to look: whoever works it off makes the mirrors as the primary is then. Working one off twice does no harm.
 */
import { nodeCrypto } from '../../builtins.ts'
import { bytesContent, collect } from '../../content.ts'
import { pagesOf } from '../../derive.ts'
import type { Driver } from '../../driver.ts'
import { isNotFound } from '../../errors.ts'
import { JOURNAL } from './journal-paths.ts'

/** What may differ between the primary and its mirrors. */
export type Work = { readonly paths: readonly string[] } | { readonly directory: string }

export interface JournalEntry {
  readonly file: string
  readonly work: Work
  readonly writtenAt: number
}

export class Journal {
  readonly #primary: Driver
  readonly #now: () => number

  constructor(primary: Driver, now: () => number) {
    this.#primary = primary
    this.#now = now
  }

  async add(work: Work): Promise<JournalEntry> {
    const writtenAt = this.#now()
    const file = `${JOURNAL}/${String(writtenAt).padStart(15, '0')}-${nodeCrypto().randomBytes(8).toString('hex')}.json`
    await this.#primary.write(file, bytesContent(Buffer.from(JSON.stringify(work))), {})
    return { file, work, writtenAt }
  }

  async remove({ file }: JournalEntry): Promise<void> {
    const [failure] = await this.#primary.delete([file], {})
    if (failure !== undefined) throw failure.error
  }

  /** What is left of an earlier life, or of another process that is at it. */
  async *entries(): AsyncGenerator<JournalEntry, undefined> {
    for await (const page of pagesOf(this.#primary, JOURNAL, { stat: false })) {
      for (const { type, path } of page) {
        const entry = type === 'file' ? await this.#read(path) : undefined
        if (entry !== undefined) yield entry
      }
    }
  }

  async #read(file: string): Promise<JournalEntry | undefined> {
    try {
      const { body } = await this.#primary.read(file, {})
      const work = JSON.parse((await collect(body)).toString()) as Work
      return { file, work, writtenAt: Number.parseInt(file.slice(JOURNAL.length + 1), 10) }
    } catch (error) {
      if (isNotFound(error)) return undefined // worked off meanwhile
      throw error
    }
  }
}
