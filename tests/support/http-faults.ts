/**
 * What networks and stores do, against a driver that speaks HTTP: a table of faults, each with how it has to end. Whatever happens, the
 * file is the old one or the new one, nothing is left in the store but files, no call outlives its time and no connection stays behind.
 */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { Disk } from '../../src/disk.ts'
import type { Driver } from '../../src/driver.ts'
import { collect } from '../../src/content.ts'
import { type Fault, type FaultProxy, faultProxy, slowDown, type Wanted } from './fault-proxy.ts'
import type { Identity } from './forwarding.ts'

/** A bucket or container, and how a driver of it is made that goes through a proxy. */
export interface FaultedStore {
  /** Of the server. */
  readonly endpoint: string
  /** With which the proxy speaks TLS to the driver. */
  readonly identity?: Identity | undefined
  /** @param endpoint of the server or of the proxy @param socketTimeoutMs after how long a silent connection is given up */
  driver(endpoint: string, socketTimeoutMs?: number): Driver
  /** Uploads that are neither complete nor aborted. */
  leftovers(): Promise<readonly string[]>
  remove(): Promise<void>
}

export interface FaultedStoreFacts {
  readonly slow: 's3' | 'gcs' | 'azure'
  /** The requests that carry a file of one part, and the parts of a larger one. */
  readonly uploads: { readonly whole: Wanted; readonly part: Wanted; readonly commit: Wanted }
  /** The requests that carry a file back. */
  readonly downloads: Wanted
  /** The request that asks for facts alone. */
  readonly stats: Wanted
  readonly lists: Wanted
  readonly deletes: Wanted
  readonly copies: Wanted
  /** What comes of an upload that arrives with other bytes, which the server notices. */
  readonly flippedUpload: Outcome
  /** Whether a download is checked against a checksum that this server sends. */
  readonly checksDownloads: boolean
  /** Whether a silent connection can be told to be given up, so that another one does what it did not. */
  readonly givesUpSilence: boolean
  /** How many connections a short call may leave open for the next. */
  readonly idleConnections: number
  /** How many connections a large upload may leave open for the next. */
  readonly maxConnections: number
}

type Outcome = 'ok' | 'unavailable' | 'rate_limited' | 'timeout' | 'corrupted' | 'unknown'
type Row = readonly [title: string, wanted: Wanted, fault: Fault, outcome: Outcome]

const PATH = 'dir/file.bin'
const ALWAYS = { times: Number.POSITIVE_INFINITY }
const OLD = randomBytes(300_000)
const NEW = randomBytes(400_000)
/** More than a part, which is 5 MiB at least on S3. */
const LARGE = randomBytes(11 * 1024 * 1024)
/** Far more than any call takes that is not stuck. */
const LIMIT_MS = 20_000

export function describeHttpFaults(name: string, facts: FaultedStoreFacts, make: () => Promise<FaultedStore>): void {
  describe(name, () => {
    let store: FaultedStore
    let proxy: FaultProxy
    let direct: Disk
    let disk: Disk

    beforeEach(async () => {
      store = await make()
      proxy = await faultProxy(store.endpoint, store.identity)
      direct = new Disk(store.driver(store.endpoint))
      disk = new Disk(store.driver(proxy.endpoint), { timeoutMs: LIMIT_MS })
      await direct.put(PATH, OLD)
    })

    afterEach(async () => {
      await disk.close()
      while (proxy.connections.open > 0) await sleep(5) // Bounded by the limit of the test: a connection that stays fails it.
      await proxy.close()
      expect(await store.leftovers()).toEqual([])
      await direct.close()
      await store.remove()
    })

    /** Does something, and tells how it ended. */
    async function ending(run: () => Promise<unknown>): Promise<{ outcome: string; result: unknown }> {
      try {
        return { outcome: 'ok', result: await run() }
      } catch (error) {
        return { outcome: (error as { code?: string }).code ?? String(error), result: undefined }
      }
    }

    async function write(contents: Buffer, how: () => Promise<unknown>): Promise<string> {
      const { outcome } = await ending(how)
      expect(proxy.faulted).toBeGreaterThan(0)
      const found = await direct.get(PATH)
      expect(['old', 'new'].filter((which) => found.equals(which === 'old' ? OLD : contents))).toEqual([outcome === 'ok' ? 'new' : 'old'])
      return outcome
    }

    /** A connection that is not used any more may stay open, for the next call; one that is stuck may not. */
    async function settled(connections: number): Promise<void> {
      while (proxy.connections.open > connections) await sleep(5)
    }

    const { whole, part, commit } = facts.uploads
    const uploads: readonly Row[] = [
      ['a reset in the middle', whole, { resetRequest: 10_000 }, 'ok'],
      ['resets without end', { ...whole, ...ALWAYS }, { resetRequest: 10_000 }, 'unavailable'],
      ['two answers that it was too fast', { ...whole, times: 2 }, slowDown(facts.slow), 'ok'],
      ['an answer that it was too fast, and when to come again', whole, slowDown(facts.slow, 1), 'ok'],
      ['answers without end that it was too fast', { ...whole, ...ALWAYS }, slowDown(facts.slow), 'rate_limited'],
      ['a lost answer', whole, { loseAnswer: true }, 'ok'],
      ['a late answer', whole, { delayMs: 300 }, 'ok'],
      ['a flipped bit', whole, { corruptRequest: 20_000 }, facts.flippedUpload],
      ['flipped bits without end', { ...whole, ...ALWAYS }, { corruptRequest: 20_000 }, facts.flippedUpload],
    ]

    it.each(uploads)('an upload of bytes meets %s', async (_title, wanted, fault, outcome) => {
      proxy.inject(wanted, fault)
      expect(await write(NEW, () => disk.put(PATH, NEW))).toBe(outcome)
      await settled(facts.idleConnections)
    })

    it.each(uploads)('a short upload of unknown length meets %s', async (_title, wanted, fault, outcome) => {
      proxy.inject(wanted, fault)
      expect(await write(NEW, () => disk.writeStream(PATH, slices(NEW)))).toBe(outcome)
      await settled(facts.idleConnections)
    })

    const parts: readonly Row[] = [
      ['a reset in the middle of a part', { ...part, skip: 1 }, { resetRequest: 10_000 }, 'ok'],
      ['resets without end', { ...part, skip: 1, ...ALWAYS }, { resetRequest: 10_000 }, 'unavailable'],
      ['two answers that it was too fast', { ...part, times: 2 }, slowDown(facts.slow), 'ok'],
      ['answers without end that it was too fast', { ...part, skip: 1, ...ALWAYS }, slowDown(facts.slow), 'rate_limited'],
      ['the lost answer of a part', part, { loseAnswer: true }, 'ok'],
      ['the lost answer that ends it', commit, { loseAnswer: true }, 'ok'],
      ['flipped bits without end', { ...part, skip: 1, ...ALWAYS }, { corruptRequest: 20_000 }, facts.flippedUpload],
    ]

    it.each(parts)('a long upload of unknown length meets %s', async (_title, wanted, fault, outcome) => {
      proxy.inject(wanted, fault)
      expect(await write(LARGE, () => disk.writeStream(PATH, slices(LARGE)))).toBe(outcome)
      await settled(facts.maxConnections)
    })

    it.each([
      ['an upload of bytes', whole, NEW, () => disk.put(PATH, NEW, { timeoutMs: 1_000 })],
      ['a long upload', part, LARGE, () => disk.writeStream(PATH, slices(LARGE), { timeoutMs: 3_000 })],
    ] as const)('%s that meets silence ends in time', async (_title, wanted, contents, how) => {
      proxy.inject({ ...wanted, ...ALWAYS }, { stallRequest: 10_000 })
      expect(await write(contents, how)).toBe('timeout')
      proxy.reset()
      await settled(facts.maxConnections)
    })

    const impatience = [
      ['an upload of bytes', whole, NEW, (disk: Disk) => disk.put(PATH, NEW)],
      ['a long upload', { ...part, skip: 1 }, LARGE, (disk: Disk) => disk.writeStream(PATH, slices(LARGE))],
    ] as const
    if (facts.givesUpSilence)
      it.each(impatience)('%s that meets a silent connection goes on by another', async (_title, wanted, contents, how) => {
        proxy.inject(wanted, { stallRequest: 10_000 })
        const impatient = new Disk(store.driver(proxy.endpoint, 1_000), { timeoutMs: LIMIT_MS })
        expect(await write(contents, () => how(impatient))).toBe('ok')
        await impatient.close()
      })

    const get = facts.downloads
    const downloads: readonly Row[] = [
      ['a reset in the middle', get, { resetResponse: 10_000 }, 'ok'],
      ['resets without end', { ...get, ...ALWAYS }, { resetResponse: 0 }, 'unavailable'],
      ['an end that comes too early', get, { truncate: 10_000 }, 'ok'],
      ['ends without end', { ...get, ...ALWAYS }, { truncate: 0 }, 'unavailable'],
      ['two answers that it was too fast', { ...get, times: 2 }, slowDown(facts.slow), 'ok'],
      ['answers without end that it was too fast', { ...get, ...ALWAYS }, slowDown(facts.slow), 'rate_limited'],
      ['a slow connection', get, { dripBytesPerSecond: 1_000_000 }, 'ok'],
      ['a late answer', get, { delayMs: 300 }, 'ok'],
      ['a lost answer', get, { loseAnswer: true }, 'ok'],
      ...(facts.checksDownloads
        ? ([['flipped bits without end', { ...get, ...ALWAYS }, { corruptResponse: 20_000 }, 'corrupted']] as const)
        : []),
    ]

    async function read(how: () => Promise<Uint8Array>): Promise<string> {
      const { outcome, result } = await ending(how)
      expect(proxy.faulted).toBeGreaterThan(0)
      if (outcome === 'ok') expect(Buffer.compare(result as Uint8Array, OLD)).toBe(0)
      return outcome
    }

    it.each(downloads)('a download meets %s', async (_title, wanted, fault, outcome) => {
      proxy.inject(wanted, fault)
      expect(await read(() => disk.get(PATH))).toBe(outcome)
      await settled(facts.idleConnections)
    })

    it.each(downloads)('a stream meets %s', async (_title, wanted, fault, outcome) => {
      proxy.inject(wanted, fault)
      expect(await read(async () => collect(await disk.readStream(PATH)))).toBe(outcome)
      await settled(facts.idleConnections)
    })

    it('a download that meets silence ends in time', async () => {
      proxy.inject({ ...get, ...ALWAYS }, { stallResponse: 10_000 })
      expect(await read(() => disk.get(PATH, { timeoutMs: 1_000 }))).toBe('timeout')
      await settled(facts.idleConnections - 1)
    })

    if (facts.givesUpSilence)
      it('a download that meets a silent connection goes on by another', async () => {
        proxy.inject(get, { stallResponse: 10_000 })
        const impatient = new Disk(store.driver(proxy.endpoint, 1_000), { timeoutMs: LIMIT_MS })
        expect(await read(() => impatient.get(PATH))).toBe('ok')
        await settled(facts.idleConnections)
        await impatient.close()
      })

    it('a stream that is given up leaves no connection', async () => {
      proxy.inject(get, { stallResponse: 10_000 })
      const stream = await disk.readStream(PATH)
      stream.destroy()
      await settled(facts.idleConnections - 1)
    })

    const calls = [
      ['stat', facts.stats, async () => (await disk.stat(PATH)).size === OLD.length],
      ['list', facts.lists, async () => (await disk.files('dir')).join() === PATH],
      ['copy', facts.copies, async () => disk.copy(PATH, 'dir/copy.bin').then(async () => (await direct.get('dir/copy.bin')).equals(OLD))],
      ['delete', facts.deletes, async () => disk.delete([PATH, 'dir/none.bin']).then(() => direct.missing(PATH))],
    ] as const

    it.each(calls)('%s goes on after answers that it was too fast, a lost one and a late one', async (_name, wanted, run) => {
      proxy.inject(wanted, slowDown(facts.slow))
      proxy.inject(wanted, { loseAnswer: true })
      proxy.inject(wanted, { delayMs: 200 })
      expect(await ending(run)).toEqual({ outcome: 'ok', result: true })
      expect(proxy.faulted).toBe(3)
      await settled(facts.idleConnections + 1)
    })

    it.each(calls)('%s ends when it is always too fast, or met by silence', async (_name, wanted, run) => {
      proxy.inject({ ...wanted, ...ALWAYS }, slowDown(facts.slow))
      expect((await ending(run)).outcome).toMatch(/^(rate_limited|partial_failure)$/)
      proxy.reset()
      proxy.inject({ ...wanted, ...ALWAYS }, { stallRequest: 0 })
      disk = new Disk(disk.driver, { timeoutMs: 1_000 })
      expect((await ending(run)).outcome).toBe('timeout')
      expect((await direct.get(PATH)).equals(OLD)).toBe(true)
      await settled(facts.idleConnections)
    })
  })
}

async function* slices(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let start = 0; start < bytes.length; start += 60_000) yield bytes.subarray(start, start + 60_000)
}
