/**
 * One promise of a contract, checked. A kit is a function from what it is to check to such cases; they throw through `node:assert` and need no
 * particular test runner.
 * @example for (const one of registryKit({ registry: () => folderRegistry(directory) })) it(one.name, one.run)
 */
export interface KitCase {
  readonly name: string
  run(): Promise<void>
}
