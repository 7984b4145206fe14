/** When identities are loaded, renewed and kept; who waits for it and who does not. The clock and the source are of the test. */
import { getEventListeners } from 'node:events'
import { describe, expect, it } from '@jest/globals'
import { Credentials, type LoadIdentity } from '../../../src/drivers/s3/lean/credentials.ts'
import type { S3Identity } from '../../../src/drivers/s3/settings.ts'
import { ConfigurationError, UnavailableError } from '../../../src/errors.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const START = Date.parse('2026-11-21T14:00:00Z')

function identity(name: string, expiration?: Date): S3Identity {
  return { accessKeyId: name, secretAccessKey: `secret of ${name}`, sessionToken: `token-of-${name}`, ...(expiration && { expiration }) }
}

/** Credentials whose source answers when the test says so, by a clock that the test sets. */
class Bench {
  readonly credentials: Credentials
  now = START
  /** What each load was called with. */
  readonly loads: unknown[] = []
  #pending: PromiseWithResolvers<S3Identity>[] = []

  constructor() {
    const load: LoadIdentity = (...options) => {
      this.loads.push(options[0])
      const pending = Promise.withResolvers<S3Identity>()
      this.#pending.push(pending)
      return pending.promise
    }
    this.credentials = new Credentials(load, { bucket: 'b', now: () => this.now })
  }

  /** A bench with an identity `A` that was loaded now. */
  static async loaded(lifetimeMs?: number): Promise<Bench> {
    const bench = new Bench()
    const first = bench.credentials.get()
    bench.answer('A', lifetimeMs)
    await first
    return bench
  }

  answer(name: string, lifetimeMs?: number): void {
    this.#taken().resolve(identity(name, lifetimeMs === undefined ? undefined : new Date(this.now + lifetimeMs)))
  }

  /** The loads under way resolve with this, whatever it is. */
  answerWith(given: unknown): void {
    this.#taken().resolve(given as S3Identity)
  }

  fail(error: unknown): void {
    this.#taken().reject(error)
  }

  #taken(): PromiseWithResolvers<S3Identity> {
    const pending = this.#pending.shift()
    if (pending === undefined) throw new Error('nothing is being loaded')
    return pending
  }

  /** The key id that a request gets without waiting. @throws when it would have to wait */
  get atOnce(): string {
    const given = this.credentials.get()
    if ('then' in given) {
      given.catch(() => undefined)
      throw new Error('it has to be waited for')
    }
    return given.accessKeyId
  }
}

/** Until what was settled has been acted upon. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}

async function nameOf(given: S3Identity | Promise<S3Identity>): Promise<string> {
  return (await given).accessKeyId
}

/** The error for an identity that is not taken. */
function refusal(given: unknown): Error {
  try {
    const credentials = new Credentials(given as S3Identity, { bucket: 'b' })
    return new Error(`it was taken: ${JSON.stringify(credentials.get())}`)
  } catch (error) {
    return error as Error
  }
}

/** As the SDK throws it. */
function sdkError(name: string): Error {
  return Object.assign(new Error('no luck'), { name })
}

describe('an identity that is given', () => {
  const GIVEN = { accessKeyId: 'A', secretAccessKey: 'hush' }

  it('is there at once, for good', async () => {
    const credentials = new Credentials(GIVEN, { bucket: 'b' })
    expect(credentials.get()).toEqual(GIVEN)
    expect(credentials.get()).toBe(credentials.get())
    expect(await credentials.expired(credentials.get() as S3Identity)).toBe(false)
  })

  it('is used past its end: nothing else is there', () => {
    const credentials = new Credentials({ ...GIVEN, expiration: new Date(START - MINUTE) }, { bucket: 'b', now: () => START })
    expect(credentials.get()).toEqual(GIVEN)
  })

  it('keeps its token, but not an empty one', () => {
    expect(new Credentials({ ...GIVEN, sessionToken: 't' }, { bucket: 'b' }).get()).toEqual({ ...GIVEN, sessionToken: 't' })
    expect(new Credentials({ ...GIVEN, sessionToken: '' }, { bucket: 'b' }).get()).toEqual(GIVEN)
  })

  it.each<[string, unknown]>([
    ['is none', 'hush'],
    ['has no key id', { secretAccessKey: 'hush' }],
    ['has an empty key id', { ...GIVEN, accessKeyId: '' }],
    ['has no secret', { accessKeyId: 'hush' }],
    ['has a secret that is no text', { accessKeyId: 'hush', secretAccessKey: 1 }],
    ['has a line break after its key id', { ...GIVEN, accessKeyId: 'hush\n' }],
    ['has a token that is no text', { ...GIVEN, sessionToken: { hush: 'hush' } }],
    ['has a line break in its token', { ...GIVEN, sessionToken: 'hush\r\nhush' }],
  ])('is refused when it %s, without telling it', (_what, given) => {
    const error = refusal(given)
    expect(error).toBeInstanceOf(ConfigurationError)
    expect(String(error.stack)).not.toContain('hush')
  })
})

describe('the first load', () => {
  it('is waited for, once, by everybody', async () => {
    const bench = new Bench()
    const waiting = Array.from({ length: 50 }, () => bench.credentials.get())
    bench.answer('A')
    expect(new Set(await Promise.all(waiting.map(nameOf)))).toEqual(new Set(['A']))
    expect(bench.loads).toEqual([undefined])
    expect(bench.atOnce).toBe('A')
  })

  it('tells each request on its own when it fails, and is tried again by the next', async () => {
    const bench = new Bench()
    const waiting = [bench.credentials.get(), bench.credentials.get()].map((given) =>
      Promise.resolve(given).catch((error: unknown) => error),
    )
    bench.fail(sdkError('CredentialsProviderError'))
    const [one, other] = await Promise.all(waiting)
    expect(one).toMatchObject({ code: 'unauthenticated' })
    expect(other).toMatchObject({ code: 'unauthenticated' })
    expect(other).not.toBe(one)

    const next = bench.credentials.get()
    bench.answer('A')
    expect(await nameOf(next)).toBe('A')
  })

  it('shares no error of ours between requests', async () => {
    const bench = new Bench()
    const waiting = [bench.credentials.get(), bench.credentials.get()].map((given) =>
      Promise.resolve(given).catch((error: unknown) => error),
    )
    bench.fail(new UnavailableError('the vault is sealed', { retryable: false }))
    const [one, other] = await Promise.all(waiting)
    expect(one).toBeInstanceOf(UnavailableError)
    expect(one).toMatchObject({ reason: 'the vault is sealed', retryable: false })
    expect(other).not.toBe(one)
  })

  it.each<[string, LoadIdentity]>([
    [
      'throws at once',
      () => {
        throw new UnavailableError('at once')
      },
    ],
    ['rejects', () => Promise.reject(new UnavailableError('rejected'))],
  ])('fails as a rejection when the source %s', async (_what, load) => {
    const given = new Credentials(load, { bucket: 'b' }).get()
    expect(given).toHaveProperty('then')
    await expect(given).rejects.toMatchObject({ code: 'unavailable' })
  })

  it.each([undefined, null, 'hush', {}, { accessKeyId: 'hush' }, { accessKeyId: 'hush\n', secretAccessKey: 'hush' }])(
    'refuses %j',
    async (given) => {
      const bench = new Bench()
      const waiting = Promise.resolve(bench.credentials.get()).catch((error: unknown) => error)
      bench.answerWith(given)
      const error = (await waiting) as Error
      expect(error).toMatchObject({ code: 'configuration' })
      expect(`${error.message}${String(error.cause)}`).not.toContain('hush')
    },
  )

  it('is left to the others by a request that is aborted', async () => {
    const bench = new Bench()
    const controller = new AbortController()
    const aborted = Promise.resolve(bench.credentials.get(controller.signal)).catch((error: unknown) => error)
    const waiting = bench.credentials.get()
    controller.abort('enough')
    expect(await aborted).toBe('enough')
    bench.answer('A')
    expect(await nameOf(waiting)).toBe('A')
    expect(bench.loads).toHaveLength(1)
  })

  it('leaves nothing behind on the signal of a request that waited', async () => {
    const bench = new Bench()
    const { signal } = new AbortController()
    const waiting = bench.credentials.get(signal)
    await settled()
    expect(getEventListeners(signal, 'abort')).toHaveLength(1)
    bench.answer('A')
    await waiting
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
  })

  it('is not begun for a request that was aborted before', async () => {
    const bench = new Bench()
    await expect(bench.credentials.get(AbortSignal.abort('enough'))).rejects.toBe('enough')
    expect(bench.loads).toHaveLength(0)
  })
})

describe('an identity that ends', () => {
  it('is used until five minutes before', async () => {
    const bench = await Bench.loaded(60 * MINUTE)
    bench.now = START + 55 * MINUTE - 1
    expect(bench.atOnce).toBe('A')
    expect(bench.loads).toHaveLength(1)
  })

  it('is then renewed in the background, once, while it is used', async () => {
    const bench = await Bench.loaded(60 * MINUTE)
    bench.now = START + 55 * MINUTE
    expect([bench.atOnce, bench.atOnce, bench.atOnce]).toEqual(['A', 'A', 'A'])
    expect(bench.loads).toEqual([undefined, { forceRefresh: true }])
    bench.answer('B', 60 * MINUTE)
    await settled()
    expect(bench.atOnce).toBe('B')
    bench.now += 55 * MINUTE - 1
    expect(bench.atOnce).toBe('B')
    expect(bench.loads).toHaveLength(2)
  })

  it('is waited for in its last minute', async () => {
    const bench = await Bench.loaded(60 * MINUTE)
    bench.now = START + 59 * MINUTE
    const waiting = [bench.credentials.get(), bench.credentials.get()]
    bench.answer('B', 60 * MINUTE)
    expect(await Promise.all(waiting.map(nameOf))).toEqual(['B', 'B'])
    expect(bench.loads).toHaveLength(2)
  })

  it('is waited for when the renewal in the background takes into the last minute', async () => {
    const bench = await Bench.loaded(60 * MINUTE)
    bench.now = START + 56 * MINUTE
    expect(bench.atOnce).toBe('A')
    bench.now = START + 59 * MINUTE
    const waiting = bench.credentials.get()
    bench.answer('B', 60 * MINUTE)
    expect(await nameOf(waiting)).toBe('B')
    expect(bench.loads).toHaveLength(2)
  })

  it('is used on when a renewal fails, which is tried again after some seconds', async () => {
    const bench = await Bench.loaded(60 * MINUTE)
    bench.now = START + 56 * MINUTE
    expect(bench.atOnce).toBe('A')
    bench.fail(sdkError('CredentialsProviderError'))
    await settled()
    bench.now += 9 * SECOND
    expect(bench.atOnce).toBe('A')
    expect(bench.loads).toHaveLength(2)
    bench.now += SECOND
    expect(bench.atOnce).toBe('A')
    expect(bench.loads).toHaveLength(3)
  })

  it('is used on in its last minute too, when the renewal fails', async () => {
    const bench = await Bench.loaded(60 * MINUTE)
    bench.now = START + 60 * MINUTE - 5 * SECOND
    const waiting = bench.credentials.get()
    bench.fail(sdkError('CredentialsProviderError'))
    expect(await nameOf(waiting)).toBe('A')
    expect(bench.atOnce).toBe('A')
    bench.now = START + 60 * MINUTE
    const late = Promise.resolve(bench.credentials.get()).catch((error: unknown) => error)
    bench.fail(sdkError('CredentialsProviderError'))
    expect(await late).toMatchObject({ code: 'unauthenticated' })
  })

  it('is no longer used when it is over; every request tries', async () => {
    const bench = await Bench.loaded(60 * MINUTE)
    bench.now = START + 61 * MINUTE
    const refused = Promise.resolve(bench.credentials.get()).catch((error: unknown) => error)
    bench.fail(sdkError('CredentialsProviderError'))
    expect(await refused).toMatchObject({ code: 'unauthenticated' })
    const waiting = bench.credentials.get()
    bench.answer('B')
    expect(await nameOf(waiting)).toBe('B')
  })

  it('is used right after it was loaded, whatever it says: the clock of this machine may be ahead', async () => {
    const bench = await Bench.loaded(-60 * MINUTE)
    bench.now += 9 * SECOND
    expect(bench.atOnce).toBe('A')
    bench.now += SECOND
    const waiting = bench.credentials.get()
    bench.answer('B', -60 * MINUTE)
    expect(await nameOf(waiting)).toBe('B')
    expect(bench.atOnce).toBe('B')
  })

  it('stays the same object when a renewal brings the same', async () => {
    const bench = await Bench.loaded(60 * MINUTE)
    const before = bench.credentials.get()
    bench.now = START + 59 * MINUTE
    const waiting = bench.credentials.get()
    bench.answer('A', 60 * MINUTE)
    expect(await waiting).toBe(before)
    bench.now += 54 * MINUTE
    expect(bench.credentials.get()).toBe(before)
    expect(bench.loads).toHaveLength(2)
  })

  it.each<[string, unknown]>([
    ['a text', new Date(START + 60 * MINUTE).toISOString()],
    ['a number', START + 60 * MINUTE],
  ])('says so in %s as well', async (_kind, expiration) => {
    const bench = new Bench()
    const first = bench.credentials.get()
    bench.answerWith({ ...identity('A'), expiration })
    await first
    bench.now = START + 55 * MINUTE
    expect(bench.atOnce).toBe('A')
    expect(bench.loads).toHaveLength(2)
  })

  it.each<[string, unknown]>([
    ['no end', undefined],
    ['an end that is null', null],
    ['an end that cannot be read', 'soon'],
    ['a date that is none', new Date(Number.NaN)],
  ])('is used for good with %s', async (_kind, expiration) => {
    const bench = new Bench()
    const first = bench.credentials.get()
    bench.answerWith({ ...identity('A'), expiration })
    await first
    bench.now = START + 1_000_000 * MINUTE
    expect(bench.atOnce).toBe('A')
    expect(bench.loads).toHaveLength(1)
  })
})

describe('an identity that the store refuses as expired', () => {
  it('is renewed once for fifty requests, which are all worth repeating', async () => {
    const bench = await Bench.loaded()
    const used = await bench.credentials.get()
    const asked = Array.from({ length: 50 }, () => bench.credentials.expired(used))
    bench.answer('B')
    expect(new Set(await Promise.all(asked))).toEqual(new Set([true]))
    expect(bench.atOnce).toBe('B')
    expect(bench.loads).toEqual([undefined, { forceRefresh: true }])
  })

  it('is not renewed again by an answer that comes late', async () => {
    const bench = await Bench.loaded()
    const used = await bench.credentials.get()
    const asked = bench.credentials.expired(used)
    bench.answer('B')
    await asked
    expect(await bench.credentials.expired(used)).toBe(true)
    expect(bench.loads).toHaveLength(2)
  })

  it.each<[string, (bench: Bench) => void]>([
    ['the same identity comes', (bench) => bench.answer('A')],
    ['the renewal fails', (bench) => bench.fail(sdkError('CredentialsProviderError'))],
  ])('is not worth repeating when %s, nor worth asking for again at once', async (_what, end) => {
    const bench = await Bench.loaded()
    const used = await bench.credentials.get()
    const asked = [bench.credentials.expired(used), bench.credentials.expired(used)]
    end(bench)
    expect(await Promise.all(asked)).toEqual([false, false])
    expect(await bench.credentials.expired(used)).toBe(false)
    expect(bench.loads).toHaveLength(2)
    bench.now += 10 * SECOND
    const again = bench.credentials.expired(used)
    bench.answer('B')
    expect(await again).toBe(true)
    expect(bench.loads).toHaveLength(3)
  })

  it('does not hold up a new one that is refused as well', async () => {
    const bench = await Bench.loaded(60 * MINUTE)
    const used = await bench.credentials.get()
    bench.now = START + 60 * MINUTE - 3 * SECOND
    const refused = bench.credentials.expired(used)
    bench.fail(sdkError('CredentialsProviderError'))
    expect(await refused).toBe(false)
    bench.now += 3 * SECOND
    const next = bench.credentials.get()
    bench.answer('B')
    const asked = bench.credentials.expired(await next)
    bench.answer('C')
    expect(await asked).toBe(true)
  })

  it('joins the renewal that is under way', async () => {
    const bench = await Bench.loaded(60 * MINUTE)
    const used = await bench.credentials.get()
    bench.now = START + 56 * MINUTE
    expect(bench.atOnce).toBe('A')
    const asked = bench.credentials.expired(used)
    bench.answer('B', 60 * MINUTE)
    expect(await asked).toBe(true)
    expect(bench.loads).toHaveLength(2)
  })

  it('is renewed for the others when the one that asked is aborted', async () => {
    const bench = await Bench.loaded()
    const used = await bench.credentials.get()
    const controller = new AbortController()
    const aborted = bench.credentials.expired(used, controller.signal).catch((error: unknown) => error)
    const asked = bench.credentials.expired(used)
    controller.abort('enough')
    expect(await aborted).toBe('enough')
    bench.answer('B')
    expect(await asked).toBe(true)
    expect(bench.loads).toHaveLength(2)
  })
})
