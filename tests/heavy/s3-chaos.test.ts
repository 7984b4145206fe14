/**
 * Ten thousand calls over a store that resets, refuses and stalls, held against what the store wrote down: every call ends, in success
 * or in an error of ours; a write under a condition is carried out at most once, and who made it is told the truth.
 */
import { createHash, randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { Disk } from '../../src/disk.ts'
import { S3Driver } from '../../src/drivers/s3/s3-driver.ts'
import { type Arrival, type Carried, JournalServer, type Misfortune } from '../support/s3-journal.ts'
import { pick, seeded } from '../support/seeded.ts'
import { Calls, type Ending, type Own } from './s3-chaos-calls.ts'

const SEED = Number(process.env['STOWAGE_TEST_SEED'] ?? randomInt(2 ** 31))
const [WORKERS, CALLS] = [20, 500]
const MAX_SOCKETS = 24
/** Far more than all of it takes. */
const LIMIT_MS = 8 * 60_000

const RESETS = ['reset before it is read', 'reset while it is read', 'reset after it was done', 'reset in the answer'] as const
const STALLS = ['stalled unread', 'stalled after it was done', 'stalled in the answer'] as const
const FORTUNES: readonly (readonly [Misfortune | undefined, number])[] = [
  [undefined, 87],
  ...RESETS.map((each) => [each, 5 / RESETS.length] as const),
  ['refused', 5],
  ['answered by a gateway after it was done', 1],
  ...STALLS.map((each) => [each, 2 / STALLS.length] as const),
]

describe(`10,000 calls through 5 % resets, 5 % refusals, 2 % stalls and 1 % broken gateways, with the seed ${SEED}`, () => {
  let server: JournalServer
  let calls: Calls
  let owned: readonly Own[]
  let disk: Disk
  let isQuiet = false
  /** What was carried out, by the name of the write. */
  const carried = new Map<string, Carried[]>()

  beforeAll(async () => {
    const [chance, random] = [seeded(SEED), seeded(SEED + 1)]
    server = await JournalServer.start({ random, misfortune: () => (isQuiet ? undefined : pick(chance, FORTUNES)) })
    disk = diskOf(server.endpoint)
    calls = new Calls(disk, seeded(SEED + 2))
    const began = performance.now()
    const working = Promise.all(Array.from({ length: WORKERS }, (_, worker) => calls.work(worker, CALLS)))
    owned = (await Promise.race([working, sleep(LIMIT_MS, undefined, { ref: false })])) ?? []
    isQuiet = true
    await server.settled()
    for (const entry of server.journal) {
      const op = nameOf(entry)
      if (op !== undefined) carried.set(op, [...(carried.get(op) ?? []), entry])
    }
    const seconds = ((performance.now() - began) / 1_000).toFixed(1)
    const { opened } = server.connections
    console.log(
      `seed ${SEED}: ${server.arrivals.length} requests in ${seconds} s over ${opened} connections; ${server.journal.length} changes\n` +
        Array.from(calls.outcomes, ([outcome, count]) => `  ${outcome} ${count}`)
          .sort()

          .join('\n'),
    )
  })

  afterAll(async () => {
    await disk.close()
    await server.close()
  })

  it('all end, in success or in an error of ours', () => {
    expect([...calls.underWay]).toEqual([])
    expect(calls.violations).toEqual([])
    expect(server.arrivals.length).toBeGreaterThan(10_000)
    const met = new Set(server.arrivals.map(({ misfortune }) => misfortune))
    expect(met.size).toBe(FORTUNES.length)
  })

  it('nearly all succeed that may be made again', () => {
    const repeatable = [...calls.outcomes].filter(([outcome]) => !/if|append|given up/.test(outcome))
    const failed = repeatable.filter(([outcome]) => !/: (ok|not_found)$/.test(outcome))
    const count = (outcomes: typeof repeatable): number => outcomes.reduce((sum, [, times]) => sum + times, 0)
    expect(count(repeatable)).toBeGreaterThan(5_000)
    expect(count(failed)).toBeLessThan(count(repeatable) / 20)
  })

  const conditional = (): readonly Ending[] => calls.endings.filter(({ isConditional }) => isConditional)

  it('a write under a condition is carried out at most once, and its maker told the truth', () => {
    const wrong = conditional().flatMap((ending) => judged(ending, carried.get(ending.op) ?? []))
    expect(wrong).toEqual([])
    const outcomes = new Set(conditional().map(({ call, outcome }) => `${call}: ${outcome}`))
    for (const call of ['put ifAbsent', 'put ifMatch', 'append', 'upload ifAbsent']) {
      expect([...outcomes]).toEqual(expect.arrayContaining([`${call}: ok`, `${call}: unavailable`]))
    }
    const open = conditional().filter(({ op, outcome }) => outcome === 'unavailable' && carried.has(op))
    expect(open.length).toBeGreaterThan(0) // else no answer to one was lost
  })

  it('a write under a condition is not sent again once it may have been carried out', () => {
    const names = new Set(conditional().map(({ op }) => op))
    const commits = server.arrivals.filter(({ op, verb }) => op !== undefined && names.has(op) && COMMITS.has(verb))
    const again = commits.filter((arrival, at) => mayBeDone(arrival) && commits.slice(at + 1).some(({ op }) => op === arrival.op))
    expect(again).toEqual([])
  })

  it('another write that succeeded was carried out, with the content that was meant', () => {
    const others = calls.endings.filter(({ isConditional, outcome }) => !isConditional && outcome === 'ok')
    expect(others.filter(({ op }) => !carried.has(op))).toEqual([])
    const torn = [...carried].filter(
      ([op, entries]) => op.startsWith('p') && entries.some(({ sha256 }) => sha256 !== calls.intended.get(op)),
    )
    expect(torn).toEqual([])
  })

  it('every file holds in the end what was carried out last', async () => {
    const last = new Map(server.journal.map((entry) => [entry.key, entry]))
    const clean = diskOf(server.endpoint)
    for (const [key, { sha256 }] of last) {
      const bytes = await clean.getOrNull(key)
      expect([key, bytes === null ? undefined : createHash('sha256').update(bytes).digest('hex')]).toEqual([key, sha256])
    }
    for (const own of owned)
      for (const path of own.there()) expect([path, own.content(path)?.equals(await clean.get(path))]).toEqual([path, true])
    expect(await clean.allFiles()).toEqual(server.keys())
    await clean.close()
  })

  it('leave no upload but those that nobody knows of, or whose abortion failed', () => {
    const left = [...server.uploads.values()].filter(
      ({ isUnknown, aborted }) => !isUnknown && (aborted === 'never asked' || aborted === undefined),
    )
    expect(left).toEqual([])
  })

  it('leave no connection beyond the pool, and open one more only for one that broke', async () => {
    const broken = server.arrivals.filter(({ misfortune }) => misfortune !== undefined).length
    const givenUp = [...calls.outcomes].reduce((sum, [outcome, count]) => sum + (outcome.includes('given up') ? count : 0), 0)
    expect(server.connections.open).toBeLessThanOrEqual(MAX_SOCKETS)
    expect(server.connections.opened).toBeLessThanOrEqual(2 * MAX_SOCKETS + broken + givenUp) // twice: those of the disk of the test before
    await disk.close()
    while (server.connections.open > 0) await sleep(5)
  })
})

function diskOf(endpoint: string): Disk {
  const options = { bucket: 'chaos', region: 'us-east-1', endpoint, pathStyle: true, key: 'key', secret: 'secret' }
  return new Disk(
    new S3Driver({ ...options, transport: 'lean', maxSockets: MAX_SOCKETS, socketTimeoutMs: 1_000, partSize: 5 * 1024 * 1024 }),
  )
}

/** An addition is the last of its file; any other write has its name in the metadata. */
function nameOf({ op, tail }: Carried): string | undefined {
  const [, addition] = /<\/(\+\d{7})>$/.exec(tail ?? '') ?? []
  return addition ?? op
}

/** What is wrong with how a write under a condition ended. */
function judged({ op, call, outcome, message, etag }: Ending, entries: readonly Carried[]): readonly string[] {
  const times = entries.length
  const what = `${call} ${op}: ${outcome}, carried out ${times} times`
  if (times > 1) return [what]
  if (outcome === 'ok') return times === 1 && (etag === undefined || etag === entries[0]?.etag) ? [] : [what]
  if (outcome !== 'unavailable') return times === 0 ? [] : [what]
  return times === 0 || message.includes('whether it was carried out is not known') ? [] : [`${what}: ${message}`]
}

const COMMITS: ReadonlySet<string> = new Set(['PutObject', 'CompleteMultipartUpload'])

/** As far as the client can know. */
function mayBeDone({ misfortune, waits }: Arrival): boolean {
  if (waits && misfortune === 'reset before it is read') return false // it has seen no leave to send the body
  return misfortune !== undefined && misfortune !== 'refused'
}
