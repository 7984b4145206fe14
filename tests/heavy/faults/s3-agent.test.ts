/** What is promised of timeouts and downloads, once more where an agent of the user makes the connections. */
import { overAgents } from '../../unit/s3-lean/scripted-store.ts'

overAgents()
for (const suite of ['downloads', 'timeouts']) await import(`../../unit/s3-lean/${suite}.test.ts`)
