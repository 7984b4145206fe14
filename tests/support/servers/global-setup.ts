/** Starts the keeper of the test servers, which itself starts nothing before a test asks for it. */
import { startKeeper } from './keeper-client.ts'

export default async function setup(): Promise<void> {
  await startKeeper()
}
