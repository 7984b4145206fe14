/**
 * Where an app tells TypeScript its disk names. The package re-exports this module as a whole, because only then an augmentation
 * reaches the interface:
 *
 *   const config = defineConfig({ disks: { … } })
 *   declare module 'stowage' { interface Register { config: typeof config } }
 */

/** Empty until an app merges `{ config: typeof config }` into it. */
// oxlint-disable-next-line no-empty-interface -- merged into
export interface Register {}

/** The names of the registered configuration's disks; any string when nothing was registered. */
export type RegisteredDiskName = Register extends { config: { disks: infer Disks } } ? Extract<keyof Disks, string> : string
