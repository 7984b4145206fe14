/** Sources of content that tests write from. */

export async function* chunks(...parts: readonly (string | Uint8Array)[]): AsyncGenerator<string | Uint8Array> {
  for (const part of parts) {
    await Promise.resolve()
    yield part
  }
}

/** A source that tells when it is waiting, and goes on when it is let; for good it waits for nobody. */
export interface PausedSource {
  readonly source: AsyncGenerator<string>
  /** Settles when the first half was taken. */
  readonly paused: Promise<void>
  readonly finish: () => void
}

export function pausedSource(first: string, second: string): PausedSource {
  const paused = Promise.withResolvers<void>()
  const finish = Promise.withResolvers<void>()
  async function* halves(): AsyncGenerator<string> {
    yield first
    paused.resolve()
    await finish.promise
    yield second
  }
  return { source: halves(), paused: paused.promise, finish: finish.resolve }
}
