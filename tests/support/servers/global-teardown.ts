/** Stops every server of the run, and waits until it is gone. */
import { stopKeeper } from './keeper-client.ts'

export default async function teardown(): Promise<void> {
  await stopKeeper()
}
