/**
 * Streams of large buffers leave next to nothing on V8's heap, whose fill is what begins a minor collection; so dead buffers gather
 * outside of it. This brings the next one nearer, by how much has streamed by.
 */

const STEP_BYTES = 256 * 1024
const BALLAST: readonly number[] = Array.from({ length: 2_048 }, () => 0) // 16 KiB
let unpaid = 0
// oxlint-disable-next-line no-unused-vars -- kept so that no compiler can leave the allocation out
let onHeap: readonly number[] | undefined

export function inviteCollection(bytes: number): void {
  unpaid += bytes
  if (unpaid < STEP_BYTES) return
  onHeap = BALLAST.slice()
  unpaid = 0
}
