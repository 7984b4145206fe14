/** A million requests of all kinds over one disk: its memory, its sockets and its connections are at the end what they were near the begin. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { Conditions } from '../../bench/null-server.ts'
import type { Report } from '../../bench/null-server-process.ts'
import type { Sample, Setup, SoakReport } from './s3-soak-process.ts'

/** Some are given up before anything is sent. */
const CALLS = 1_020_000
const [WORKERS, MAX_SOCKETS, SAMPLES] = [48, 32, 200]
/** Of half a million requests; what Node takes once, it has taken by then. 17 bytes that each of them left would be more. */
const MAX_GROWTH_MIB = 8
const MAX_HEAP_GROWTH_MIB = 4

describe('a million requests of all kinds', () => {
  let report: SoakReport
  let counted: Report
  let probed: Report
  let closed: Sample

  beforeAll(async () => {
    const server = start(join(import.meta.dirname, '../../bench/null-server-process.ts'))
    const [endpoint] = (await once(server, 'message')) as [string]
    const setup: Setup = { endpoint, calls: CALLS, workers: WORKERS, maxSockets: MAX_SOCKETS, samples: SAMPLES, seed: 1 }
    const client = start(join(import.meta.dirname, 's3-soak-process.ts'), setup)
    try {
      ;[report] = (await once(client, 'message')) as [SoakReport]
      counted = await told<Report>(server, { latencyMs: 100 } satisfies Partial<Conditions>)
      closed = (await told<{ probe: Sample }>(client, 'probe')).probe
      probed = await told<Report>(server, {})
    } finally {
      client.kill('SIGKILL')
      server.kill('SIGKILL')
    }
    const rss = tenths(report.samples.map(({ rssMiB }) => rssMiB))
    console.log(
      `${total(counted)} requests in ${report.seconds.toFixed(0)} s over ${counted.connections} connections, ${report.givenUp} calls given up\n` +
        `resident, in tenths: ${rss.map((mib) => mib.toFixed(1)).join(' ')} MiB; heap ${report.heapMiB.map((mib) => mib.toFixed(1)).join(' → ')} MiB`,
    )
  })

  it('are a million, of all kinds, and each ends as it should', () => {
    expect(report.wrong).toEqual([])
    expect(total(counted)).toBeGreaterThanOrEqual(1_000_000)
    const { PutObject, GetObject, HeadObject, DeleteObject, DeleteObjects, ListObjectsV2, CompleteMultipartUpload } = counted.requests
    for (const requests of [PutObject, GetObject, HeadObject, DeleteObject, DeleteObjects, ListObjectsV2, CompleteMultipartUpload])
      expect(requests).toBeGreaterThan(1_000)
    expect(counted.openUploads).toBe(0)
  })

  it(`do not make the memory grow: the last tenth is within ${MAX_GROWTH_MIB} MiB of the fifth`, () => {
    const rss = tenths(report.samples.map(({ rssMiB }) => rssMiB))
    expect((rss.at(9) ?? Number.NaN) - (rss.at(4) ?? Number.NaN)).toBeLessThan(MAX_GROWTH_MIB)
    expect(report.heapMiB[1] - report.heapMiB[0]).toBeLessThan(MAX_HEAP_GROWTH_MIB)
  })

  it('never have more sockets than they may, and make a new connection only for a call that was given up', () => {
    expect(report.samples).toHaveLength(SAMPLES)
    expect(Math.max(...report.samples.map(({ sockets }) => sockets))).toBeLessThanOrEqual(MAX_SOCKETS)
    expect(counted.connections).toBeLessThanOrEqual(MAX_SOCKETS + report.givenUp)
  })

  it('give back every connection: as many calls as there are can be under way at once, and none is left when the disk is closed', () => {
    expect(probed.peakRequests).toBe(MAX_SOCKETS)
    expect(closed.sockets).toBe(0)
  })

  const processes: ChildProcess[] = []
  afterAll(() => {
    for (const each of processes) each.kill('SIGKILL')
  })

  function start(file: string, setup?: Setup): ChildProcess {
    const args = setup === undefined ? [] : [JSON.stringify(setup)]
    const started = fork(file, args, { execArgv: ['--disable-warning=ExperimentalWarning', '--expose-gc'] })
    processes.push(started)
    return started
  }
})

async function told<T>(child: ChildProcess, question: object | string): Promise<T> {
  const heard = once(child, 'message')
  child.send(question)
  const [reply] = (await heard) as [T]
  return reply
}

function total({ requests }: Report): number {
  return Object.values(requests).reduce((sum, count) => sum + count, 0)
}

/** The medians of the tenths of a run. */
function tenths(values: readonly number[]): readonly number[] {
  const length = values.length / 10
  return Array.from({ length: 10 }, (_, tenth) => median(values.slice(Math.round(tenth * length), Math.round((tenth + 1) * length))))
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}
