/** An object of an answer, nothing of which is taken for granted. */
export type Shape = { readonly [name: string]: unknown }

export function shapeOf(value: unknown): Shape {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {}
}

export function shapesOf(value: unknown): readonly Shape[] {
  return Array.isArray(value) ? value.map(shapeOf) : []
}

export function textOf(shape: Shape, name: string): string | undefined {
  const value = shape[name]
  return typeof value === 'string' ? value : undefined
}

export function numberOf(shape: Shape, name: string): number | undefined {
  const value = shape[name]
  return typeof value === 'number' ? value : undefined
}
