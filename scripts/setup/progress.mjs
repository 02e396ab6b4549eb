const interactive = process.stderr.isTTY === true

/**
 * Shows one line on stderr while work goes on, and how long it took when it is done.
 * @template T
 * @param {string} what
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withProgress(what, work) {
  const start = performance.now()
  process.stderr.write(interactive ? `${what} …` : `${what} …\n`)
  try {
    const result = await work()
    say(`${what}: ${((performance.now() - start) / 1000).toFixed(1)} s`)
    return result
  } catch (error) {
    say(`${what}: failed`)
    throw error
  }
}

/** @param {string} line */
function say(line) {
  process.stderr.write(interactive ? `\r\x1b[2K${line}\n` : `${line}\n`)
}
