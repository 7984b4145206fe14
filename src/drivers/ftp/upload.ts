/**
 * Writing: to a temporary name beside the target, then a rename over it.
 *
 *   STOR .stowage-tmp-… ─▶ SIZE = bytes sent? ─▶ (SITE CHMOD) ─▶ RNFR, RNTO target
 *
 * Readers see the old file or the new one. A source that fails, an abort, or a server that took less than was sent leave the old one,
 * and the temporary file is deleted, on another connection if need be. Where a server refuses to rename over a file, the target is
 * deleted first: for a moment there is none.
 */
import type { Content, WriteOptions } from '../../driver.ts'
import { FileExistsError, UnavailableError } from '../../errors.ts'
import { makeDirectories } from './directories.ts'
import { isLost, isRefused } from './ftp-errors.ts'
import { parentKey, tempKey } from './keys.ts'
import { changeMode, kindOf, sizeOf, whyNotWritten } from './look.ts'
import type { Lease } from './pool.ts'
import type { Session } from './session.ts'
import type { Transfer } from './transfer.ts'

/** @returns how many bytes were written */
export async function replaceFile(lease: Lease, path: string, content: Content, options: WriteOptions): Promise<number> {
  const { signal, visibility } = options
  const key = (await lease.session(signal)).keyOf(path)
  const temp = tempKey(key)
  try {
    const size = await storeNew(lease, temp, content, signal)
    const session = await lease.session(signal)
    if (visibility !== undefined) await changeMode(session, temp, { visibility, signal })
    signal?.throwIfAborted()
    await renameOver(session, { from: temp, to: key }) // to its end: whoever is told of an abort finds the old file
    return size
  } catch (error) {
    await removeQuietly(lease, temp)
    throw error
  }
}

/** Adds to a file, or makes it. */
export async function appendToFile(lease: Lease, path: string, content: Content, { signal, visibility }: WriteOptions): Promise<void> {
  const session = await lease.session(signal)
  const key = session.keyOf(path)
  const isNew = visibility !== undefined && (await kindOf(session, key, { signal })) === undefined
  await send(lease, { verb: 'APPE', key }, content, signal)
  if (isNew) await changeMode(await lease.session(signal), key, { visibility, signal })
}

/** @throws UnavailableError when the server holds another number of bytes than were sent */
async function storeNew(lease: Lease, key: string, content: Content, signal: AbortSignal | undefined): Promise<number> {
  const sent = await send(lease, { verb: 'STOR', key }, content, signal)
  const stored = await sizeOf(await lease.session(signal), key, { signal })
  if (stored === sent || (stored === undefined && sent > 0 && !(await knowsSize(lease, signal)))) return sent
  throw new UnavailableError(`the server holds ${stored ?? 'none'} of the ${sent} bytes that were sent: the old file was kept`)
}

/** Servers without SIZE are rare; they have to be believed. */
async function knowsSize(lease: Lease, signal: AbortSignal | undefined): Promise<boolean> {
  const session = await lease.session(signal)
  try {
    await session.command('SIZE', signal)
    return true
  } catch (error) {
    return !isRefused(error, 500, 502)
  }
}

/** @returns how many bytes were sent, and taken */
async function send(
  lease: Lease,
  { verb, key }: { readonly verb: 'STOR' | 'APPE'; readonly key: string },
  content: Content,
  signal: AbortSignal | undefined,
): Promise<number> {
  const transfer = await beginUpload(await lease.session(signal), `${verb} ${key}`, { key, signal })
  let sent = 0
  try {
    sent = await pump(content, transfer)
    await transfer.end()
    return sent
  } catch (error) {
    await transfer.abandon({ gently: true })
    signal?.throwIfAborted()
    if (sent > 0 || !(isLost(error) || isRefused(error, 425, 426, 450, 451))) throw error
    // Over TLS some servers take an empty upload for a failed one, though the file is there.
    const stored = await sizeOf(await lease.session(signal), key, { signal })
    if (stored === undefined || (verb === 'STOR' && stored !== 0)) throw error
    return 0
  }
}

/** Makes the directory above when that is what was missing, or was until somebody else has made it. */
async function beginUpload(
  session: Session,
  command: string,
  { key, signal }: { readonly key: string; readonly signal: AbortSignal | undefined },
): Promise<Transfer> {
  try {
    return await session.transfer(command, { signal })
  } catch (error) {
    if (!isRefused(error, 450, 550, 553)) throw error
    await makeDirectories(session, parentKey(key), { signal })
  }
  try {
    return await session.transfer(command, { signal })
  } catch (error) {
    throw await whyNotWritten(session, key, { signal, error })
  }
}

/** Every byte of the content, as fast as the server takes them. A source that fails, or waits when the transfer breaks, is given up. */
async function pump(content: Content, transfer: Transfer): Promise<number> {
  let sent = 0
  const source = content.stream()[Symbol.asyncIterator]()
  let waiting = false
  try {
    for (;;) {
      waiting = true
      const { done, value } = await transfer.unlessBroken(source.next())
      waiting = false
      if (done) return sent
      await transfer.write(value)
      sent += value.byteLength
    }
  } catch (error) {
    const returned = Promise.resolve(source.return?.()).catch(() => undefined)
    if (!waiting) await returned // else it may wait for the very chunk that never comes
    throw error
  }
}

/** @throws FileExistsError when a directory is there */
export async function renameOver(session: Session, { from, to }: { readonly from: string; readonly to: string }): Promise<void> {
  const rename = async (): Promise<void> => {
    await session.command(`RNFR ${from}`)
    await session.command(`RNTO ${to}`)
  }
  try {
    await rename()
  } catch (error) {
    if (!isRefused(error, 450, 550, 552, 553) || error.verb !== 'RNTO') throw error
    const kind = await kindOf(session, to, {})
    if (kind === 'directory') throw new FileExistsError('a directory is in the way', { cause: error })
    if (kind === undefined) await makeDirectories(session, parentKey(to), {})
    else if ((await session.ask(`DELE ${to}`)) === undefined) throw error
    await rename()
  }
}

async function removeQuietly(lease: Lease, key: string): Promise<void> {
  try {
    await (await lease.session()).ask(`DELE ${key}`)
  } catch {
    // It stays until `pruneIncompleteUploads`: the server cannot be reached any more.
  }
}
