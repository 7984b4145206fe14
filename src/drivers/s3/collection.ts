/**
 * Keeps the memory of a long download low.
 *
 * V8 frees buffers that died young at its next minor collection, and begins one by what is on its heap, where a stream of large
 * buffers leaves next to nothing: 90 MiB of dead ones gather instead of 35 (a gigabyte over plain node:http, Node 24). So a little is
 * left there for each piece that passes.
 */

const EVERY_BYTES = 32 * 1024
const BALLAST: readonly number[] = Array.from({ length: 2_048 }, () => 0) // 16 KiB
let unpaid = 0
// oxlint-disable-next-line no-unused-vars -- kept so that no compiler can leave the allocation out
let onHeap: readonly number[] | undefined

/** @param bytes how many have passed */
export function inviteCollection(bytes: number): void {
  unpaid += bytes
  for (; unpaid >= EVERY_BYTES; unpaid -= EVERY_BYTES) onHeap = BALLAST.slice()
}
