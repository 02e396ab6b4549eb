// Everything but tests: format and lint, types, and what a user would install. node scripts/check.mjs
import { listPackages } from './build/packages.mjs'
import { attw, imports, publint } from './check/packages.mjs'
import { output, runParts } from './check/run.mjs'

const packages = listPackages()
const programs = 'scripts/tsconfig.programs.json'

const sources = [
  { name: 'format and lint', work: () => output('biome', ['ci', '.', '--colors=off', '--diagnostic-level=error']) },
  { name: 'types of scripts', work: () => output('tsc', ['-p', 'scripts']) },
  { name: 'types of programs', work: () => output('tsc', ['-p', programs]) },
  ...packages.map(({ name, directory }) => ({
    name: `types of ${name}`,
    work: () => output('tsc', ['-p', directory]),
  })),
]
const examples = { name: 'types of examples', work: () => output('tsc', ['-p', 'examples']) } // as a user sees what is built
const built = packages.flatMap((one) => [
  { name: `publint ${one.name}`, work: () => publint(one) },
  { name: `attw ${one.name}`, work: () => attw(one) },
  { name: `imports ${one.name}`, work: () => imports(one) },
])

const sourcesAreGood = await runParts(sources)
const isBuilt = await runParts([{ name: 'build', work: () => output('node', ['scripts/build.mjs']) }])
const builtIsGood = isBuilt && (await runParts([examples, ...built]))
process.exitCode = sourcesAreGood && builtIsGood ? 0 : 1
