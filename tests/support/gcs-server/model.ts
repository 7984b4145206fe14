/**
 * What the server holds: buckets, and in each the versions of its objects. Changes are made in one step between two awaits, so whoever
 * checks a precondition and changes something in the same step cannot be overtaken.
 */
import type { Body } from './body-store.ts'

/** JSON as it came. */
export type Json = Readonly<Record<string, unknown>>

/** A field of JSON as text; what is none is shown as JSON. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : value === undefined ? '' : JSON.stringify(value)
}

export interface Grant {
  readonly entity: string
  readonly role: string
}

/** One version of an object. */
export interface StoredObject {
  readonly bucket: string
  readonly name: string
  readonly generation: number
  metageneration: number
  readonly body: Body
  readonly componentCount: number | undefined
  readonly created: number
  updated: number
  /** Set when a newer version took its place, or a delete did. */
  deleted: number | undefined
  storageClass: string
  storageClassUpdated: number
  /** What the caller may set: content headers, metadata, holds, retention, customTime. */
  settings: Json
  acl: readonly Grant[]
}

export interface StoredBucket {
  readonly name: string
  metageneration: number
  readonly created: number
  readonly generation: number
  updated: number
  /** What the caller may set: versioning, lifecycle, cors, iamConfiguration, labels … */
  settings: Json
  acl: readonly Grant[]
  defaultObjectAcl: readonly Grant[]
  policy: { readonly bindings: readonly Json[]; readonly version: number; readonly revision: number }
  readonly objects: ObjectTable
}

/** The order of listings: that of the names' bytes in UTF-8, which is that of their code points. */
export function compareNames(a: string, b: string): number {
  if (a === b) return 0
  const length = Math.min(a.length, b.length)
  for (let at = 0; at < length; at++) {
    const one = a.charCodeAt(at)
    const other = b.charCodeAt(at)
    if (one === other) continue
    // Surrogates stand for what is above U+FFFF, and so come after all else.
    const isOneHigh = one >= 0xd800 && one <= 0xdfff
    const isOtherHigh = other >= 0xd800 && other <= 0xdfff
    return isOneHigh === isOtherHigh ? one - other : isOneHigh ? 1 : -1
  }
  return a.length - b.length
}

/** The objects of one bucket, by name and generation. */
export class ObjectTable {
  /** Oldest first; only the last can be live. */
  readonly #versions = new Map<string, StoredObject[]>()
  #names: readonly string[] | undefined

  get isEmpty(): boolean {
    return this.#versions.size === 0
  }

  /** In the order of listings. */
  names(): readonly string[] {
    this.#names ??= [...this.#versions.keys()].sort(compareNames)
    return this.#names
  }

  versions(name: string): readonly StoredObject[] {
    return this.#versions.get(name) ?? []
  }

  live(name: string): StoredObject | undefined {
    const last = this.#versions.get(name)?.at(-1)
    return last?.deleted === undefined ? last : undefined
  }

  /** The live version, or the one of that generation. */
  find(name: string, generation?: number): StoredObject | undefined {
    if (generation === undefined) return this.live(name)
    return this.versions(name).find((version) => version.generation === generation)
  }

  /** Makes it the live version. What was live before becomes noncurrent where the bucket keeps versions, and else goes. */
  put(object: StoredObject, keepsVersions: boolean): void {
    this.retire(object.name, keepsVersions, object.created)
    const versions = this.#versions.get(object.name)
    if (versions === undefined) {
      this.#versions.set(object.name, [object])
      this.#names = undefined
    } else versions.push(object)
    object.body.hold()
  }

  /** Takes the live version away. */
  retire(name: string, keepsVersions: boolean, now: number): void {
    const live = this.live(name)
    if (live === undefined) return
    if (keepsVersions) live.deleted = now
    else this.remove(live)
  }

  remove(object: StoredObject): void {
    const versions = this.#versions.get(object.name) ?? []
    const left = versions.filter((version) => version !== object)
    if (left.length === versions.length) return
    if (left.length > 0) this.#versions.set(object.name, left)
    else {
      this.#versions.delete(object.name)
      this.#names = undefined
    }
    void object.body.letGo()
  }

  all(): readonly StoredObject[] {
    return [...this.#versions.values()].flat()
  }
}
