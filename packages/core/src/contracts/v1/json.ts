/** What the journal can hold: plain JSON. Requests and results of every contract are of this type. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json | undefined }
