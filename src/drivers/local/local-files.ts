/**
 * The calls of node:fs that the local disk makes, as promises.
 *
 * Each is one trip to the thread pool over the callback API, which costs up to a third of what `fs/promises` and its FileHandles do.
 * Facts are always read as bigints: etags need every nanosecond, and inodes exceed 2⁵³.
 */
import fs from 'node:fs'
import type { BigIntStats } from 'node:fs'

type Done<T> = (error: NodeJS.ErrnoException | null, value: T) => void

const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_APPEND, COPYFILE_EXCL, COPYFILE_FICLONE } = fs.constants
// Windows has none of these.
const { O_NOFOLLOW = 0, O_DIRECTORY = 0, O_NONBLOCK = 0 } = fs.constants as Partial<typeof fs.constants>

/** Opens a place and not its content: no permission to read is needed, and closing never waits. Linux, asm-generic/fcntl.h. */
const O_PATH = process.platform === 'linux' ? 0o10000000 : 0

/** How files are opened. No flag follows a link in the last segment; NONBLOCK because opening a FIFO would wait for its writer. */
export const OPEN: Readonly<Record<'read' | 'create' | 'append' | 'appendNew' | 'place' | 'directory' | 'directorySync', number>> = {
  read: O_RDONLY | O_NOFOLLOW | O_NONBLOCK,
  create: O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW,
  append: O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK,
  appendNew: O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW,
  place: O_PATH | O_NOFOLLOW,
  directory: O_PATH | O_DIRECTORY | O_NOFOLLOW,
  directorySync: O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
}

/**
 * One call as a promise. The callback lets go of the promise when it is done: Node keeps a request's callback until the next major
 * collection, and with it would keep what was read. (A listing of a million names then took 128 MiB instead of 14.)
 */
function call<T = void>(start: (done: Done<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    let waiting: { resolve: (value: T) => void; reject: (error: unknown) => void } | undefined = { resolve, reject }
    start((error, value) => {
      const settle = waiting
      waiting = undefined
      if (error) settle?.reject(error)
      else settle?.resolve(value)
    })
  })
}

export function open(path: string, flags: number, mode?: number): Promise<number> {
  return call((done) => fs.open(path, flags, mode, done))
}

/** Closes a descriptor whose content nobody wants any more. Never rejects. */
export function closeQuietly(fd: number): Promise<void> {
  return new Promise((resolve) => {
    fs.close(fd, () => resolve())
  })
}

export function close(fd: number): Promise<void> {
  return call((done) => fs.close(fd, done))
}

export function fstat(fd: number): Promise<BigIntStats> {
  return call((done) => fs.fstat(fd, { bigint: true }, done))
}

/** Facts about an open file; at once on a file system whose facts are in memory, where a trip costs thirty times the answer. */
export function factsOf(fd: number, inMemory: boolean): BigIntStats | Promise<BigIntStats> {
  return inMemory ? fs.fstatSync(fd, { bigint: true }) : fstat(fd)
}

/** Closes a descriptor; at once on a file system where closing has nothing to wait for. @throws what a failing close throws */
export function closeSoon(fd: number, inMemory: boolean): void | Promise<void> {
  return inMemory ? fs.closeSync(fd) : close(fd)
}

// statfs(2): ext2-4, XFS, Btrfs, tmpfs, overlayfs, ZFS, F2FS, bcachefs. Not FUSE, NFS, CIFS, 9p, Ceph, …, which ask somebody else.
const IN_MEMORY: ReadonlySet<number> = new Set([0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x794c7630, 0x2fc12fc1, 0xf2f52010, 0xca451a4e])

/** Whether the facts about an open file are in this machine's memory, so that asking for them never waits. */
export async function keepsFactsInMemory(path: string): Promise<boolean> {
  if (process.platform !== 'linux') return false
  const { type } = await call<fs.StatsFs>((done) => fs.statfs(path, done))
  return IN_MEMORY.has(type)
}

export function lstat(path: string): Promise<BigIntStats> {
  return call((done) => fs.lstat(path, { bigint: true }, done))
}

/** Facts about what is there; undefined when nothing is. */
export async function lstatOrMissing(path: string): Promise<BigIntStats | undefined> {
  try {
    return await lstat(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw error
  }
}

const LSTATS_AT_ONCE = 16

/**
 * Facts about many names in a directory, a few at a time; `act` is told undefined for one that is missing. Without a promise for each,
 * whose garbage would be most of the memory that a long listing takes.
 */
export function lstatEach(
  at: string,
  names: readonly string[],
  act: (index: number, stats: BigIntStats | undefined) => void,
): Promise<void> {
  if (names.length === 0) return Promise.resolve()
  return call((done) => {
    const run: LstatRun = { at, names, act, done, next: 0, ended: 0, failure: null }
    while (run.next < Math.min(LSTATS_AT_ONCE, names.length)) lstatNext(run)
  })
}

interface LstatRun {
  readonly at: string
  names: readonly string[]
  act: (index: number, stats: BigIntStats | undefined) => void
  done: Done<void>
  next: number
  ended: number
  failure: NodeJS.ErrnoException | null
}

function lstatNext(run: LstatRun): void {
  const index = run.next++
  fs.lstat(`${run.at}/${run.names[index]}`, { bigint: true }, (error, stats) => {
    run.ended++
    if (!error) run.act(index, stats)
    else if (error.code === 'ENOENT' || error.code === 'ENOTDIR') run.act(index, undefined)
    else run.failure ??= error
    if (run.failure === null && run.next < run.names.length) lstatNext(run)
    else if (run.ended === run.next) endOf(run)
  })
}

/** Lets go of everything, as `call` does and for the same reason. */
function endOf(run: LstatRun): void {
  const { done, failure } = run
  Object.assign(run, { names: [], act: () => undefined, done: () => undefined })
  done(failure)
}

/** Facts about what is in memory for certain: a directory that is held open on such a file system. */
export function factsAt(path: string): BigIntStats {
  return fs.lstatSync(path, { bigint: true })
}

export function read(fd: number, buffer: Uint8Array, offset: number, length: number, position: number): Promise<number> {
  return call((done) => fs.read(fd, buffer, offset, length, position, done))
}

/** Reads until `buffer` is full or the file ends. @returns the bytes that were read */
export async function readFully(fd: number, buffer: Uint8Array, position: number): Promise<number> {
  let filled = 0
  while (filled < buffer.byteLength) {
    const bytes = await read(fd, buffer, filled, Math.min(buffer.byteLength - filled, MAX_CALL_BYTES), position + filled)
    if (bytes === 0) break
    filled += bytes
  }
  return filled
}

/** Writes every byte at the file's position: a call may take fewer than it was given. */
export async function writeFully(fd: number, bytes: Uint8Array): Promise<void> {
  let written = 0
  do {
    const length = Math.min(bytes.byteLength - written, MAX_CALL_BYTES)
    written += await call<number>((done) => fs.write(fd, bytes, written, length, null, done))
  } while (written < bytes.byteLength)
}

/** Writes every chunk, in one call where the system takes them all at once. */
export async function writevFully(fd: number, chunks: readonly Uint8Array[], length: number): Promise<void> {
  let written = await call<number>((done) => fs.writev(fd, chunks, done))
  if (written === length) return
  for (const chunk of chunks) {
    if (written < chunk.byteLength) await writeFully(fd, chunk.subarray(written))
    written = Math.max(0, written - chunk.byteLength)
  }
}

const MAX_CALL_BYTES = 1 << 30 // Linux moves at most 2 GiB - 4 KiB in one call

export interface FileOptions {
  readonly mode: number
  /** Waits until the device has it. */
  readonly durable?: boolean | undefined
}

/** Makes a file that must not be there yet. A failure leaves none. */
export async function createFile(path: string, bytes: Uint8Array, { mode, durable = false }: FileOptions): Promise<void> {
  const fd = await open(path, OPEN.create, mode)
  try {
    await writeAndClose(fd, false, async () => {
      await writeFully(fd, bytes)
      if (durable) await fsync(fd)
    })
  } catch (error) {
    await unlinkQuietly(path)
    throw error
  }
}

/** Closes a descriptor once, after `write` and whatever came of it: also a failing close is a failed write. */
export async function writeAndClose<T>(fd: number, inMemory: boolean, write: () => Promise<T>): Promise<T> {
  let result: T
  try {
    result = await write()
  } catch (error) {
    await closeQuietly(fd)
    throw error
  }
  await closeSoon(fd, inMemory)
  return result
}

/** Makes the names in a directory survive a power cut. Windows cannot, and need not. */
export async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const fd = await open(`${path}/.`, OPEN.directorySync)
  await writeAndClose(fd, false, () => fsync(fd))
}

export function fsync(fd: number): Promise<void> {
  return call((done) => fs.fsync(fd, done))
}

/** Windows refuses to rename over an open file: retry for up to one second. */
export async function rename(from: string, to: string): Promise<void> {
  const deadline = Date.now() + 1_000
  for (;;) {
    try {
      return await call((done) => fs.rename(from, to, done))
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (process.platform !== 'win32' || (code !== 'EBUSY' && code !== 'EPERM') || Date.now() > deadline) throw error
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
}

export function link(from: string, to: string): Promise<void> {
  return call((done) => fs.link(from, to, done))
}

export function symlink(target: string, path: string): Promise<void> {
  return call((done) => fs.symlink(target, path, done))
}

export function readlink(path: string): Promise<string> {
  return call((done) => fs.readlink(path, done))
}

export function unlink(path: string): Promise<void> {
  return call((done) => fs.unlink(path, done))
}

/** Removes a file that may be gone already, or whose removal matters less than what went wrong before. Never rejects. */
export function unlinkQuietly(path: string): Promise<void> {
  return new Promise((resolve) => {
    fs.unlink(path, () => resolve())
  })
}

export function exists(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    fs.lstat(path, (error) => resolve(!error))
  })
}

/** Whether there is anything; at once where that is likely to be in memory: a directory in which something was just opened. */
export function existsSoon(path: string, inMemory: boolean): boolean | Promise<boolean> {
  return inMemory ? fs.lstatSync(path, { throwIfNoEntry: false }) !== undefined : exists(path)
}

export function mkdir(path: string, mode: number): Promise<void> {
  return call((done) => fs.mkdir(path, { mode }, done))
}

/** With its parents. */
export function mkdirAll(path: string, mode: number): Promise<string | undefined> {
  return call((done) => fs.mkdir(path, { mode, recursive: true }, done))
}

export function rmdir(path: string): Promise<void> {
  return call((done) => fs.rmdir(path, done))
}

export function readdir(path: string): Promise<fs.Dirent[]> {
  return call((done) => fs.readdir(path, { withFileTypes: true }, done))
}

/** A directory to be read a few entries at a time. It closes itself after the last, and when its iteration ends early. */
export function openDirectory(path: string): Promise<fs.Dir> {
  return call((done) => fs.opendir(path, { bufferSize: 4_096 }, done))
}

/** With slashes, on Windows too. */
export async function realpath(path: string): Promise<string> {
  const real = await call<string>((done) => fs.realpath.native(path, done))
  return process.platform === 'win32' ? real.replaceAll('\\', '/') : real
}

/** Shares the blocks where the file system can, else copies inside the kernel. The mode comes along. */
export function copyFile(from: string, to: string): Promise<void> {
  return call((done) => fs.copyFile(from, to, COPYFILE_EXCL | COPYFILE_FICLONE, done))
}

export function chmod(path: string, mode: number): Promise<void> {
  return call((done) => fs.chmod(path, mode, done))
}

export function fchmod(fd: number, mode: number): Promise<void> {
  return call((done) => fs.fchmod(fd, mode, done))
}

export function lutimes(path: string, seconds: number): Promise<void> {
  return call((done) => fs.lutimes(path, seconds, seconds, done))
}
