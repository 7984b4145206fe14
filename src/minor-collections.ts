/**
 * Keeps the memory of long streams low.
 *
 * V8 frees buffers that died young only at its next minor collection, and begins one by what is on its heap, where a stream of large
 * buffers leaves next to nothing: over a gigabyte, 90 MiB of dead ones gather instead of 35 (Node 24, plain `node:http`). So a little
 * is left there, in proportion to what passes.
 */

const BALLAST: readonly number[] = Array.from({ length: 2_048 }, () => 0) // 16 KiB
let unpaid = 0
// oxlint-disable-next-line no-unused-vars -- kept so that no compiler can leave the allocation out
let onHeap: readonly number[] | undefined

/** How many bytes pass for each 16 KiB on the heap: files are read faster than they are collected, sockets are not. */
export const OF_FILES: number = 64 * 1024
export const OF_SOCKETS: number = 32 * 1024

/** @param bytes how many have passed @param every `OF_FILES` or `OF_SOCKETS` */
export function inviteCollection(bytes: number, every: number): void {
  unpaid += bytes / every
  for (; unpaid >= 1; unpaid--) onHeap = BALLAST.slice()
}
