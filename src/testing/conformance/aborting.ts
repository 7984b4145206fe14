/** Aborts, limits and bodies that nobody reads: nothing is begun, nothing is left, nothing stays open. */
import { setTimeout as sleep } from 'node:timers/promises'
import { discard, toContent } from '../../content.ts'
import type { Disk } from '../../disk.ts'
import type { CallOptions, Driver } from '../../driver.ts'
import {
  bytesFor,
  drained,
  entriesOf,
  expectBytes,
  expectError,
  expectFile,
  expectNoLeftovers,
  expectUnchanged,
  rejectionOf,
} from './assertions.ts'
import { type ConformanceTest, reads, writes } from './conformance-test.ts'
import { expect } from './globals.ts'
import { pausedSource } from './sources.ts'
import type { Subject } from './subject.ts'

const STREAMS = 50
const SETTLE_MS = 5_000

type Calls = Readonly<Record<string, () => Promise<unknown>>>

/** Every method of a disk that reads. Where it is not aborted, the missing file is an error. */
function readingCalls(disk: Disk, o: CallOptions): Calls {
  return {
    get: () => disk.get('missing', o),
    getOrNull: () => disk.getOrNull('missing', o),
    text: () => disk.text('missing', o),
    json: () => disk.json('missing', o),
    readStream: () => disk.readStream('missing', o),
    exists: () => disk.exists('missing', o),
    missing: () => disk.missing('missing', o),
    fileExists: () => disk.fileExists('missing', o),
    directoryExists: () => disk.directoryExists('missing', o),
    stat: () => disk.stat('missing', o),
    metadata: () => disk.metadata('missing', o),
    size: () => disk.size('missing', o),
    lastModified: () => disk.lastModified('missing', o),
    mimeType: () => disk.mimeType('missing', o),
    checksum: () => disk.checksum('missing', o),
    visibility: () => disk.visibility('missing', o),
    list: () => entriesOf(disk, '', o),
    listPage: () => disk.listPage('', o),
    files: () => disk.files('', o),
    allFiles: () => disk.allFiles('', o),
    directories: () => disk.directories('', o),
    allDirectories: () => disk.allDirectories('', o),
    url: () => disk.url('a.txt', o),
    temporaryUrl: () => disk.temporaryUrl('a.txt', 60, o),
    temporaryUrls: () => disk.temporaryUrls(['a.txt'], 60, o),
    temporaryUploadUrl: () => disk.temporaryUploadUrl('a.txt', 60, o),
  }
}

/** Every method that changes something. */
function writingCalls(disk: Disk, o: CallOptions): Calls {
  return {
    put: () => disk.put('a.txt', 'new', o),
    writeStream: () => disk.writeStream('a.txt', untouched(), o),
    putFile: () => disk.putFile('d', new Blob(['x']), o),
    putFileAs: () => disk.putFileAs('d', new Blob(['x']), 'x', o),
    append: () => disk.append('a.txt', 'new', o),
    prepend: () => disk.prepend('a.txt', 'new', o),
    setVisibility: () => disk.setVisibility('a.txt', 'public', o),
    makeDirectory: () => disk.makeDirectory('d', o),
    deleteDirectory: () => disk.deleteDirectory('b', o),
    delete: () => disk.delete('a.txt', o),
    'delete of many': () => disk.delete(['a.txt', 'b/c.txt'], o),
    copy: () => disk.copy('a.txt', 'd.txt', o),
    move: () => disk.move('a.txt', 'd.txt', o),
    copyTo: () => disk.copyTo(disk, 'a.txt', 'd.txt', o),
    moveTo: () => disk.moveTo(disk, 'a.txt', 'd.txt', o),
  }
}

/** The same for the driver itself: `Disk` is not the only one who calls it. */
function driverCalls(driver: Driver, o: CallOptions): Readonly<Record<string, () => Promise<unknown> | undefined>> {
  const content = toContent('new')
  return {
    stat: () => driver.stat('missing', o),
    read: () => driver.read('missing', o),
    list: () => driver.list('', o),
    'visibility.get': () => driver.visibility?.get('missing', o),
    'directories.exists': () => driver.directories?.exists('b', o),
    write: () => driver.write('a.txt', content, o),
    delete: () => driver.delete(['a.txt'], o),
    copy: () => driver.copy('a.txt', 'd.txt', o),
    move: () => driver.move('a.txt', 'd.txt', o),
    append: () => driver.append?.('a.txt', content, o),
    'visibility.set': () => driver.visibility?.set('a.txt', 'public', o),
    'directories.create': () => driver.directories?.create('d', o),
    'directories.delete': () => driver.directories?.delete('b', o),
    'multipart.create': () => driver.multipart?.create('d.txt', o),
  }
}

const DRIVER_READS: readonly string[] = ['stat', 'read', 'list', 'visibility.get', 'directories.exists']

export const aborting: readonly ConformanceTest[] = [
  reads('rejects with the reason of a signal that is already aborted, by every method, before anything is done', async (t) => {
    await t.seed.put('a.txt', 'old')
    await t.seed.put('b/c.txt', 'old')
    for (const reason of [new Error('enough'), 'a reason that is no error']) {
      await expectUnchanged(t, async () => {
        const options = { signal: AbortSignal.abort(reason) }
        const calls = { ...readingCalls(t.disk, options), ...writingCalls(t.disk, options) }
        for (const [method, call] of Object.entries(calls)) expect([method, await rejectionOf(call(), method)]).toEqual([method, reason])
      })
    }
  }),

  reads('passes an aborted signal through every layer of the driver', async (t) => {
    await t.seed.put('a.txt', 'old')
    await t.seed.put('b/c.txt', 'old')
    const reason = new Error('enough')
    await expectUnchanged(t, async () => {
      for (const [method, call] of Object.entries(driverCalls(t.driver, { signal: AbortSignal.abort(reason) }))) {
        if (t.readOnly && !DRIVER_READS.includes(method)) continue // refused, aborted or not
        const promise = call()
        if (promise !== undefined) expect([method, await rejectionOf(promise, method)]).toEqual([method, reason])
      }
    })
  }),

  writes('leaves the old file, and no litter, when a write is aborted', async (t) => {
    await t.disk.put('old.txt', 'old')
    for (const path of ['old.txt', 'new.txt']) {
      const controller = new AbortController()
      const reason = new Error('enough')
      const { source, paused, finish } = pausedSource('new', 'er')
      const writing = rejectionOf(t.disk.put(path, source, { signal: controller.signal }), 'the aborted write')
      await paused
      controller.abort(reason)
      finish()
      expect(await writing).toBe(reason)
    }
    expect(await t.disk.allFiles()).toEqual(['old.txt'])
    await expectFile(t.disk, 'old.txt', 'old')
    await expectNoLeftovers(t)
  }),

  writes('ends a write whose source never goes on, when it is aborted', async (t) => {
    await t.disk.put('old.txt', 'old')
    const controller = new AbortController()
    const { source, paused, finish } = pausedSource('new', 'er')
    const writing = rejectionOf(t.disk.put('old.txt', source, { signal: controller.signal }), 'the aborted write')
    await paused
    controller.abort('enough')
    expect(await writing).toBe('enough')
    await expectFile(t.disk, 'old.txt', 'old')
    finish()
    await expectNoLeftovers(t)
  }),

  writes('ends a write that takes longer than timeoutMs, and leaves the old file', async (t) => {
    await t.disk.put('old.txt', 'old')
    const { source, finish } = pausedSource('new', 'er')
    await expectError(t.disk.put('old.txt', source, { timeoutMs: 40 }), 'timeout', { operation: 'write', path: 'old.txt' })
    await expectFile(t.disk, 'old.txt', 'old')
    finish()
    await expectNoLeftovers(t)
  }),

  reads('ends a stream whose signal is aborted', async ({ disk, seed }) => {
    const bytes = bytesFor(4 * 1024 * 1024)
    await seed.put('a.bin', bytes)
    const controller = new AbortController()
    const reason = new Error('enough')
    const chunks: Uint8Array[] = []
    const reading = async (): Promise<void> => {
      for await (const chunk of (await disk.readStream('a.bin', { signal: controller.signal })) as AsyncIterable<Uint8Array>) {
        chunks.push(chunk)
        controller.abort(reason)
      }
    }
    const error = await reading().then(
      () => undefined,
      (cause: unknown) => cause,
    )
    if (error === undefined) expectBytes(Buffer.concat(chunks), bytes, 'a stream that was whole before the abort')
    else expect(error).toBe(reason)
  }),

  reads('gives back the resources of streams that are destroyed early, and of bodies that nobody reads', async (t) => {
    const bytes = bytesFor(1_300_000)
    await t.seed.put('a.bin', bytes)
    const before = await t.store.openResources?.()
    for (let turn = 0; turn < STREAMS; turn++) {
      const stream = await t.disk.readStream('a.bin')
      if (turn % 2 === 0) for await (const _ of stream) break
      stream.destroy()
      await discard((await t.driver.read('a.bin', {})).body)
    }
    await expectOpen(t, before)
    expectBytes(await drained(await t.disk.readStream('a.bin')), bytes)
  }),

  writes('gives up the source of a write that it refuses', async ({ disk }) => {
    let cancelled = 0
    const stream = (): ReadableStream => new ReadableStream({ cancel: () => void cancelled++ }, { highWaterMark: 0 })
    await rejectionOf(disk.put('../a.txt', stream()))
    await rejectionOf(disk.put('a.txt', stream(), { signal: AbortSignal.abort() }))
    expect(cancelled).toBe(2)
  }),
]

/** Waits until no more is open than before. */
async function expectOpen({ store: { openResources } }: Subject, before: number | undefined): Promise<void> {
  if (before === undefined || openResources === undefined) return
  const until = Date.now() + SETTLE_MS
  while ((await openResources()) > before && Date.now() < until) await sleep(5)
  const open = await openResources()
  expect({ open: Math.max(open, before) }).toEqual({ open: before })
}

/** A source that must not be touched. */
// oxlint-disable-next-line require-yield -- it throws before it could
async function* untouched(): AsyncGenerator<string> {
  throw new Error('the source was read, though the call was aborted before it')
}
