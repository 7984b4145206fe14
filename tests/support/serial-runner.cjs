/** Jest's own runner, one test file at a time and before the others: for what is measured, which others would disturb. */
const { default: Runner } = require('jest-runner')

module.exports = class SerialRunner extends Runner {
  isSerial = true
}
