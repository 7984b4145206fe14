/** `disk.check()`: does a disk work, here and now, with these credentials? */
import type { CallLimits } from './deadline.ts'
import type { Filesystem } from './disk.ts'
import { IntegrityError, toStorageError } from './errors.ts'
import type { CheckResult, CheckStep } from './options.ts'

const CLEANUP_MS = 5_000 // for the probe of a check that was aborted

/** Writes, reads back, lists and deletes a small file. Never rejects. What was written is deleted even when a step between fails. */
export async function checkDisk(disk: Filesystem, options: CallLimits): Promise<CheckResult> {
  const steps: CheckStep[] = []
  const path = `stowage-check-${crypto.randomUUID()}.txt`
  const step = async (name: CheckStep['name'], act: () => Promise<void>): Promise<void> => {
    const before = performance.now()
    const error = await act().then(() => undefined, asError)
    steps.push({ name, ok: error === undefined, ms: performance.now() - before, ...(error && { error }) })
  }
  const probe = async (reads: () => Promise<string | undefined>, reason: string): Promise<void> => {
    if ((await reads()) !== path) throw new IntegrityError(reason)
  }
  await step('write', async () => void (await disk.put(path, path, options)))
  if (steps[0]?.ok) {
    await step('read', () => probe(() => disk.text(path, options), 'what was read is not what was written'))
    await step('list', () => probe(async () => (await listed(disk, path, options))?.path, 'the file is not listed'))
    await step('delete', () => disk.delete(path, options.signal?.aborted ? { timeoutMs: options.timeoutMs ?? CLEANUP_MS } : options))
  }
  const error = steps.find((done) => !done.ok)?.error
  return { ok: error === undefined, latencyMs: steps.reduce((sum, done) => sum + done.ms, 0), steps, ...(error && { error }) }
}

async function listed(disk: Filesystem, path: string, options: CallLimits): Promise<{ path: string } | undefined> {
  const { entries } = await disk.listPage('', { ...options, after: path.slice(0, -1), limit: 1 })
  return entries[0]
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : toStorageError(error)
}
