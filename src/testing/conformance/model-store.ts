/**
 * What a disk has to do, as simply as it can be said: a Map of files, and a Set of directories where those are real. It is the
 * other side of the model test, so it shares no code with any driver. Contents are ASCII, so that characters are bytes.
 */
import type { ErrorCode } from '../../errors.ts'

/** One step of a run. */
export type Step =
  | { readonly verb: 'put' | 'append'; readonly path: string; readonly content: string }
  | { readonly verb: 'get'; readonly path: string; readonly range?: ModelRange | undefined }
  | {
      readonly verb: 'list'
      readonly path: string
      readonly recursive: boolean
      readonly pageSize: number
      readonly after?: string | undefined
    }
  | { readonly verb: 'delete'; readonly paths: readonly string[] }
  | { readonly verb: 'deleteDirectory' | 'makeDirectory'; readonly path: string }
  | { readonly verb: 'copy' | 'move'; readonly path: string; readonly to: string }

export type ModelRange = { readonly start: number; readonly end?: number | undefined } | { readonly suffix: number }

/** What a step gives: a value, or the code of its error. */
export type Outcome = { readonly value: unknown } | { readonly code: ErrorCode }

const DONE: Outcome = { value: undefined }
const EXISTS: Outcome = { code: 'already_exists' }
const NOT_FOUND: Outcome = { code: 'not_found' }

export class ModelStore {
  readonly #files = new Map<string, string>()
  readonly #directories = new Set<string>()
  readonly #real: boolean

  /** @param real whether directories are there by themselves, or only as long as they have files */
  constructor(real: boolean) {
    this.#real = real
  }

  apply(step: Step): Outcome {
    switch (step.verb) {
      case 'put':
        return this.#put(step.path, step.content)
      case 'append':
        return this.#put(step.path, (this.#files.get(step.path) ?? '') + step.content)
      case 'get':
        return this.#get(step.path, step.range)
      case 'list':
        return { value: this.list(step) }
      case 'delete':
        for (const path of step.paths) this.#files.delete(path)
        return DONE
      case 'deleteDirectory':
        return this.#deleteDirectory(step.path)
      case 'makeDirectory':
        return this.#makeDirectory(step.path)
      case 'copy':
      case 'move':
        break
    }
    return this.#copy(step.path, step.to, step.verb === 'move')
  }

  /** Every place, with the size of what is there. */
  list({ path, recursive, after = '' }: { path: string; recursive: boolean; after?: string | undefined }): string[] {
    const prefix = path === '' ? '' : `${path}/`
    const places = new Set<string>()
    const keys = [...this.#files.keys(), ...[...this.#directories].map((directory) => `${directory}/`)]
    for (const key of keys.filter((key) => key.startsWith(prefix) && key !== prefix)) {
      const rest = key.slice(prefix.length).split('/')
      for (let depth = 1; depth < rest.length; depth++) places.add(`${prefix}${rest.slice(0, depth).join('/')}/`)
      if (!key.endsWith('/')) places.add(key)
    }
    return [...places]
      .filter((place) => recursive || !place.slice(prefix.length, -1).includes('/'))
      .filter((place) => Buffer.compare(Buffer.from(place), Buffer.from(after)) > 0)
      .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
      .map((place) => (place.endsWith('/') ? place : `${place} (${this.#files.get(place)?.length})`))
  }

  /** Every file and what it holds. */
  get files(): ReadonlyMap<string, string> {
    return this.#files
  }

  #put(path: string, content: string): Outcome {
    if (this.#blocked(path)) return EXISTS
    this.#files.set(path, content)
    this.#makeParents(path)
    return DONE
  }

  #get(path: string, range: ModelRange | undefined): Outcome {
    const content = this.#files.get(path)
    if (content === undefined) return NOT_FOUND
    if (range === undefined) return { value: content }
    if ('suffix' in range) return { value: content.slice(Math.max(0, content.length - range.suffix)) }
    if (range.start > 0 && range.start >= content.length) return { code: 'invalid_argument' }
    return { value: content.slice(range.start, range.end) }
  }

  #copy(from: string, to: string, moving: boolean): Outcome {
    const content = this.#files.get(from)
    if (content === undefined) return NOT_FOUND
    if (from === to) return DONE
    if (this.#blocked(to)) return EXISTS
    if (moving) this.#files.delete(from)
    return this.#put(to, content)
  }

  #makeDirectory(path: string): Outcome {
    if (!this.#real || path === '') return DONE
    if (this.#files.has(path) || this.#blocked(`${path}/x`)) return EXISTS
    this.#makeParents(`${path}/x`)
    return DONE
  }

  #deleteDirectory(path: string): Outcome {
    const inside = [...this.#files.keys()].filter((key) => key.startsWith(`${path}/`))
    for (const key of inside) this.#files.delete(key)
    for (const key of this.#directories) if (key === path || key.startsWith(`${path}/`)) this.#directories.delete(key)
    return { value: { deleted: inside.length } }
  }

  /** With real directories: one stands where the file is to be, or a file where its directory is to be. */
  #blocked(path: string): boolean {
    return this.#real && (this.#directories.has(path) || ancestorsOf(path).some((ancestor) => this.#files.has(ancestor)))
  }

  #makeParents(path: string): void {
    if (this.#real) for (const ancestor of ancestorsOf(path)) this.#directories.add(ancestor)
  }
}

function ancestorsOf(path: string): string[] {
  const segments = path.split('/')
  return segments.slice(1).map((_, depth) => segments.slice(0, depth + 1).join('/'))
}
