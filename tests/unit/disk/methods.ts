/** Every method of a disk that can do I/O, called with one path: for what all of them have to keep. */
import { Readable } from 'node:stream'
import type { CallLimits } from '../../../src/deadline.ts'
import { Disk } from '../../../src/disk.ts'
import { MemoryDriver } from '../../../src/drivers/memory-driver.ts'

export type Call = (disk: Disk, path: string, options?: CallLimits) => Promise<unknown>

const other = new Disk(new MemoryDriver(), { name: 'main' })

async function* later(...paths: string[]): AsyncGenerator<string> {
  yield* paths
}

async function all(entries: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of entries);
}

/** Methods whose path names a file. */
export const FILE_METHODS: Readonly<Record<string, Call>> = {
  get: (disk, path, options) => disk.get(path, options),
  getOrNull: (disk, path, options) => disk.getOrNull(path, options),
  text: (disk, path, options) => disk.text(path, options),
  json: (disk, path, options) => disk.json(path, options),
  readStream: async (disk, path, options) => (await disk.readStream(path, options)).toArray(),
  put: (disk, path, options) => disk.put(path, 'x', options),
  writeStream: (disk, path, options) => disk.writeStream(path, Readable.from(['x']), options),
  append: (disk, path, options) => disk.append(path, 'x', options),
  prepend: (disk, path, options) => disk.prepend(path, 'x', options),
  stat: (disk, path, options) => disk.stat(path, options),
  metadata: (disk, path, options) => disk.metadata(path, options),
  size: (disk, path, options) => disk.size(path, options),
  lastModified: (disk, path, options) => disk.lastModified(path, options),
  mimeType: (disk, path, options) => disk.mimeType(path, options),
  checksum: (disk, path, options) => disk.checksum(path, options),
  visibility: (disk, path, options) => disk.visibility(path, options),
  setVisibility: (disk, path, options) => disk.setVisibility(path, 'public', options),
  delete: (disk, path, options) => disk.delete(path, options),
  'delete of several': (disk, path, options) => disk.delete(['ok', path], options),
  'delete of an async iterable': (disk, path, options) => disk.delete(later('ok', path), options),
  'copy from': (disk, path, options) => disk.copy(path, 'to', options),
  'copy to': (disk, path, options) => disk.copy('a', path, options),
  'move from': (disk, path, options) => disk.move(path, 'to', options),
  'move to': (disk, path, options) => disk.move('a', path, options),
  'copyTo from': (disk, path, options) => disk.copyTo(other, path, 'to', options),
  'copyTo to': (disk, path, options) => disk.copyTo(other, 'a', path, options),
  'moveTo from': (disk, path, options) => disk.moveTo(other, path, 'to', options),
  'moveTo to': (disk, path, options) => disk.moveTo(other, 'a', path, options),
  url: (disk, path, options) => disk.url(path, options),
  temporaryUrl: (disk, path, options) => disk.temporaryUrl(path, 60, options),
  temporaryUrls: (disk, path, options) => disk.temporaryUrls(['ok', path], 60, options),
  temporaryUploadUrl: (disk, path, options) => disk.temporaryUploadUrl(path, 60, options),
}

/** Methods whose path may be a directory, the root too. */
export const DIRECTORY_METHODS: Readonly<Record<string, Call>> = {
  putFile: (disk, path, options) => disk.putFile(path, Buffer.from('x'), options),
  putFileAs: (disk, path, options) => disk.putFileAs(path, Buffer.from('x'), 'name', options),
  exists: (disk, path, options) => disk.exists(path, options),
  missing: (disk, path, options) => disk.missing(path, options),
  fileExists: (disk, path, options) => disk.fileExists(path, options),
  directoryExists: (disk, path, options) => disk.directoryExists(path, options),
  list: (disk, path, options) => all(disk.list(path, options)),
  listPage: (disk, path, options) => disk.listPage(path, options),
  files: (disk, path, options) => disk.files(path, options),
  allFiles: (disk, path, options) => disk.allFiles(path, options),
  directories: (disk, path, options) => disk.directories(path, options),
  allDirectories: (disk, path, options) => disk.allDirectories(path, options),
  makeDirectory: (disk, path, options) => disk.makeDirectory(path, options),
  deleteDirectory: (disk, path, options) => disk.deleteDirectory(path, options),
}

export const METHODS: readonly (readonly [string, Call])[] = Object.entries({ ...FILE_METHODS, ...DIRECTORY_METHODS })
