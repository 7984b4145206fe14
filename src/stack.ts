/** Walks over a stack of drivers, outermost first. */
import type { Driver } from './driver.ts'
import { toStorageError } from './errors.ts'

/** The nearest layer that matches, by levels from the outside in. */
export function findLayer(driver: Driver, matches: (layer: Driver) => boolean): Driver | undefined {
  return [...layersOf(driver)].find(matches)
}

/** Every layer once, level by level. */
export function layersOf(driver: Driver): ReadonlySet<Driver> {
  const layers = new Set([driver])
  for (const layer of layers) for (const inner of layer.inner) layers.add(inner) // a Set iterates over what is added meanwhile
  return layers
}

/**
 * Closes each layer once, outermost first, but for those that belong to somebody else.
 * @param shared drivers whose layers stay open
 * @throws the first failure, when every layer has been tried
 */
export async function closeStack(driver: Driver, ...shared: readonly Driver[]): Promise<void> {
  const kept = new Set(shared.flatMap((other) => [...layersOf(other)]))
  const failures: unknown[] = []
  for (const layer of outermostFirst(driver)) {
    if (kept.has(layer)) continue
    await layer.close().catch((error: unknown) => failures.push(toStorageError(error).locate({ operation: 'close', driver: layer.name })))
  }
  if (failures.length > 0) throw failures[0]
}

/** Every layer once, and none before all that stand on it. */
function outermostFirst(driver: Driver): readonly Driver[] {
  const seen = new Set<Driver>()
  const ordered: Driver[] = []
  const visit = (layer: Driver): void => {
    if (seen.has(layer)) return
    seen.add(layer)
    for (const inner of layer.inner.toReversed()) visit(inner)
    ordered.push(layer)
  }
  visit(driver)
  return ordered.toReversed()
}
