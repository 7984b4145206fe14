/**
 * What is still to be purged, kept so that it is not forgotten. The default is memory; another one outlives the process: a purge is in
 * it before the store is changed, and leaves it when the provider has taken it.
 */
import { TimeoutError } from '../../errors.ts'
import type { PurgeTarget } from './purge-target.ts'

export interface QueuedPurge {
  readonly id: string
  readonly type: PurgeTarget['type']
  /** As the disk names it; empty for everything. */
  readonly path: string
  /** Milliseconds since 1970: not before. */
  readonly dueAt: number
  /** The second purge of a change, after the network has spread the first. */
  readonly repeat: boolean
}

/** One for each disk. Calls may come at the same time. Purging what was purged already does no harm, so that `remove` may be late. */
export interface PurgeQueue {
  add(purges: readonly QueuedPurge[]): Promise<void>
  /** Unknown ids are fine. */
  remove(ids: readonly string[]): Promise<void>
  /** All of them: asked once, before the first change of a process, which then purges them. */
  list(): Promise<readonly QueuedPurge[]>
}

/** Lost with the process, like the dispatcher's own list, which is all it needs. */
export function memoryQueue(): PurgeQueue {
  const kept = new Map<string, QueuedPurge>()
  return {
    add: async (purges) => {
      for (const purge of purges) kept.set(purge.id, purge)
    },
    remove: async (ids) => {
      for (const id of ids) kept.delete(id)
    },
    list: async () => [...kept.values()],
  }
}

/** The same queue, whose calls reject when they take too long: a change must not wait for it for ever. */
export function impatient(queue: PurgeQueue, timeoutMs: number): PurgeQueue {
  const inTime = async <T>(call: Promise<T>): Promise<T> => {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new TimeoutError('the queue of purges did not answer in time')), timeoutMs)
    })
    return Promise.race([call, late]).finally(() => clearTimeout(timer))
  }
  return {
    add: (purges) => inTime(queue.add(purges)),
    remove: (ids) => inTime(queue.remove(ids)),
    list: () => inTime(queue.list()),
  }
}
