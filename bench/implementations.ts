/**
 * The local disks that are compared, behind one small interface. Peers are imported by name from `bench/node_modules`
 * (`npm ci --prefix bench`), so that the project itself does not depend on them.
 */
import { randomBytes } from 'node:crypto'
import { constants, createReadStream, createWriteStream } from 'node:fs'
import { copyFile, lstat, mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type * as Local from '../src/drivers/local/local-driver.ts'
import type * as Core from '../src/index.ts'

export interface Implementation {
  put(key: string, bytes: Buffer): Promise<unknown>
  get(key: string): Promise<Uint8Array>
  /** The number of files below the root, by name. */
  names?(): Promise<number>
  /** The same, with size and date of each. */
  stats?(): Promise<number>
  writeStream?(key: string, source: Readable): Promise<unknown>
  readStream?(key: string): Promise<AsyncIterable<Uint8Array>>
  copy?(from: string, to: string): Promise<unknown>
}

const STREAM_BYTES = 1024 * 1024

/** node:fs/promises with nothing around it: files are written in place, so readers may see a part of one. */
async function raw(root: string): Promise<Implementation> {
  await mkdir(root, { recursive: true })
  return {
    put: (key, bytes) => writeFile(join(root, key), bytes),
    get: (key) => readFile(join(root, key)),
    names: async () => (await walk(root)).length,
    stats: async () => (await lstatAll(await walk(root))).length,
    writeStream: (key, source) => pipeline(source, createWriteStream(join(root, key), { highWaterMark: STREAM_BYTES })),
    readStream: async (key) => createReadStream(join(root, key), { highWaterMark: STREAM_BYTES }),
    copy: (from, to) => copyFile(join(root, from), join(root, to), constants.COPYFILE_FICLONE),
  }
}

/** The least that makes a write atomic: a temporary file, and a rename. */
async function rawAtomic(root: string): Promise<Implementation> {
  const base = await raw(root)
  const replace = async (key: string, write: (temp: string) => Promise<unknown>): Promise<void> => {
    const target = join(root, key)
    const temp = join(dirname(target), `.tmp-${randomBytes(8).toString('hex')}`)
    await write(temp)
    await rename(temp, target)
  }
  return {
    ...base,
    put: (key, bytes) => replace(key, (temp) => writeFile(temp, bytes)),
    writeStream: (key, source) => replace(key, (temp) => pipeline(source, createWriteStream(temp, { highWaterMark: STREAM_BYTES }))),
    copy: (from, to) => replace(to, (temp) => copyFile(join(root, from), temp, constants.COPYFILE_FICLONE)),
  }
}

/** One readdir per directory. */
async function walk(root: string): Promise<string[]> {
  const found: string[] = []
  const pending = [root]
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    for (const entry of await readdir(directory, { withFileTypes: true })) {
      const path = `${directory}/${entry.name}`
      if (entry.isDirectory()) pending.push(path)
      else found.push(path)
    }
  }
  return found
}

async function lstatAll(paths: readonly string[]): Promise<unknown[]> {
  const results: unknown[] = []
  for (let start = 0; start < paths.length; start += 32)
    results.push(...(await Promise.all(paths.slice(start, start + 32).map((path) => lstat(path)))))
  return results
}

async function stowage(root: string): Promise<Implementation> {
  const { Disk } = (await built('index.js')) as typeof Core
  const { LocalDriver } = (await built('drivers/local/local-driver.js')) as typeof Local
  const disk = new Disk(new LocalDriver({ root }))
  return {
    put: (key, bytes) => disk.put(key, bytes),
    get: (key) => disk.get(key),
    names: async () => (await disk.allFiles()).length,
    stats: async () => {
      let count = 0
      for await (const entry of disk.list('', { recursive: true })) if (entry.type === 'file') count++
      return count
    },
    writeStream: (key, source) => disk.writeStream(key, source),
    readStream: (key) => disk.readStream(key),
    copy: (from, to) => disk.copy(from, to),
  }
}

/** What users install: the compiled package. */
function built(file: string): Promise<unknown> {
  return import(new URL(`../dist/${file}`, import.meta.url).href)
}

async function flydrive(root: string): Promise<Implementation> {
  const { Disk } = await peer('flydrive')
  const { FSDriver } = await peer('flydrive/drivers/fs')
  const disk = new Disk(new FSDriver({ location: root, visibility: 'private' }))
  const list = async (visit: (file: Peer) => Promise<unknown>): Promise<number> => {
    const { objects } = await disk.listAll('', { recursive: true })
    let count = 0
    for (const object of objects) {
      if (!object.isFile) continue
      await visit(object)
      count++
    }
    return count
  }
  return {
    put: (key, bytes) => disk.put(key, bytes),
    get: (key) => disk.getBytes(key),
    names: () => list(async () => undefined),
    stats: () => list((file) => file.getMetaData()),
    writeStream: (key, source) => disk.putStream(key, source),
    readStream: (key) => disk.getStream(key),
    copy: (from, to) => disk.copy(from, to),
  }
}

async function flystorage(root: string): Promise<Implementation> {
  const { FileStorage } = await peer('@flystorage/file-storage')
  const { LocalStorageAdapter } = await peer('@flystorage/local-fs')
  const storage = new FileStorage(new LocalStorageAdapter(root))
  const list = async (visit: (path: string) => Promise<unknown>): Promise<number> => {
    let count = 0
    for await (const entry of storage.list('', { deep: true })) {
      if (!entry.isFile) continue
      await visit(entry.path)
      count++
    }
    return count
  }
  return {
    put: (key, bytes) => storage.write(key, bytes),
    get: (key) => storage.readToUint8Array(key),
    names: () => list(async () => undefined),
    stats: () => list((path) => storage.stat(path)),
    writeStream: (key, source) => storage.write(key, source),
    readStream: (key) => storage.read(key),
    copy: (from, to) => storage.copyFile(from, to),
  }
}

async function unstorage(root: string): Promise<Implementation> {
  const { createStorage } = await peer('unstorage')
  const { default: driver } = await peer('unstorage/drivers/fs')
  const storage = createStorage({ driver: driver({ base: root }) })
  return {
    put: (key, bytes) => storage.setItemRaw(key, bytes),
    get: (key) => storage.getItemRaw(key),
    names: async () => (await storage.getKeys()).length,
    stats: async () => {
      const keys: string[] = await storage.getKeys()
      for (const key of keys) await storage.getMeta(key)
      return keys.length
    },
  }
}

async function filesSdk(root: string): Promise<Implementation> {
  const { Files } = await peer('files-sdk')
  const { fs } = await peer('files-sdk/fs')
  const files = new Files({ adapter: fs({ root }) })
  const list = async (): Promise<number> => {
    let count = 0
    for await (const entry of files.listAll()) if (entry) count++
    return count
  }
  return {
    put: (key, bytes) => files.upload(key, bytes),
    get: async (key) => new Uint8Array(await (await files.download(key)).arrayBuffer()),
    names: list, // its listing always has size and date
    stats: list,
    writeStream: (key, source) => files.upload(key, Readable.toWeb(source)),
    readStream: async (key) => (await files.download(key, { as: 'stream' })).stream(),
    copy: (from, to) => files.copy(from, to),
  }
}

// oxlint-disable-next-line typescript/no-explicit-any -- the peers' types are not installed with the project
type Peer = any

/** A package of `bench/node_modules`; the specifier is no literal, so that the project compiles without it. */
async function peer(specifier: string): Promise<Peer> {
  return import(specifier)
}

export const IMPLEMENTATIONS: Readonly<Record<string, (root: string) => Promise<Implementation>>> = {
  raw,
  'raw atomic': rawAtomic,
  stowage,
  flydrive,
  flystorage,
  unstorage,
  'files-sdk': filesSdk,
}
