/** What a run of the S3 benchmark found, as its JSON has it, and the figures that the tables, the judgement and the chart are made of. */
import type { Report } from './null-server-process.ts'
import type { Loads } from './s3-loads.ts'
import type { S3Measurement, S3Task } from './s3-worker.ts'

/** The bare SDK as its documentation shows it: what the others are compared with. */
export const REFERENCE = 'sdk'
/** Libraries on top of that SDK. */
export const PEERS: readonly string[] = ['flydrive', 'flystorage', 'files-sdk']

export type Part = 'small' | 'streams' | 'capped' | 'latency' | 'lists'

export interface Results {
  /** Of Node, the processor, the SDK; how many rounds and when. */
  readonly machine: string
  /** Names and versions of the others. */
  readonly libraries: string
  /** Processes that wanted to run, before the first of this benchmark and while it ran; it makes about two itself. */
  readonly load: { readonly before: number; readonly most: number }
  readonly minutes: number
  readonly checks: Readonly<Record<string, Checks>>
  readonly rows: readonly Row[]
  readonly cold: Readonly<Record<string, readonly Cold[]>>
  readonly loads: Readonly<Record<string, Loads>>
}

/** Who checks what, as the server saw it. */
export interface Checks {
  readonly putSigned: boolean
  readonly putChecksum: boolean
  /** Undefined where there are no uploads of unknown length. */
  readonly partSigned: boolean | undefined
  readonly partChecksum: boolean | undefined
  readonly getAsks: boolean
  readonly getRefuses: boolean
  readonly downloadRefuses: boolean
}

export type Sample = S3Measurement & Report

export interface Row {
  readonly part: Part
  readonly title: string
  /** Of each answer of the server. */
  readonly latencyMs: number
  readonly task: S3Task
  /** By client, in the order of the columns. A client that cannot do it has one sample, with an error. */
  readonly samples: Readonly<Record<string, readonly Sample[]>>
}

export interface Cold {
  readonly importMs: number
  readonly firstMs: number
  readonly cpuMs: number
  readonly rssMb: number
  readonly wallMs: number
}

/** What is left when a client takes no time at all: the waits that cannot be at once. Undefined where the server does not make it wait. */
export function idealMs({ task, latencyMs }: Row): number | undefined {
  if (latencyMs === 0) return undefined
  if ('concurrency' in task) return task.count === undefined ? undefined : Math.ceil(task.count / task.concurrency) * latencyMs
  // 1,000 keys in a request or a page, and the next page is known by the one before.
  return 'count' in task ? Math.ceil(task.count / 1_000) * latencyMs : undefined
}

/** NaN of no values. */
export function median(values: readonly number[]): number {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const [low = Number.NaN, high = Number.NaN] = [sorted[sorted.length % 2 === 0 ? middle - 1 : middle], sorted[middle]]
  return (low + high) / 2
}

export function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length)
}

/** A figure of one sample; `reference` is the one of the same round that it is compared with. */
export type Figure = (sample: Sample, reference: Sample) => number

/** The median over the rounds; NaN where one of them failed or was not run. */
export function figure(row: Row, name: string, of: Figure, reference: string = REFERENCE): number {
  const own = row.samples[name] ?? []
  if (own.some(({ ms }) => ms === undefined)) return Number.NaN
  const base = row.samples[reference] ?? []
  return median(own.map((sample, round) => (base[round] === undefined ? Number.NaN : of(sample, base[round]))))
}

/** How often as many operations, bytes or keys in the same time. */
export const speedRatio: Figure = (sample, reference) => rate(sample) / rate(reference)

/** CPU time of the client's process for the same. */
export const cpuRatio: Figure = (sample, reference) => cpuOf(sample) / cpuOf(reference)

/** A sample's own figure, whatever the reference did. */
export function own(row: Row, name: string, of: (sample: Sample) => number): number {
  return figure(row, name, of, name)
}

export function rate({ ms = Number.NaN, result }: Sample): number {
  return result / ms
}

function cpuOf({ cpuMs, result }: Sample): number {
  return cpuMs / result
}

/** Of one core of the machine, what the server used of it. */
export function serverShare({ ms = Number.NaN, serverCpuMs }: Sample): number {
  return serverCpuMs / ms
}

export function coldFigure(results: Results, name: string, of: (sample: Cold) => number): number {
  return median((results.cold[name] ?? []).map(of))
}
