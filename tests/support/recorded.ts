/**
 * A memory driver with every ability, URLs included, that tells which calls reached it and with what paths.
 *
 *   const store = recorded()      store.calls → ['write users/1/a.txt', …]      store.memory → what is really there
 */
import type { Driver, SignOptions } from '../../src/driver.ts'
import { MemoryDriver } from '../../src/drivers/memory-driver.ts'

export interface RecordedDriver extends Driver {
  readonly memory: MemoryDriver
  readonly calls: string[]
}

export function recorded(memory: MemoryDriver = new MemoryDriver()): RecordedDriver {
  const calls: string[] = []
  const { visibility, directories, multipart, append } = memory
  const note = <T>(call: string, result: T): T => {
    calls.push(call)
    return result
  }
  return {
    memory,
    calls,
    kind: 'recorded',
    name: 'recorded',
    inner: [],
    supports: { ...memory.supports, temporaryUrl: true, temporaryUploadUrl: true },
    visibility: {
      get: (path, options) => note(`visibility ${path}`, visibility.get(path, options)),
      set: (path, value, options) => note(`setVisibility ${path}`, visibility.set(path, value, options)),
    },
    directories: {
      exists: (path, options) => note(`directoryExists ${path}`, directories.exists(path, options)),
      create: (path, options) => note(`makeDirectory ${path}`, directories.create(path, options)),
      delete: (path, options) => note(`deleteDirectory ${path}`, directories.delete(path, options)),
    },
    multipart: {
      create: (path, options) => note(`multipart.create ${path}`, multipart.create(path, options)),
      part: (path, id, number, content, options) => note(`multipart.part ${path}`, multipart.part(path, id, number, content, options)),
      list: (path, id, options) => note(`multipart.list ${path}`, multipart.list(path, id, options)),
      complete: (path, id, parts, options) => note(`multipart.complete ${path}`, multipart.complete(path, id, parts, options)),
      abort: (path, id, options) => note(`multipart.abort ${path}`, multipart.abort(path, id, options)),
    },
    append: (path, content, options) => note(`append ${path}`, append(path, content, options)),
    publicUrl: async (path) => note(`publicUrl ${path}`, `https://files.test/${path}`),
    signUrl: async (path, { method }: SignOptions) =>
      note(`signUrl ${path}`, { url: `https://files.test/${path}?signature=topsecret`, method, headers: {} }),
    stat: (path, options) => note(`stat ${path}`, memory.stat(path, options)),
    read: (path, options) => note(`read ${path}`, memory.read(path, options)),
    write: (path, content, options) => note(`write ${path}`, memory.write(path, content, options)),
    delete: (paths, options) => note(`delete ${paths.join(' ')}`, memory.delete(paths, options)),
    list: (directory, options) => note(`list ${directory}`, memory.list(directory, options)),
    copy: (from, to, options) => note(`copy ${from} ${to}`, memory.copy(from, to, options)),
    move: (from, to, options) => note(`move ${from} ${to}`, memory.move(from, to, options)),
    locate: (path) => memory.locate(path),
    close: async () => note('close', undefined),
  }
}
