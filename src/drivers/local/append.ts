/**
 * Appending in place: one write call with O_APPEND for bytes, so that those of several processes never mix; a stream chunk by
 * chunk. The one way to write that is not all or nothing. A file's extras stay valid: its sidecar is written anew each time.
 */
import type { Content, WriteOptions } from '../../driver.ts'
import { FileExistsError, PreconditionFailedError } from '../../errors.ts'
import { basename, dirname } from '../../path.ts'
import { prepareDirectory } from './atomic-write.ts'
import { makeDirectories } from './directories.ts'
import { etagOf, extrasAt, unlessReplaced } from './facts.ts'
import { errnoOf } from './local-errors.ts'
import { fstat, fsync, OPEN, open, syncDirectory, writeAndClose, writeFully } from './local-files.ts'
import { exclusively, withLock } from './lock.ts'
import { fitMode } from './modes.ts'
import { addRecord, type Extras, mark } from './sidecar.ts'
import type { LocalSettings } from './settings.ts'
import { abortable } from './write-content.ts'

interface AppendOptions extends Pick<WriteOptions, 'visibility' | 'signal' | 'ifMatch'> {
  /** Of a file that is made. */
  readonly extras: Extras | undefined
}

export async function appendContent(disk: LocalSettings, key: string, content: Content, options: AppendOptions): Promise<void> {
  const add = (chunk: Uint8Array, ifMatch?: string): Promise<void> =>
    exclusively(disk.root.realAt(key), () => unlessReplaced(() => appendBytes(disk, key, chunk, { ...options, ifMatch })))
  if (content.bytes !== undefined) return add(content.bytes, options.ifMatch)
  await add(new Uint8Array(), options.ifMatch) // whatever is wrong with the place shows before the source is read
  for await (const chunk of abortable(content.stream(), options.signal)) await add(chunk)
}

async function appendBytes(disk: LocalSettings, key: string, bytes: Uint8Array, options: AppendOptions): Promise<void> {
  options.signal?.throwIfAborted()
  const { fd, made } = await openToAppend(disk, key, options)
  const before = await writeAndClose(fd, false, async () => {
    const stats = await fstat(fd)
    if (!stats.isFile()) throw new FileExistsError('a directory, or something else that is no file, is in the way')
    if (options.ifMatch !== undefined && (made || etagOf(stats) !== options.ifMatch)) throw new PreconditionFailedError()
    const extras = made ? options.extras : await extrasAt(disk.root, key, stats)
    if (made) await fitMode(disk.root.at(key), stats, disk.fileModes[options.visibility ?? disk.visibility])
    if (bytes.byteLength > 0) await writeFully(fd, bytes)
    if (disk.durable) await fsync(fd)
    return { mtimeNs: stats.mtimeNs, extras }
  })
  await keepExtras(disk, key, before)
}

async function keepExtras(
  disk: LocalSettings,
  key: string,
  { extras, mtimeNs }: { readonly extras: Extras | undefined; readonly mtimeNs: bigint },
): Promise<void> {
  if (extras === undefined) return
  await disk.root.within(dirname(key), (at) =>
    withLock(at, basename(key), async () => {
      const stats = await mark(`${at}/${basename(key)}`, mtimeNs)
      await addRecord(at, basename(key), { stats, extras, durable: disk.durable })
    }),
  )
}

async function openToAppend(disk: LocalSettings, key: string, options: AppendOptions): Promise<{ fd: number; made: boolean }> {
  for (;;) {
    try {
      return { fd: await disk.root.open(key, OPEN.append), made: false }
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error
    }
    if (options.ifMatch !== undefined) throw new PreconditionFailedError()
    const fd = await openNew(disk, key, options.visibility)
    if (fd !== undefined) return { fd, made: true }
  }
}

/** @returns undefined when somebody else has made it, or removed its directory, meanwhile */
async function openNew(disk: LocalSettings, key: string, visibility: WriteOptions['visibility']): Promise<number | undefined> {
  const mode = disk.fileModes[visibility ?? disk.visibility]
  await makeDirectories(disk, dirname(key), visibility)
  await prepareDirectory(disk, dirname(key))
  try {
    return await disk.root.within(dirname(key), async (at) => {
      const fd = await open(`${at}/${basename(key)}`, OPEN.appendNew, mode)
      if (disk.durable) await syncDirectory(at)
      return fd
    })
  } catch (error) {
    if (errnoOf(error) === 'EEXIST' || errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}
