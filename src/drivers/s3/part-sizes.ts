/**
 * How large each part of an upload is: 10,000 parts have to do.
 *
 *   size known      all parts equal, as large as it takes
 *   size unknown    partSize ×1 for the first 1,000 parts, ×2 for the next, ×4, … ×512: 8 MiB parts reach 8 TiB
 *   equal only      partSize, for stores that take no others (R2): 8 MiB parts reach 78 GiB
 */
import { QuotaExceededError } from '../../errors.ts'

export const MAX_PARTS = 10_000 // S3 user guide, "Amazon S3 multipart upload limits"
const PARTS_PER_STEP = 1_000
const MiB = 1024 * 1024
const MAX_PART_BYTES = 5 * 1024 * MiB

export interface PartPlan {
  readonly partSize: number
  /** In bytes, when it is known. */
  readonly size: number | undefined
  /** Parts may differ in size. */
  readonly unequal: boolean
}

/** The size of a part by its number, from 1. @throws QuotaExceededError past the last part that an upload may have */
export function partSizeOf({ partSize, size, unequal }: PartPlan): (number: number) => number {
  const wanted = size === undefined ? partSize : Math.max(partSize, Math.ceil(size / MAX_PARTS / MiB) * MiB)
  const grows = unequal && size === undefined
  return (number) => {
    if (number > MAX_PARTS) {
      throw new QuotaExceededError(`the file needs more than ${MAX_PARTS} parts of ${wanted} bytes: raise "partSize", or tell its size`)
    }
    return grows ? Math.min(wanted * 2 ** Math.floor((number - 1) / PARTS_PER_STEP), MAX_PART_BYTES) : wanted
  }
}

/** How many parts may be in flight, so that larger ones do not take more memory than twice what the usual ones do. */
export function concurrencyFor(partBytes: number, { partSize, partConcurrency }: { partSize: number; partConcurrency: number }): number {
  return Math.max(1, Math.min(partConcurrency, Math.floor((partConcurrency * partSize * 2) / partBytes)))
}
