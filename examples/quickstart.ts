/**
 * The main job, once through: real files on the local disk of config/filesystems.ts, a stream of 200 MB, a listing, a signed URL
 * that is fetched over HTTP, and a fake with assertions. It says what it does, keeps the small files and deletes the large one.
 *
 *   npm start
 */
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Disk, Storage, UnavailableError } from 'stowage'
import { createHandler, toNodeHandler } from 'stowage/http'

const MB = 1_000_000
const LARGE = 'quickstart/large.bin'

say('Setting up')
// What an app has in its environment. Set for this process only: nothing is written to your shell or your files.
const server = createServer(toNodeHandler(createHandler(Storage)))
await once(server.listen(0, '127.0.0.1'), 'listening')
process.env['STORAGE_BASE_URL'] = `http://127.0.0.1:${(server.address() as AddressInfo).port}/storage`
process.env['STORAGE_URL_SECRET'] = randomBytes(32).toString('base64url')
process.env['FILESYSTEM_DISK'] = 'local'
tell(`serving at ${process.env['STORAGE_BASE_URL']}, with a secret made for this run`)

try {
  await Storage.load()
  tell(`found config/filesystems.ts with the disks ${Storage.names.join(', ')}; the default is "${Storage.defaultName}"`)
  const disk = Storage.disk('local')
  await writeFiles(disk)
  await streamLargeFile(disk, 200 * MB)
  await listFiles(disk)
  await fetchSignedUrl(disk)
  await fetchRange(disk)
  await useFake()
  say('Cleaning up')
  await disk.delete(LARGE)
  tell(`deleted ${LARGE}; the small files are in storage/app/private/quickstart`)
  say('Done')
} finally {
  await Storage.close()
  server.close()
  server.closeAllConnections()
}

async function writeFiles(disk: Disk): Promise<void> {
  say('Writing and reading small files')
  const { path, size } = await disk.put('quickstart/reports/2026.csv', 'month,revenue\nJanuary,42\n')
  tell(`put ${path}: ${size} bytes, in place all at once`)
  await disk.put('quickstart/settings.json', JSON.stringify({ theme: 'dark' }), { metadata: { author: 'quickstart' } })
  const { theme } = await disk.json<{ theme: string }>('quickstart/settings.json')
  tell(`put quickstart/settings.json with metadata, and read it as JSON: theme is ${theme}`)
  await disk.copy('quickstart/reports/2026.csv', 'quickstart/reports/copy.csv')
  await disk.append('quickstart/reports/copy.csv', 'February,43\n')
  tell(`copied the report and appended a line: ${await disk.size('quickstart/reports/copy.csv')} bytes`)
  const missing = await disk.getOrNull('quickstart/no-such-file.txt')
  tell(`getOrNull of a missing file: ${String(missing)}; get would reject with FileNotFoundError`)
}

async function streamLargeFile(disk: Disk, total: number): Promise<void> {
  say(`Streaming ${total / MB} MB`)
  const sent = createHash('sha256')
  const showProgress = progressBar(total)
  const rssBefore = process.memoryUsage.rss()
  let rssPeak = rssBefore
  const started = performance.now()
  await disk.writeStream(LARGE, chunks(total, sent), {
    onProgress: ({ loaded }) => {
      rssPeak = Math.max(rssPeak, process.memoryUsage.rss())
      showProgress(loaded)
    },
  })
  const seconds = (performance.now() - started) / 1_000
  tell(`wrote ${LARGE} in ${seconds.toFixed(1)} s; the process grew by ${((rssPeak - rssBefore) / MB).toFixed(0)} MB at most meanwhile`)
  const stored = await disk.checksum(LARGE, { algorithm: 'sha256' })
  if (stored !== sent.digest('hex')) throw new Error('what was stored is not what was sent')
  tell(`read it back: SHA-256 ${stored.slice(0, 16)}… is that of what was sent`)
}

async function* chunks(total: number, digest: ReturnType<typeof createHash>): AsyncGenerator<Uint8Array, undefined> {
  const chunk = randomBytes(MB)
  for (let sent = 0; sent < total; sent += chunk.byteLength) {
    digest.update(chunk)
    yield chunk
  }
}

async function listFiles(disk: Disk): Promise<void> {
  say('Listing')
  for await (const entry of disk.list('quickstart', { recursive: true })) {
    if (entry.type === 'directory') tell(`${entry.path}/`)
    else tell(`${entry.path}  ${entry.size} bytes  ${entry.lastModified?.toISOString()}`)
  }
}

async function fetchSignedUrl(disk: Disk): Promise<void> {
  say('Signing a URL, and fetching it over HTTP')
  const url = await disk.temporaryUrl('quickstart/reports/2026.csv', 60, { download: 'report.csv' })
  tell(`good for a minute: ${url.slice(0, url.indexOf('?'))}?…`)
  const response = await fetch(url)
  const body = await response.text()
  if (response.status !== 200 || body !== (await disk.text('quickstart/reports/2026.csv'))) throw new Error('the URL did not give the file')
  tell(`GET → ${response.status}, ${body.length} bytes, ${response.headers.get('content-disposition')}`)
  const forged = await fetch(url.replace('2026.csv', 'copy.csv'))
  await forged.body?.cancel()
  if (forged.status !== 403) throw new Error('a signature must be good for its own file only')
  tell(`the same signature on another path → ${forged.status}`)
}

async function fetchRange(disk: Disk): Promise<void> {
  say('Fetching a range of the large file')
  const response = await fetch(await disk.temporaryUrl(LARGE), { headers: { range: 'bytes=1000000-1000099' } })
  const body = await response.arrayBuffer()
  if (response.status !== 206 || body.byteLength !== 100) throw new Error('the range did not come')
  tell(`GET with Range → ${response.status}, ${response.headers.get('content-range')}, ${body.byteLength} bytes`)
}

async function useFake(): Promise<void> {
  say('Faking the disk, as in a test')
  const fake = Storage.fake('local')
  await Storage.disk('local').put('avatars/ada.png', 'not really a picture')
  fake.assertExists('avatars/ada.png').assertCount('avatars', 1).assertMissing('avatars/bob.png')
  tell('put avatars/ada.png on the fake: assertExists, assertCount and assertMissing hold')
  fake.failNext('write', new UnavailableError())
  const error: unknown = await Storage.disk('local')
    .put('avatars/bob.png', '…')
    .catch((reason: unknown) => reason)
  if (!(error instanceof UnavailableError)) throw new Error('the write was to fail')
  tell(`failNext made a put fail: ${error.message}`)
  Storage.restore()
  if (await Storage.disk('local').exists('avatars/ada.png')) throw new Error('a fake must not reach the real disk')
  tell('restored: nothing of it is on the real disk')
}

/** One line that is drawn anew on a terminal; four plain ones elsewhere. */
function progressBar(total: number): (loaded: number) => void {
  let shown = 0
  return (loaded) => {
    const percent = Math.floor((loaded / total) * 100)
    if (percent < shown + (process.stdout.isTTY ? 1 : 25)) return
    shown = percent
    const bar = '#'.repeat(Math.floor(percent / 4)).padEnd(25)
    if (process.stdout.isTTY) process.stdout.write(`\r  [${bar}] ${percent} %${percent === 100 ? '\n' : ''}`)
    else tell(`${percent} %, ${loaded / MB} MB`)
  }
}

function say(title: string): void {
  console.log(`\n${title}`)
}

function tell(line: string): void {
  console.log(`  ${line}`)
}
