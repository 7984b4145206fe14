/** The server as a process of its own: prints one line of JSON, its `GcsServerFacts`, and ends with SIGTERM. */
import { startGcsServer } from './gcs-server.ts'

const [directory] = process.argv.slice(2)
const server = await startGcsServer(directory === undefined ? {} : { directory })
const { origin, emulatorOrigin, project, credentials } = server
console.log(JSON.stringify({ origin, emulatorOrigin, project, credentials }))

function end(): void {
  server.close().then(
    () => process.exit(0),
    () => process.exit(1),
  )
}
process.on('SIGTERM', end).on('SIGINT', end)
