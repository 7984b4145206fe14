import { beforeEach, describe, expect, it } from '@jest/globals'
import { getEventListeners } from 'node:events'
import { Readable } from 'node:stream'
import { Disk } from '../../../src/disk.ts'
import { MemoryDriver } from '../../../src/drivers/memory-driver.ts'
import { TimeoutError } from '../../../src/errors.ts'
import { type RecordedDriver, recorded } from '../../support/recorded.ts'
import { answer, never, stub, stuck } from '../../support/stubs.ts'
import { METHODS } from './methods.ts'

let store: RecordedDriver
let disk: Disk

beforeEach(() => {
  store = recorded()
  disk = new Disk(store, { name: 'main' })
})

const REASONS: readonly unknown[] = ['stop', 0, Number.NaN, false, { why: 'x' }, new Error('enough'), new TimeoutError('mine'), Symbol('s')]

/** What a promise rejects with, also when that is no object. */
async function reasonOf(promise: Promise<unknown>): Promise<{ readonly reason: unknown }> {
  return promise.then(
    (value) => {
      throw new Error(`it was fulfilled with ${String(value)}`)
    },
    (reason: unknown) => ({ reason }),
  )
}

/** As `stalled`, and it cannot be destroyed. */
function stalledForEver(): AsyncGenerator<string> {
  return (async function* () {
    yield 'begin'
    await never()
  })()
}

/** A source whose first chunk comes and whose second never does. */
function stalled(): Readable {
  let sent = false
  return new Readable({
    read() {
      if (!sent) this.push('begin')
      sent = true
    },
  })
}

/** A body that goes on for ever, a byte at a time; it is counted when it is given back. */
function endless(): { readonly body: AsyncIterable<Uint8Array>; readonly returned: () => boolean } {
  let returned = false
  async function* bytes(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        await new Promise((done) => setTimeout(done, 2))
        yield Uint8Array.of(1)
      }
    } finally {
      returned = true
    }
  }
  return { body: bytes(), returned: () => returned }
}

describe.each(METHODS)('%s', (_, call) => {
  it('rejects with the reason of a signal that is aborted already, before any I/O', async () => {
    for (const reason of REASONS) {
      const signal = AbortSignal.abort(reason)
      expect((await reasonOf(call(disk, 'a', { signal }))).reason).toBe(reason)
      expect(getEventListeners(signal, 'abort')).toHaveLength(0)
    }
    expect(store.calls).toEqual([])
  })

  it('leaves neither a listener on the signal nor a timer', async () => {
    await disk.put('a', '{}')
    await disk.put('ok', 'x')
    const { signal } = new AbortController()
    const timers = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
    await call(disk, 'a', { signal, timeoutMs: 60_000 }).catch(() => undefined)
    await call(disk, 'missing', { signal, timeoutMs: 60_000 }).catch(() => undefined)
    await call(disk, '../a', { signal, timeoutMs: 60_000 }).catch(() => undefined)
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
    expect(process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length).toBe(timers)
  })

  it('rejects while its driver is still being found', async () => {
    const finding = new Disk({ name: 'lazy', mount: never, close: async () => undefined })
    const controller = new AbortController()
    const aborted = reasonOf(call(finding, 'a', { signal: controller.signal }))
    const timedOut = reasonOf(call(finding, 'a', { timeoutMs: 5 }))
    controller.abort('stop')
    expect((await aborted).reason).toBe('stop')
    expect((await timedOut).reason).toMatchObject({ code: 'timeout', disk: 'lazy' })
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0)
  })

  it('refuses a bad path without a word about a driver that could not be found', async () => {
    const failing = new Disk({ name: 'lazy', mount: () => Promise.reject(new Error('no config')), close: async () => undefined })
    expect((await reasonOf(call(failing, '../a'))).reason).toMatchObject({ disk: 'lazy' })
    await new Promise((done) => setImmediate(done)) // an unhandled rejection would end the process
  })
})

describe('a driver that never settles', () => {
  it('makes every method reject all the same: aborted, or out of time', async () => {
    const hanging = new Disk(stuck(), { name: 'stuck' })
    const controller = new AbortController()
    const calls = METHODS.map(async ([name, call]) => {
      const aborted = reasonOf(call(hanging, 'a', { signal: controller.signal }))
      const timedOut = reasonOf(call(hanging, 'a', { timeoutMs: 5 }))
      return { name, aborted: (await aborted).reason, timedOut: (await timedOut).reason }
    })
    setImmediate(() => controller.abort('stop'))
    for (const call of await Promise.all(calls)) {
      expect(call).toMatchObject({ aborted: 'stop', timedOut: { code: 'timeout', disk: 'stuck', retryable: true } })
    }
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0)
  })
})

describe("the disk's own timeoutMs", () => {
  it('holds where the call has none, and the call goes first', async () => {
    const hanging = new Disk(stuck(), { timeoutMs: 5 })
    await expect(hanging.stat('a')).rejects.toMatchObject({ code: 'timeout' })
    await expect(hanging.stat('a', { timeoutMs: undefined })).rejects.toMatchObject({ code: 'timeout' })
    const patient = new Disk(
      stub({
        stat: async () => {
          await new Promise((done) => setTimeout(done, 30))
          return answer(endless().body, 1).stat
        },
      }),
      { timeoutMs: 1 },
    )
    expect(await patient.size('a', { timeoutMs: 60_000 })).toBe(1)
  })

  it('may be longer than a timer can be', async () => {
    for (const timeoutMs of [Number.POSITIVE_INFINITY, Number.MAX_SAFE_INTEGER, 2 ** 31]) {
      await disk.put('a', 'x', { timeoutMs })
      expect(await disk.text('a', { timeoutMs })).toBe('x')
    }
  })
})

describe('the time of a promise', () => {
  it('is that of the whole call, not of a chunk', async () => {
    for (const read of [
      (d: Disk) => d.get('a', { timeoutMs: 40 }),
      (d: Disk) => d.text('a', { timeoutMs: 40 }),
      (d: Disk) => d.checksum('a', { timeoutMs: 40 }),
    ]) {
      const { body, returned } = endless()
      const slow = new Disk(stub({ read: async () => answer(body, 1_000_000) }))
      await expect(read(slow)).rejects.toMatchObject({ code: 'timeout' })
      await new Promise((done) => setTimeout(done, 10))
      expect(returned()).toBe(true)
    }
  })

  it('is that of all pages of a listing', async () => {
    const list = async (): Promise<{ entries: []; cursor: string }> => {
      await new Promise((done) => setTimeout(done, 2))
      return { entries: [], cursor: 'more' }
    }
    await expect(new Disk(stub({ list })).allFiles('', { timeoutMs: 40 })).rejects.toMatchObject({ code: 'timeout' })
  })
})

describe('a write that is stopped', () => {
  const writes = [
    ['put', (d: Disk, options: object) => d.put('a', stalled(), options)],
    ['putFileAs', (d: Disk, options: object) => d.putFileAs('', stalled(), 'a', options)],
    ['prepend', (d: Disk, options: object) => d.prepend('a', stalled(), options)],
  ] as const

  it.each(writes)('%s: waits for a chunk that never comes, and leaves the old file', async (_, write) => {
    disk = new Disk(new MemoryDriver())
    await disk.put('a', 'old')
    const controller = new AbortController()
    const aborted = reasonOf(write(disk, { signal: controller.signal }))
    const timedOut = reasonOf(write(disk, { timeoutMs: 10 }))
    setTimeout(() => controller.abort('stop'), 10)
    expect((await aborted).reason).toBe('stop')
    expect((await timedOut).reason).toMatchObject({ code: 'timeout', operation: 'write', path: 'a' })
    expect(await disk.text('a')).toBe('old')
    expect(await disk.allFiles()).toEqual(['a'])
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0)
  })

  it('lets a driver that reads it as a Node stream clean up', async () => {
    const events: string[] = []
    const piping = stub({
      write: async (_path, content) => {
        const stream = Readable.from(content.stream())
        try {
          await stream.toArray()
        } finally {
          if (!stream.closed) await new Promise((done) => stream.once('close', done))
          events.push('cleaned up')
        }
        return { size: 0 }
      },
    })
    await expect(new Disk(piping).put('a', stalledForEver(), { timeoutMs: 10 })).rejects.toMatchObject({ code: 'timeout' })
    expect(events).toEqual(['cleaned up'])
  })

  it('destroys its source', async () => {
    const source = stalled()
    await expect(disk.put('a', source, { timeoutMs: 10 })).rejects.toMatchObject({ code: 'timeout' })
    expect(source.destroyed).toBe(true)
  })

  it('is told after the driver has cleaned up', async () => {
    const events: string[] = []
    const tidy = stub({
      write: (_path, _content, { signal }) =>
        new Promise((_, reject) => {
          signal?.addEventListener('abort', () =>
            setTimeout(() => {
              events.push('cleaned up')
              reject(new Error('whatever the store says then'))
            }, 10),
          )
        }),
    })
    expect((await reasonOf(new Disk(tidy).put('a', 'x', { signal: AbortSignal.timeout(5) }))).reason).toMatchObject({
      name: 'TimeoutError',
    })
    expect(events).toEqual(['cleaned up'])
  })
})

describe('a stream that is read', () => {
  const over = (body: AsyncIterable<Uint8Array>, size: number): Disk =>
    new Disk(stub({ read: async () => answer(body, size) }), { name: 'main' })

  it('has its time between chunks, and stops the clock while its reader is busy', async () => {
    async function* slow(): AsyncGenerator<Uint8Array> {
      for (let i = 0; i < 5; i++) yield Uint8Array.of(i)
    }
    const stream = await over(slow(), 5).readStream('a', { timeoutMs: 30 })
    let received = 0
    for await (const chunk of stream) {
      received += (chunk as Buffer).length
      await new Promise((done) => setTimeout(done, 20))
    }
    expect(received).toBe(5)
  })

  it('fails when a chunk never comes: out of time, or aborted', async () => {
    async function* stops(): AsyncGenerator<Uint8Array> {
      yield Uint8Array.of(1)
      await never()
    }
    const timedOut = await over(stops(), 5).readStream('a', { timeoutMs: 10 })
    await expect(timedOut.toArray()).rejects.toMatchObject({ code: 'timeout', operation: 'read', path: 'a', disk: 'main' })
    const controller = new AbortController()
    const aborted = await over(stops(), 5).readStream('a', { signal: controller.signal })
    const reason = new Error('enough')
    setTimeout(() => controller.abort(reason), 10)
    await expect(aborted.toArray()).rejects.toBe(reason)
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0)
  })

  it('fails with its place when the body fails, is short, or goes on too long', async () => {
    async function* fails(): AsyncGenerator<Uint8Array> {
      yield Uint8Array.of(1)
      throw new Error('cut')
    }
    async function* three(): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(3)
    }
    const place = { operation: 'read', path: 'a', disk: 'main' }
    await expect((await over(fails(), 5).readStream('a')).toArray()).rejects.toMatchObject({ ...place, code: 'unknown' })
    await expect((await over(three(), 5).readStream('a')).toArray()).rejects.toMatchObject({ ...place, code: 'unavailable' })
    await expect((await over(three(), 2).readStream('a')).toArray()).rejects.toMatchObject({ ...place, code: 'unavailable' })
  })

  it('is given back when it is destroyed, before and after the first byte, and lets go of the signal', async () => {
    const { signal } = new AbortController()
    for (const chunks of [0, 1]) {
      let returned = 0
      const body: AsyncIterable<Uint8Array> = {
        [Symbol.asyncIterator]: () => ({
          next: async () => ({ done: false, value: Uint8Array.of(1) }),
          return: async () => ({ done: true, value: void returned++ }),
        }),
      }
      const stream = await over(body, 100).readStream('a', { signal, timeoutMs: 60_000 })
      if (chunks > 0) await stream.iterator({ destroyOnReturn: false }).next()
      stream.destroy()
      await new Promise((done) => stream.once('close', done))
      expect(returned).toBe(1)
      expect(getEventListeners(signal, 'abort')).toHaveLength(0)
    }
  })

  it('discards a body that comes after the time is over', async () => {
    let returned = false
    const late = stub({
      read: async () => {
        await new Promise((done) => setTimeout(done, 30))
        return answer(
          { [Symbol.asyncIterator]: () => ({ next: never, return: async () => ({ done: true, value: void (returned = true) }) }) },
          5,
        )
      },
    })
    await expect(new Disk(late).readStream('a', { timeoutMs: 5 })).rejects.toMatchObject({ code: 'timeout' })
    await new Promise((done) => setTimeout(done, 50))
    expect(returned).toBe(true)
  })

  it('gives the body back when its range is past the end', async () => {
    let returned = false
    const body: AsyncIterable<Uint8Array> = {
      [Symbol.asyncIterator]: () => ({ next: never, return: async () => ({ done: true, value: void (returned = true) }) }),
    }
    await expect(over(body, 5).readStream('a', { range: { start: 9 } })).rejects.toMatchObject({ code: 'invalid_argument' })
    expect(returned).toBe(true)
  })
})

describe('a batch whose paths never come', () => {
  it('is not waited for', async () => {
    async function* stalls(): AsyncGenerator<string> {
      yield 'a'
      await never()
    }
    await expect(disk.delete(stalls(), { timeoutMs: 10 })).rejects.toMatchObject({ code: 'timeout', operation: 'delete' })
    expect(store.calls).toEqual([])
  })
})

describe('a stream of many chunks under a long-lived signal', () => {
  it('adds one listener and not one for each chunk', async () => {
    const { signal } = new AbortController()
    let most = 0
    const source = Readable.from(
      (function* () {
        for (let i = 0; i < 50; i++) {
          most = Math.max(most, getEventListeners(signal, 'abort').length)
          yield 'x'
        }
      })(),
    )
    await disk.put('a', source, { signal })
    expect(most).toBe(1)
    const stream = await disk.readStream('a', { signal })
    expect(await stream.toArray()).toHaveLength(1)
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
  })
})
