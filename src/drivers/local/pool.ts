/** Runs an action for each of many, a few at a time: enough to keep the thread pool busy, and no more promises than that. */
const CONCURRENCY = 16

/** @throws what the first failing action threw, after those under way have ended */
export async function eachOf<T>(items: readonly T[], act: (item: T, index: number) => Promise<void>): Promise<void> {
  let next = 0
  const work = async (): Promise<void> => {
    while (next < items.length) {
      const index = next++
      try {
        await act(items[index] as T, index)
      } catch (error) {
        next = items.length
        throw error
      }
    }
  }
  const results = await Promise.allSettled(Array.from({ length: Math.min(CONCURRENCY, items.length) }, work))
  const failed = results.find((result) => result.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}
