/** Abilities of a driver whose insides the first call loads (lazy.ts). Each lists the members of what it stands for. */
import type { BucketSetting, DirectoryAbility, MultipartAbility, VisibilityAbility } from './driver.ts'
import type { Lazy } from './lazy.ts'

export function lazyVisibility(insides: Lazy<{ readonly visibility: VisibilityAbility }>): VisibilityAbility {
  return {
    get: (path, options) => insides.use(({ visibility }) => visibility.get(path, options)),
    set: (path, wanted, options) => insides.use(({ visibility }) => visibility.set(path, wanted, options)),
  }
}

export function lazyDirectories(insides: Lazy<{ readonly directories: DirectoryAbility }>): DirectoryAbility {
  return {
    exists: (path, options) => insides.use(({ directories }) => directories.exists(path, options)),
    create: (path, options) => insides.use(({ directories }) => directories.create(path, options)),
    delete: (path, options) => insides.use(({ directories }) => directories.delete(path, options)),
  }
}

export function lazyMultipart(insides: Lazy<{ readonly multipart: MultipartAbility }>): MultipartAbility {
  return {
    create: (path, options) => insides.use(({ multipart }) => multipart.create(path, options)),
    part: (path, id, number, content, options) => insides.use(({ multipart }) => multipart.part(path, id, number, content, options)),
    list: (path, id, options) => insides.use(({ multipart }) => multipart.list(path, id, options)),
    complete: (path, id, parts, options) => insides.use(({ multipart }) => multipart.complete(path, id, parts, options)),
    abort: (path, id, options) => insides.use(({ multipart }) => multipart.abort(path, id, options)),
  }
}

/** One setting of buckets. */
export function lazySetting<Insides extends object, Value>(
  insides: Lazy<Insides>,
  pick: (loaded: Insides) => BucketSetting<Value>,
): BucketSetting<Value> {
  return {
    get: (name, options) => insides.use((loaded) => pick(loaded).get(name, options)),
    set: (value, name, options) => insides.use((loaded) => pick(loaded).set(value, name, options)),
  }
}
