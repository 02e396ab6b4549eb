/** How a release could be brought back, and how soon (DESIGN §9). */
export interface Readiness {
  /**
   * `instant`: its slot is ready now; `warm`: its slot is kept without instances, the image is where it ran; `cold`: the image is in the registry
   * and can be deployed again; `impossible`: why is in `because`.
   */
  readonly class: 'instant' | 'warm' | 'cold' | 'impossible'
  readonly because: string
  /** Left out when impossible. */
  readonly etaMs?: number | undefined
}
