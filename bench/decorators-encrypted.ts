/**
 * What encryption costs: streams through an encrypted disk beside the bare loop of the same cipher over `node:crypto`, beside npm
 * age-encryption, and beside the tools `age` and `rclone crypt`, which read and write files.
 *
 *   npm ci --prefix bench && npm run build && node bench/decorators-encrypted.ts          BENCH_MIB=256 BENCH_ROUNDS=3
 *
 * In this process everything goes from memory to nowhere, in CPU time, so that other work of the machine falls out. The variants take
 * turns, and a figure is the median over the rounds. The tools are measured by the user time of their process, from tmpfs to tmpfs.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import type * as Core from '../src/index.ts'
import type { Content, Driver } from '../src/driver.ts'

const MIB = 1024 * 1024
const SIZE = Number(process.env['BENCH_MIB'] ?? 256) * MIB
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 5)
const CHUNK = randomBytes(MIB)
const TAG = { authTagLength: 16 } as const
const key = Buffer.alloc(32, 7)

const { encrypted } = (await import(new URL('../dist/index.js', import.meta.url).href)) as typeof Core
const PEER: string = 'age-encryption' // a name, so that the project itself does not depend on it
const age: AgeEncryption = await import(PEER)

interface AgeEncryption {
  readonly Encrypter: new () => {
    addRecipient(text: string): void
    encrypt(stream: ReadableStream<Uint8Array>): Promise<ReadableStream<Uint8Array>>
  }
  readonly Decrypter: new () => {
    addIdentity(text: string): void
    decrypt(stream: ReadableStream<Uint8Array>): Promise<ReadableStream<Uint8Array>>
  }
  generateIdentity(): Promise<string>
  identityToRecipient(identity: string): Promise<string>
}

type Format = 'age' | 'tink'
interface Variant {
  readonly name: string
  readonly bytes: number
  readonly run: () => Promise<number>
}

async function* source(bytes: number): AsyncGenerator<Uint8Array, undefined> {
  for (let sent = 0; sent < bytes; sent += MIB) yield CHUNK
}

/** A store that swallows what is written, and gives back one file. */
function sink(file: { bytes: Uint8Array[] }): Driver {
  const size = (): number => file.bytes.reduce((sum, chunk) => sum + chunk.byteLength, 0)
  const stat = () => ({ path: 'file', size: size(), lastModified: new Date(0) })
  return {
    supports: { metadata: false },
    name: 'sink',
    write: async (_path: string, content: Content) => {
      let written = 0
      for await (const chunk of content.stream()) {
        written += chunk.byteLength
        if (keep) file.bytes.push(Buffer.from(chunk))
      }
      return { size: written }
    },
    read: async () => ({
      stat: stat(),
      body: (async function* () {
        yield* file.bytes
      })(),
    }),
  } as unknown as Driver
}
let keep = false

async function drained(chunks: AsyncIterable<Uint8Array>): Promise<number> {
  let bytes = 0
  for await (const chunk of chunks) bytes += chunk.byteLength
  return bytes
}

/** The cipher alone: a key and a nonce per segment, and nothing around it. */
function bare(format: Format): { seal: () => Promise<number>; open: () => Promise<number> } {
  const keyObject: KeyObject = createSecretKey(key)
  const segment = CHUNK.subarray(0, format === 'age' ? 65_536 : MIB - 16)
  const count = Math.ceil(SIZE / segment.byteLength)
  const nonce = Buffer.alloc(12)
  const cipher = () =>
    format === 'age' ? createCipheriv('chacha20-poly1305', keyObject, nonce, TAG) : createCipheriv('aes-256-gcm', keyObject, nonce, TAG)
  const first = cipher()
  const sealed = Buffer.concat([first.update(segment), first.final()])
  const tag = first.getAuthTag()
  return {
    seal: async () => {
      let bytes = 0
      for (let index = 0; index < count; index++) {
        const sealing = cipher()
        bytes += sealing.update(segment).byteLength
        sealing.final()
        sealing.getAuthTag()
      }
      return bytes
    },
    open: async () => {
      let bytes = 0
      for (let index = 0; index < count; index++) {
        const opening =
          format === 'age'
            ? createDecipheriv('chacha20-poly1305', keyObject, nonce, TAG)
            : createDecipheriv('aes-256-gcm', keyObject, nonce, TAG)
        opening.setAuthTag(tag)
        bytes += opening.update(sealed).byteLength
        opening.final()
      }
      return bytes
    },
  }
}

async function ours(format: Format): Promise<{ seal: () => Promise<number>; open: () => Promise<number> }> {
  const file = { bytes: [] as Uint8Array[] }
  const driver = encrypted({ key: key.toString('base64'), format })(sink(file))
  const content = (): Content => ({ size: SIZE, replayable: true, bytes: undefined, stream: () => source(SIZE) })
  keep = true
  await driver.write('file', content(), {})
  keep = false
  const whole = Buffer.concat(file.bytes) // in chunks of 1 MiB, as a local disk gives them
  file.bytes = Array.from({ length: Math.ceil(whole.byteLength / MIB) }, (_, index) => whole.subarray(index * MIB, (index + 1) * MIB))
  return {
    seal: async () => (await driver.write('file', content(), {})).size,
    open: async () => drained((await driver.read('file', {})).body),
  }
}

/** A sixteenth of the bytes: it takes long enough. */
async function peer(): Promise<{ seal: () => Promise<number>; open: () => Promise<number>; bytes: number }> {
  const bytes = SIZE / 16
  const identity = await age.generateIdentity()
  const encrypter = new age.Encrypter()
  encrypter.addRecipient(await age.identityToRecipient(identity))
  const decrypter = new age.Decrypter()
  decrypter.addIdentity(identity)
  const web = (chunks: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> => ReadableStream.from<Uint8Array>(chunks)
  const sealed: Uint8Array[] = []
  for await (const chunk of await encrypter.encrypt(web(source(bytes)))) sealed.push(chunk)
  return {
    bytes,
    seal: async () => drained(await encrypter.encrypt(web(source(bytes)))),
    open: async () =>
      drained(
        await decrypter.decrypt(
          web(
            (async function* () {
              yield* sealed
            })(),
          ),
        ),
      ),
  }
}

/** MiB per second of CPU. */
async function speedOf({ run, bytes }: Variant): Promise<number> {
  const before = process.cpuUsage()
  const done = await run()
  const { user, system } = process.cpuUsage(before)
  if (done < bytes) throw new Error(`only ${done} of ${bytes} bytes came`)
  return bytes / MIB / ((user + system) / 1e6)
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

/** MiB per second of a tool's CPU, system time left out: that is what reading and writing the files takes. */
function toolSpeed(folder: string, command: string): number {
  // The second line of `times` is that of the children: user, system.
  const { stdout, status } = spawnSync('bash', ['-c', `${command} > /dev/null 2>&1 || exit 1; times`], { cwd: folder, encoding: 'utf8' })
  const [, minutes, seconds] = /^(\d+)m([\d.]+)s/.exec(stdout.split('\n')[1] ?? '') ?? []
  if (status !== 0 || seconds === undefined) throw new Error(`the tool failed: ${command.split(' ')[0]}`)
  return SIZE / MIB / (Number(minutes) * 60 + Number(seconds))
}

function tools(folder: string): Readonly<Record<string, () => number>> {
  writeFileSync(join(folder, 'plain'), Buffer.concat(Array.from({ length: SIZE / MIB }, () => CHUNK)))
  execFileSync('age-keygen', ['-o', join(folder, 'identity')], { stdio: 'ignore' })
  const recipient = execFileSync('age-keygen', ['-y', join(folder, 'identity')], { encoding: 'utf8' }).trim()
  const password = execFileSync('rclone', ['obscure', 'a password'], { encoding: 'utf8' }).trim()
  const remote = `:crypt,remote='${join(folder, 'crypt')}',password='${password}',filename_encryption=off:`
  return {
    'age CLI, encrypt': () => toolSpeed(folder, `age -r ${recipient} -o sealed plain`),
    'age CLI, decrypt': () => toolSpeed(folder, 'age -d -i identity -o opened sealed'),
    'rclone crypt, encrypt': () => toolSpeed(folder, `rclone --config /dev/null copyto --ignore-times plain "${remote}file"`),
    'rclone crypt, decrypt': () => toolSpeed(folder, `rclone --config /dev/null cat "${remote}file"`),
  }
}

const variants: Variant[] = []
for (const format of ['age', 'tink'] as const) {
  const [loop, disk] = [bare(format), await ours(format)]
  variants.push(
    { name: `node:crypto, ${format}, encrypt`, bytes: SIZE, run: loop.seal },
    { name: `stowage, ${format}, encrypt`, bytes: SIZE, run: disk.seal },
    { name: `node:crypto, ${format}, decrypt`, bytes: SIZE, run: loop.open },
    { name: `stowage, ${format}, decrypt`, bytes: SIZE, run: disk.open },
  )
}
const library = await peer()
variants.push({ name: 'age-encryption, encrypt', bytes: library.bytes, run: library.seal })
variants.push({ name: 'age-encryption, decrypt', bytes: library.bytes, run: library.open })

const folder = mkdtempSync('/dev/shm/stowage-bench-')
const speeds = new Map<string, number[]>()
const note = (name: string, speed: number): void => void speeds.set(name, [...(speeds.get(name) ?? []), speed])
try {
  const commands = Object.entries(tools(folder))
  for (let round = 0; round <= ROUNDS; round++) {
    for (const variant of variants) {
      const speed = await speedOf(variant)
      if (round > 0) note(variant.name, speed) // the first one warms up
    }
    if (round > 0) for (const [name, run] of commands) note(name, run())
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}

console.log(`Node ${process.version}, ${cpus()[0]?.model}, ${SIZE / MIB} MiB, median of ${ROUNDS} rounds\n`)
console.log('| | MiB per CPU second | times node:crypto, same cipher |\n|---|---:|---:|')
for (const [name, values] of speeds) {
  const [, format = 'age', direction = ''] = /(?:, (age|tink))?, (encrypt|decrypt)$/.exec(name) ?? []
  const reference = speeds.get(`node:crypto, ${format}, ${direction}`) ?? []
  const ratio = median(values.map((value, round) => value / (reference[round] ?? Number.NaN)))
  console.log(`| ${name} | ${median(values).toFixed(0)} | ${ratio.toFixed(2)} |`)
}
