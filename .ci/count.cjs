// Adds up Jest's reports and prints the last line of `.ci/run`. Exits 1 unless tests ran and none failed.
// A step or a test file that failed without a failing test counts as one. CommonJS: any Node runs it.
'use strict'
const fs = require('node:fs')
const path = require('node:path')

const [directory, failedStep] = process.argv.slice(2)
const reports = fs.readdirSync(directory).map((name) => JSON.parse(fs.readFileSync(path.join(directory, name), 'utf8')))
const sum = (key) => reports.reduce((total, report) => total + report[key], 0)

const passed = sum('numPassedTests')
let failed = sum('numFailedTests') + sum('numRuntimeErrorTestSuites')
if (failed === 0 && (failedStep || passed === 0 || reports.some((report) => !report.success))) failed = 1
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed > 0 ? 1 : 0
