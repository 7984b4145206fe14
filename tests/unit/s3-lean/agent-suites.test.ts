/** What is promised of connections, once more where an agent of the user makes them. What takes longer: tests/heavy/faults/s3-agent.test.ts */
import { overAgents } from './scripted-store.ts'

overAgents()
for (const suite of ['aborting', 'answer-streams', 'connections', 'continue', 'late-errors', 'retries']) await import(`./${suite}.test.ts`)
