/** The purge APIs of five networks on this machine, as strict as their documentation: formats, keys, batch sizes and rates. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { CdnProvider } from '../../../src/decorators/cdn/providers.ts'
import { listen } from '../../support/listen.ts'

export type ProviderType = CdnProvider['type']
/** How the next request is answered: a status, silence, or a broken connection. `taken`: it is done all the same. */
export type Fault = { readonly status: number; readonly retryAfter?: string; readonly taken?: boolean } | 'silence' | 'reset'

export interface PurgeServer {
  readonly provider: CdnProvider
  /** What was purged, as the provider has it, in order. */
  readonly purged: string[]
  /** Requests that came, whatever became of them. */
  readonly requests: { readonly targets: readonly string[]; readonly reference: string | undefined; readonly status: number }[]
  /** Requests that broke a rule or a limit. */
  readonly violations: string[]
  readonly faults: Fault[]
  close(): Promise<void>
}

export const KEYS = {
  cloudfront: { distributionId: 'D1', credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'top-secret-key' } },
  bunny: { apiKey: 'top-secret-key' },
  cloudflare: { zoneId: 'zone-1', apiToken: 'top-secret-key' },
  fastly: { serviceId: 'svc-1', apiToken: 'top-secret-key' },
  spaces: { endpointId: 'ep-1', apiToken: 'top-secret-key' },
} as const

interface Asked {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** What a request asks for; a string: what is wrong with it. */
type Parsed = { readonly targets: readonly string[]; readonly reference?: string } | string

const HOST = 'cdn.example.com'
const ENCODED = /^\/(?:[\w.~/-]|%[0-9A-F]{2})*$/

const PARSERS: Readonly<Record<ProviderType, (asked: Asked) => Parsed>> = {
  cloudfront: ({ method, url, headers, body }) => {
    if (method !== 'POST' || url !== '/2020-05-31/distribution/D1/invalidation') return `no such call: ${method} ${url}`
    if (!headers['authorization']?.includes('AKIDEXAMPLE/')) return 'not signed'
    const items = [...body.matchAll(/<Path>(.*?)<\/Path>/g)].map(([, path]) => path as string)
    const quantity = Number(/<Quantity>(\d+)</.exec(body)?.[1])
    if (quantity !== items.length || items.length > 3_000) return 'wrong quantity'
    const bad = items.find((path) => !ENCODED.test(path.replace(/\*$/, '')))
    if (bad !== undefined) return `bad path ${bad}`
    return { targets: items, reference: /<CallerReference>(.*?)</.exec(body)?.[1] ?? '' }
  },
  bunny: ({ method, url, headers }) => {
    const { pathname, searchParams } = new URL(url, 'http://x')
    if (method !== 'POST' || pathname !== '/purge') return `no such call: ${method} ${url}`
    if (headers['accesskey'] !== 'top-secret-key') return 'no key'
    const target = searchParams.get('url') ?? ''
    return ENCODED.test(target.replace(`https://${HOST}`, '').replace(/\*$/, '')) ? { targets: [target] } : `bad address ${target}`
  },
  cloudflare: ({ method, url, headers, body }) => {
    if (method !== 'POST' || url !== '/client/v4/zones/zone-1/purge_cache') return `no such call: ${method} ${url}`
    if (headers['authorization'] !== 'Bearer top-secret-key') return 'no token'
    const [[kind, items] = [], ...more] = Object.entries(JSON.parse(body) as Readonly<Record<string, readonly string[]>>)
    if (more.length > 0 || items === undefined) return 'one kind a request'
    if (items.length > 100) return 'more than 100'
    if (kind === 'prefixes' && items.some((item) => item.includes('://'))) return 'a prefix has no scheme'
    return { targets: items.map((item) => (kind === 'files' ? item : `${kind}:${item}`)) }
  },
  fastly: ({ method, url, headers }) => {
    if (headers['fastly-key'] !== 'top-secret-key') return 'no token'
    if (method === 'POST' && url === '/service/svc-1/purge_all') return { targets: ['*'] }
    if (method !== 'POST' || !url.startsWith(`/purge/${HOST}/`)) return `no such call: ${method} ${url}`
    return { targets: [url.slice('/purge/'.length)] }
  },
  spaces: ({ method, url, headers, body }) => {
    if (method !== 'DELETE' || url !== '/v2/cdn/endpoints/ep-1/cache') return `no such call: ${method} ${url}`
    if (headers['authorization'] !== 'Bearer top-secret-key') return 'no token'
    const { files } = JSON.parse(body) as { readonly files: readonly string[] }
    return files.length > 0 && files.length <= 50 && files.every((file) => !file.startsWith('/')) ? { targets: files } : 'bad files'
  },
}

/** Counts what was used within a stretch of time; a bucket that gains while it is used is given that, too. */
class Allowance {
  readonly #amount: number
  readonly #windowMs: number
  readonly #perSecond: number
  readonly #began = Date.now()
  #used: readonly (readonly [at: number, amount: number])[] = []

  constructor(amount: number, windowMs: number, perSecond = 0) {
    this.#amount = amount
    this.#windowMs = windowMs
    this.#perSecond = perSecond
  }

  take(amount: number): boolean {
    const now = Date.now()
    this.#used = this.#used.filter(([at]) => at + this.#windowMs > now)
    const used = this.#used.reduce((sum, [, more]) => sum + more, 0)
    const gained = ((now - this.#began) / 1_000) * this.#perSecond
    if (used + amount > this.#amount + gained + 0.5) return false
    this.#used = [...this.#used, [now, amount]]
    return true
  }
}

const HOUR = 3_600_000
const isWild = (target: string): boolean => /\*$|^(?:prefixes|hosts):/.test(target)
const wild = (targets: readonly string[]): number => targets.filter(isWild).length
const plain = (targets: readonly string[]): number => targets.length - wild(targets)

function allowancesOf(type: ProviderType): (targets: readonly string[]) => boolean {
  const limits: Readonly<Record<ProviderType, readonly (readonly [Allowance, (targets: readonly string[]) => number])[]>> = {
    cloudfront: [
      [new Allowance(3_000, HOUR), plain],
      [new Allowance(15, HOUR), wild],
    ],
    bunny: [
      [new Allowance(120, HOUR, 5), plain],
      [new Allowance(20, HOUR, 0.5), wild],
    ],
    cloudflare: [
      [new Allowance(25, HOUR, 5 / 60), (targets) => Number(wild(targets) > 0)],
      [new Allowance(800, HOUR, 800), plain],
    ],
    fastly: [[new Allowance(100_000, HOUR), () => 1]],
    spaces: [
      [new Allowance(50, 20_000), ({ length }) => length],
      [new Allowance(5, 10_000), () => 1],
    ],
  }
  return (targets) => limits[type].every(([allowance, cost]) => allowance.take(cost(targets)))
}

export async function purgeServer(type: ProviderType): Promise<PurgeServer> {
  const server: Omit<PurgeServer, 'provider' | 'close'> = { purged: [], requests: [], violations: [], faults: [] }
  const allows = allowancesOf(type)
  const references = new Map<string, string>()
  const inFlight = new Set<string>()

  const judge = ({ targets, reference }: Exclude<Parsed, string>): number => {
    const known = reference === undefined ? undefined : references.get(reference)
    if (known !== undefined && known !== targets.join(' ')) return violate('another batch with the same reference', 400)
    if (known !== undefined) return 201 // The first invalidation is given back.
    if (!allows(targets)) return violate('too many', 429)
    if (reference !== undefined) references.set(reference, targets.join(' '))
    server.purged.push(...targets)
    return type === 'cloudfront' ? 201 : 200
  }
  const violate = (what: string, status: number): number => {
    server.violations.push(what)
    return status
  }

  const answer = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = []
    for await (const chunk of req) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks).toString()
    const headers = Object.fromEntries(Object.entries(req.headers).map(([name, value]) => [name, String(value)]))
    const parsed = PARSERS[type]({ method: req.method ?? '', url: req.url ?? '', headers, body })
    const targets = typeof parsed === 'string' ? [] : parsed.targets
    const fault = server.faults.shift()
    const record = (status: number): void =>
      void server.requests.push({ targets, reference: typeof parsed === 'string' ? undefined : parsed.reference, status })
    if (fault === 'silence') return record(0)
    if (fault === 'reset') {
      record(0)
      return void req.socket.destroy()
    }
    if (fault !== undefined) {
      if (fault.taken === true && typeof parsed !== 'string') judge(parsed)
      record(fault.status)
      return void res.writeHead(fault.status, fault.retryAfter === undefined ? {} : { 'Retry-After': fault.retryAfter }).end('{}')
    }
    const status = await judged(parsed, body)
    record(status)
    res.writeHead(status, { 'Content-Type': type === 'cloudfront' ? 'text/xml' : 'application/json' }).end(answerOf(type))
  }

  /** The same request twice at once is refused, as DigitalOcean does. */
  const judged = async (parsed: Parsed, body: string): Promise<number> => {
    if (typeof parsed === 'string') return violate(parsed, 400)
    if (type === 'spaces' && inFlight.has(body)) return violate('the same request at once', 429)
    inFlight.add(body)
    await new Promise(setImmediate)
    inFlight.delete(body)
    return judge(parsed)
  }

  const listening = await listen((req, res) => void answer(req, res))
  return { ...server, provider: { type, apiUrl: listening.origin, ...KEYS[type] } as CdnProvider, close: () => listening.close() }
}

function answerOf(type: ProviderType): string {
  if (type !== 'cloudfront') return '{"success":true}'
  return '<Invalidation><Id>I1</Id><Status>InProgress</Status><CreateTime>2026-01-01T00:00:00Z</CreateTime></Invalidation>'
}

/** One that takes everything, for whoever looks at other things. */
export async function acceptingPurger(): Promise<Pick<PurgeServer, 'provider' | 'close'>> {
  const listening = await listen((req, res) => {
    req.resume()
    res.end('{}')
  })
  return { provider: { type: 'cloudflare', apiUrl: listening.origin, ...KEYS.cloudflare }, close: () => listening.close() }
}
