/**
 * Calls of every kind on one disk, by workers side by side, over a store that fails them now and then; and what may be told of each.
 *
 *   a worker's own files    it knows what is in each, until a call leaves it open: then it goes on with another file
 *   shared files            only under conditions, and deleted now and then
 *
 * Every content tells who wrote it and whether it is whole: `<p0000012 5>xxxxx</p0000012>`, and once more for each addition.
 */
import { createHash } from 'node:crypto'
import { bytesContent } from '../../src/content.ts'
import type { Disk } from '../../src/disk.ts'
import type { MultipartAbility, WriteResult } from '../../src/driver.ts'
import { isStorageError } from '../../src/errors.ts'
import { pick } from '../support/seeded.ts'

/** How a write of a name of its own ended. */
export interface Ending {
  readonly op: string
  readonly call: string
  readonly isConditional: boolean
  /** `ok`, the code of the error, or `aborted`. */
  readonly outcome: string
  readonly message: string
  readonly etag: string | undefined
}

const SHARED = 6
const FILES = 5
const REASON = new Error('no longer wanted')
const PASSING = ['unavailable', 'rate_limited']
const LOST = ['already_exists', 'precondition_failed']
const KiB = 1024

export class Calls {
  readonly endings: Ending[] = []
  /** Promises that were broken. */
  readonly violations: string[] = []
  /** By call and how it ended. */
  readonly outcomes: Map<string, number> = new Map()
  /** SHA-256 of all that was to be written, by the name of the write. */
  readonly intended: Map<string, string> = new Map()
  readonly underWay: Set<string> = new Set()
  readonly #disk: Disk
  readonly #random: () => number
  #names = 0

  constructor(disk: Disk, random: () => number) {
    this.#disk = disk
    this.#random = random
  }

  /** One worker: so many calls, one after the other. */
  async work(worker: number, calls: number): Promise<Own> {
    const own = new Own(worker)
    for (let call = 0; call < calls; call++) await this.#call(own)
    return own
  }

  async #call(own: Own): Promise<void> {
    const run = pick<() => Promise<unknown>>(this.#random, [
      [() => this.#put(own), 18],
      [() => this.#get(own), 18],
      [() => this.#range(own), 8],
      [() => this.#stat(own), 8],
      [() => this.#miss(own), 5],
      [() => this.#delete(own), 4],
      [() => this.#deleteMany(own), 3],
      [() => this.#list(own), 4],
      [() => this.#copy(own), 4],
      [() => this.#move(own), 2],
      [() => this.#giveUpReading(own), 3],
      [() => this.#giveUpWriting(own), 3],
      [() => this.#upload(own), 3],
      [() => this.#large(own), 0.5],
      [() => this.#putIfAbsent(), 8],
      [() => this.#putIfMatch(), 8],
      [() => this.#copyIfAbsent(own), 3],
      [() => this.#uploadIfAbsent(), 3],
      [() => this.#largeIfAbsent(), 0.3],
      [() => this.#append(), 4],
      [() => this.#getShared(), 5],
      [() => this.#deleteShared(), 5],
    ])
    await run()
  }

  /** Does something. @returns how it ended; what is neither a success nor an error of these codes is a violation */
  async #ending<T>(
    call: string,
    codes: readonly string[],
    run: () => Promise<T>,
  ): Promise<{ outcome: string; result?: T; message: string }> {
    const running = `${call} ${++this.#names}`
    this.underWay.add(running)
    let ending: { outcome: string; result?: T; message: string }
    try {
      ending = { outcome: 'ok', result: await run(), message: '' }
    } catch (error) {
      const isOurs = isStorageError(error) && codes.includes(error.code)
      ending = { outcome: error === REASON ? 'aborted' : isOurs ? error.code : 'untyped', message: String(error) }
      if (ending.outcome === 'untyped') this.violations.push(`${call} failed with ${String(error)}`)
    }
    this.underWay.delete(running)
    const counted = `${call}: ${ending.outcome}`
    this.outcomes.set(counted, (this.outcomes.get(counted) ?? 0) + 1)
    return ending
  }

  /** A write with a name, under which the store has written it down if it did it. */
  async #write(call: string, op: string, run: () => Promise<WriteResult | void>): Promise<string> {
    const isConditional = /if|append/.test(call)
    const { outcome, result, message } = await this.#ending(call, [...PASSING, ...(isConditional ? LOST : [])], run)
    this.endings.push({ op, call, isConditional, outcome, message, etag: result?.etag })
    return outcome
  }

  #content(kind: 'p' | '+', size = Math.floor(this.#random() * 2 * KiB)): { op: string; bytes: Buffer } {
    const op = `${kind}${String(++this.#names).padStart(7, '0')}`
    const bytes = Buffer.from(`<${op} ${size}>${'x'.repeat(size)}</${op}>`)
    this.intended.set(op, createHash('sha256').update(bytes).digest('hex'))
    return { op, bytes }
  }

  #shared(): string {
    return `shared/${Math.floor(this.#random() * SHARED)}`
  }

  #file(own: Own): string {
    return own.file(Math.floor(this.#random() * FILES))
  }

  /** One that is there, or undefined. */
  #known(own: Own): string | undefined {
    const there = own.there()
    return there[Math.floor(this.#random() * there.length)]
  }

  async #put(own: Own): Promise<void> {
    const [path, { op, bytes }] = [this.#file(own), this.#content('p')]
    const outcome = await this.#write('put', op, () => this.#disk.put(path, bytes, { metadata: { op } }))
    own.wrote(path, outcome, bytes)
  }

  async #giveUpWriting(own: Own): Promise<void> {
    const [path, { op, bytes }] = [this.#file(own), this.#content('p', 64 * KiB)]
    const controller = new AbortController()
    const timer = setTimeout(() => controller.abort(REASON), this.#random() * 5)
    const outcome = await this.#write('put, given up', op, () =>
      this.#disk.put(path, bytes, { metadata: { op }, signal: controller.signal }),
    )
    clearTimeout(timer)
    own.wrote(path, outcome, bytes)
  }

  async #get(own: Own): Promise<void> {
    const path = this.#file(own)
    const { outcome, result } = await this.#ending('get', [...PASSING, 'not_found'], () => this.#disk.get(path))
    const known = own.content(path)
    if (outcome === 'ok' && (known === undefined || !known.equals(result as Buffer))) this.violations.push(`get ${path} gave other bytes`)
    if (outcome === 'not_found' && known !== undefined) this.violations.push(`get ${path} found nothing`)
  }

  async #range(own: Own): Promise<void> {
    const path = this.#known(own)
    if (path === undefined) return this.#put(own)
    const whole = own.content(path) as Buffer
    const start = Math.floor(this.#random() * whole.byteLength)
    const end = start + 1 + Math.floor(this.#random() * (whole.byteLength - start))
    const { outcome, result } = await this.#ending('get of a range', PASSING, () => this.#disk.get(path, { range: { start, end } }))
    if (outcome === 'ok' && !whole.subarray(start, end).equals(result as Buffer))
      this.violations.push(`a range of ${path} is of other bytes`)
  }

  async #stat(own: Own): Promise<void> {
    const path = this.#file(own)
    const { outcome, result } = await this.#ending('stat', [...PASSING, 'not_found'], () => this.#disk.stat(path))
    const size = own.content(path)?.byteLength
    if (outcome === 'ok' ? result?.size !== size : outcome === 'not_found' && size !== undefined)
      this.violations.push(`stat ${path}: ${outcome}, ${result?.size} in place of ${size}`)
  }

  async #miss(own: Own): Promise<void> {
    const { outcome } = await this.#ending('get of nothing', [...PASSING, 'not_found'], () => this.#disk.get(`${own.directory}/none`))
    if (outcome === 'ok') this.violations.push('something was found where nothing is')
  }

  async #delete(own: Own): Promise<void> {
    const path = this.#file(own)
    const { outcome } = await this.#ending('delete', PASSING, () => this.#disk.delete(path))
    own.wrote(path, outcome, undefined)
  }

  async #deleteMany(own: Own): Promise<void> {
    const paths = [this.#file(own), `${own.directory}/none`, this.#file(own)]
    const { outcome } = await this.#ending('delete of many', [...PASSING, 'partial_failure'], () => this.#disk.delete(paths))
    for (const path of new Set(paths)) if (!path.endsWith('/none')) own.wrote(path, outcome, undefined)
  }

  async #list(own: Own): Promise<void> {
    const { outcome, result = [] } = await this.#ending('list', PASSING, () => this.#disk.files(own.directory))
    if (outcome !== 'ok') return
    for (const path of own.there()) if (!result.includes(path)) this.violations.push(`${path} is not listed`)
    for (const path of own.gone()) if (result.includes(path)) this.violations.push(`${path} is listed`)
  }

  async #copy(own: Own): Promise<void> {
    const [from, to] = [this.#known(own), this.#file(own)]
    if (from === undefined || from === to) return this.#put(own)
    const { outcome } = await this.#ending('copy', PASSING, () => this.#disk.copy(from, to))
    own.wrote(to, outcome, own.content(from))
  }

  async #move(own: Own): Promise<void> {
    const [from, to] = [this.#known(own), this.#file(own)]
    if (from === undefined || from === to) return this.#put(own)
    const { outcome } = await this.#ending('move', PASSING, () => this.#disk.move(from, to))
    own.wrote(to, outcome, own.content(from))
    own.wrote(from, outcome, undefined)
  }

  async #giveUpReading(own: Own): Promise<void> {
    const path = this.#known(own)
    if (path === undefined) return this.#put(own)
    await this.#ending('stream, given up', PASSING, async () => {
      const stream = await this.#disk.readStream(path)
      if (this.#random() < 0.5) for await (const _ of stream) break
      stream.destroy()
    })
  }

  async #upload(own: Own): Promise<void> {
    const [path, { op, bytes }] = [this.#file(own), this.#content('p')]
    own.wrote(path, await this.#write('upload', op, () => this.#inParts({ path, op, bytes })), bytes)
  }

  async #uploadIfAbsent(): Promise<void> {
    const [path, { op, bytes }] = [this.#shared(), this.#content('p')]
    await this.#write('upload ifAbsent', op, () => this.#inParts({ path, op, bytes, ifAbsent: true }))
  }

  /** Three parts, by hand; aborted when something fails. */
  async #inParts({ path, op, bytes, ifAbsent }: { path: string; op: string; bytes: Buffer; ifAbsent?: boolean }): Promise<WriteResult> {
    const multipart = this.#disk.driver.multipart as MultipartAbility
    const id = await multipart.create(path, { metadata: { op } })
    try {
      const third = Math.ceil(bytes.byteLength / 3)
      const parts = await Promise.all(
        [0, 1, 2].map((at) => multipart.part(path, id, at + 1, bytesContent(bytes.subarray(at * third, (at + 1) * third)), {})),
      )
      return await multipart.complete(path, id, parts, { ifAbsent })
    } catch (error) {
      await multipart.abort(path, id, {}).catch(() => undefined) // the store knows that it was asked
      throw error
    }
  }

  async #large(own: Own): Promise<void> {
    const [path, { op, bytes }] = [this.#file(own), this.#content('p', 6 * KiB * KiB)]
    own.wrote(path, await this.#write('large stream', op, () => this.#disk.writeStream(path, slices(bytes), { metadata: { op } })), bytes)
  }

  async #largeIfAbsent(): Promise<void> {
    const [path, { op, bytes }] = [this.#shared(), this.#content('p', 6 * KiB * KiB)]
    await this.#write('large stream ifAbsent', op, () => this.#disk.writeStream(path, slices(bytes), { metadata: { op }, ifAbsent: true }))
  }

  async #putIfAbsent(): Promise<void> {
    const [path, { op, bytes }] = [this.#shared(), this.#content('p', this.#random() < 0.05 ? 1_200 * KiB : undefined)]
    await this.#write('put ifAbsent', op, () => this.#disk.put(path, bytes, { metadata: { op }, ifAbsent: true }))
  }

  async #putIfMatch(): Promise<void> {
    const [path, { op, bytes }] = [this.#shared(), this.#content('p')]
    const { result } = await this.#ending('stat', [...PASSING, 'not_found'], () => this.#disk.stat(path))
    if (result === undefined) return
    const ifMatch = this.#random() < 0.1 ? '"another"' : result.etag
    await this.#write('put ifMatch', op, () => this.#disk.put(path, bytes, { metadata: { op }, ifMatch }))
  }

  async #copyIfAbsent(own: Own): Promise<void> {
    const [from, { op }] = [this.#known(own), this.#content('p')]
    if (from === undefined) return this.#put(own)
    this.intended.set(
      op,
      createHash('sha256')
        .update(own.content(from) as Buffer)
        .digest('hex'),
    )
    await this.#write('copy ifAbsent', op, () => this.#disk.copy(from, this.#shared(), { metadata: { op }, ifAbsent: true }))
  }

  async #append(): Promise<void> {
    const { op, bytes } = this.#content('+', 20)
    const path = `logs/${Math.floor(this.#random() * 4)}`
    await this.#write('append', op, () => this.#disk.append(path, bytes))
  }

  async #getShared(): Promise<void> {
    const path = this.#random() < 0.7 ? this.#shared() : `logs/${Math.floor(this.#random() * 4)}`
    const { result } = await this.#ending('get, shared', [...PASSING, 'not_found', 'precondition_failed'], () => this.#disk.get(path))
    if (result !== undefined && !isWhole(result)) this.violations.push(`get ${path} gave a part, or a mix`)
  }

  async #deleteShared(): Promise<void> {
    const path = this.#shared()
    await this.#ending('delete, shared', PASSING, () => this.#disk.delete(path))
  }
}

/** The files of one worker, and what is in them, where that is known. */
export class Own {
  readonly directory: string
  readonly #contents = new Map<string, Buffer | undefined>()
  readonly #generations = new Map<number, number>()

  constructor(worker: number) {
    this.directory = `own-${worker}`
  }

  file(number: number): string {
    return `${this.directory}/${number}-${this.#generations.get(number) ?? 0}`
  }

  content(path: string): Buffer | undefined {
    return this.#contents.get(path)
  }

  there(): readonly string[] {
    return [...this.#contents].filter(([, content]) => content !== undefined).map(([path]) => path)
  }

  gone(): readonly string[] {
    return [...this.#contents].filter(([, content]) => content === undefined).map(([path]) => path)
  }

  /** After a call that left open whether it was done, another file takes its place: the call may be done yet. */
  wrote(path: string, outcome: string, content: Buffer | undefined): void {
    if (outcome === 'ok') {
      this.#contents.set(path, content)
      return
    }
    this.#contents.delete(path)
    const number = Number(/(\d+)-\d+$/.exec(path)?.[1])
    if (path === this.file(number)) this.#generations.set(number, (this.#generations.get(number) ?? 0) + 1)
  }
}

/** Whether a content is one or several that were written, from their beginnings to their ends. */
export function isWhole(content: Buffer): boolean {
  const text = content.toString('latin1')
  let at = 0
  while (at < text.length) {
    const [opening, op = '', size] = /^<([p+]\d{7}) (\d+)>/.exec(text.slice(at, at + 32)) ?? []
    if (opening === undefined) return false
    at += opening.length + Number(size)
    if (!text.startsWith(`</${op}>`, at)) return false
    at += op.length + 3
  }
  return at > 0
}

async function* slices(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let start = 0; start < bytes.length; start += 60_000) yield bytes.subarray(start, start + 60_000)
}
