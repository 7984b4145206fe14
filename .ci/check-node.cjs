// Fails below the Node that Stowage needs, and says what to do. CommonJS and old syntax: it has to run on the Node it refuses.
'use strict'
var WANTED = [22, 15]
var version = process.versions.node.split('.').map(Number)
if (version[0] < WANTED[0] || (version[0] === WANTED[0] && version[1] < WANTED[1])) {
  console.error('Stowage needs Node ' + WANTED.join('.') + ' or newer, this is ' + process.versions.node + '.')
  console.error('npm scripts use the dev dependency node@24; its install script has not run: npm rebuild node')
  process.exit(1)
}
