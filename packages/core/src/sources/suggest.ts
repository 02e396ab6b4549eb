/** The names closest to what was asked for, best first: the same letters in another case, a part of it, or a few letters away. */
export function suggest(wanted: string, names: readonly string[], limit = 5): string[] {
  const lowered = wanted.toLowerCase()
  return names
    .map((name) => ({ name, distance: distanceOf(lowered, name.toLowerCase()) }))
    .filter(({ distance }) => distance <= Math.max(2, Math.floor(wanted.length / 3)))
    .sort((a, b) => a.distance - b.distance || a.name.localeCompare(b.name))
    .slice(0, limit)
    .map(({ name }) => name)
}

function distanceOf(wanted: string, name: string): number {
  const shorter = Math.min(wanted.length, name.length)
  if (shorter >= 3 && (name.includes(wanted) || wanted.includes(name))) return wanted === name ? 0 : 1
  return editDistance(wanted, name)
}

/** Levenshtein's distance, a row at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
